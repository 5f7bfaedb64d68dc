#!/bin/bash
# Tries what is shipped for a server: units.sh PROGRAMS, with firstbell and kitesim in the folder PROGRAMS. The package is installed
# in a clean Debian that is really booted, and logs in there with Chromium under the units as they are; needs root.
set -euo pipefail
programs=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
tests=$PWD/packaging/tests
suite=${FIRSTBELL_SUITE:-bookworm}
if [ "$(id -u)" -ne 0 ]; then
    exec sudo --non-interactive FIRSTBELL_SUITE="$suite" "$tests/units.sh" "$programs"
fi
# What is mounted below is nobody else's, and gone at the end, whatever happens.
if [ -z "${FIRSTBELL_APART:-}" ]; then
    exec env FIRSTBELL_APART=1 unshare --mount --propagation private "$0" "$programs"
fi

step() { printf '== %s (%s s so far)\n' "$1" "$SECONDS"; }
die() { echo "packaging: $1" >&2; exit 1; }

out=$PWD/target/packaging
root=$out/root-$suite
mkdir -p "$out"
work=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$work"
trap 'umount -R "$work"; rmdir "$work"' EXIT
mkdir "$work"/{once,twice,units,up,worked,machine}

step "hosts that the programs name"
packaging/look.sh "$programs/firstbell"

step "the package, twice the same"
deb=$(packaging/deb.sh "$programs" "$out" 2>/dev/null)
cmp "$deb" "$(packaging/deb.sh "$programs" "$work/twice" 2>/dev/null)" || die "two builds differ"
lintian --allow-root --fail-on error,warning "$deb" || die "lintian complains"
for path in usr/bin/firstbell usr/bin/kitesim usr/sbin/firstbellctl usr/lib/sysusers.d/firstbell.conf \
    usr/lib/tmpfiles.d/firstbell.conf usr/lib/systemd/system/firstbell.service usr/share/doc/firstbell/copyright \
    usr/lib/systemd/system/firstbell-browser.socket usr/lib/systemd/system/firstbell-browser@.service \
    usr/lib/systemd/system/firstbell-login.timer usr/share/doc/firstbell/examples/config.toml.example \
    usr/share/doc/firstbell/examples/firefox.conf usr/share/man/man1/firstbell.1.gz usr/share/man/man1/firstbell-login.1.gz \
    usr/share/man/man5/firstbell.toml.5.gz usr/share/bash-completion/completions/firstbell \
    usr/share/zsh/vendor-completions/_firstbell usr/share/fish/vendor_completions.d/firstbell.fish; do
    dpkg-deb --fsys-tarfile "$deb" | tar -t "./$path" >/dev/null || die "the package has no $path"
done
others=$(dpkg-deb --fsys-tarfile "$deb" | tar -tv | awk '$2 != "root/root" || $1 ~ /^.....w|^........w|s/') || true
[ -z "$others" ] || die "not root's alone: $others"

step "units that systemd understands, and how exposed they are"
dpkg-deb --extract "$deb" "$work/units"
units=$work/units/usr/lib/systemd/system
# verify looks for the program where the unit says it is, which is in the package and not on this machine.
said=$(systemd-analyze verify --root="$work/units" --recursive-errors=no firstbell.service firstbell-login.service \
    firstbell-login.timer firstbell-browser.socket firstbell-browser@.service 2>&1 | grep -v 'is not executable' || true)
[ -z "$said" ] || die "systemd-analyze verify: $said"
systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$units/firstbell-login.timer")" >/dev/null || die "no such moment"
# exposed UNIT LIMIT: the number itself is read, because the exit code tells nothing of a missing drop-in.
exposed() {
    local said number
    said=$(systemd-analyze security --offline=true "$1" | tail -n 1)
    number=$(sed -n 's/.*: \([0-9.]*\) .*/\1/p' <<<"$said")
    awk -v n="$number" -v most="$2" 'BEGIN { exit !(n != "" && n + 0 <= most) }' || die "$1: $said, allowed is $2"
    echo "$(basename "$1"): $number, allowed is $2"
}
exposed "$units/firstbell.service" 1.5
exposed "$units/firstbell-login.service" 1.5
exposed "$units/firstbell-browser@.service" 2.0
mkdir "$units/firstbell-browser@.service.d"
cp packaging/systemd/firefox.conf "$units/firstbell-browser@.service.d/"
echo "with the example for Firefox:"; exposed "$units/firstbell-browser@.service" 2.2
# All units have the same walls, and the browser's gives a part of them back.
walls() { sed -n '/^# No rights/,/^TasksMax/p' "$1"; }
for service in firstbell-login firstbell-browser@; do
    cmp <(walls "$units/firstbell.service") <(walls "$units/$service.service") || die "the units' walls differ"
done

step "the AppArmor profile"
# Older parsers know neither the abi nor the one right; what is left then is still read.
if [ -e /etc/apparmor.d/abi/4.0 ]; then profile=packaging/apparmor/firstbell
else sed -e '/^abi /d' -e '/^  userns,/d' packaging/apparmor/firstbell >"$work/profile"; profile=$work/profile; fi
apparmor_parser --skip-kernel-load --skip-cache "$profile" || die "AppArmor does not read its profile"

# Perl plays the newcomer. The mark names what is inside, so that a root with less is made anew.
inside=systemd,systemd-sysv,dbus,procps,ca-certificates,chromium-headless-shell,perl
if [ "$(cat "$root/ready" 2>/dev/null)" != "$inside" ]; then
    step "a clean Debian ($suite)"
    rm -rf "$root"
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' \
        --include="$inside" "$suite" "$root" >&2
    echo "$inside" >"$root/ready"
fi

step "installed, run and removed under systemd"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/up,workdir=$work/worked" "$work/machine"
machine=$work/machine
mkdir -p "$machine/trial" "$machine/etc/systemd/system/multi-user.target.wants"
cp "$deb" "$machine/trial/firstbell.deb"
cp "$tests/trial.sh" "$tests/walls.sh" "$tests/credential.sh" "$tests/newcomer.pl" "$machine/trial/"
# What the container's runtime asks, for the same program.
sed -n 's/^    CMD firstbell/firstbellctl/p' packaging/container/Containerfile >"$machine/trial/health"
cp "$tests/trial.service" "$machine/etc/systemd/system/"
ln -s ../trial.service "$machine/etc/systemd/system/multi-user.target.wants/trial.service"
# Calls that a machine of its own would have: systemd-nspawn refuses what it does not know.
timeout 420 systemd-nspawn --quiet --system-call-filter='seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self' \
    --register=no --keep-unit --private-network --directory="$machine" --boot --console=pipe </dev/null >"$work/boot.log" 2>&1 || { cat "$work/boot.log"; die "the machine did not boot and end"; }
cat "$machine/trial/said"
tail -n 1 "$machine/trial/said" | grep -qx 'all is well' || die "the trial did not end well"

step "in a container, under its seccomp profile"
"$tests/container.sh" "$programs" "$root" "$work/once"
step "all is well"
