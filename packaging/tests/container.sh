#!/bin/bash
# Logs in inside a container, as compose.yaml has it run: container.sh PROGRAMS ROOT WORK, where ROOT is a Debian with Chromium. No image
# is built, because none can be fetched in a test; user, rights, file system and seccomp profile are the shipped ones.
set -euo pipefail
programs=$1 root=$2 work=$3
cd "$(dirname "$0")/../.."
shipped=$PWD/packaging/container/seccomp.json
die() { echo "container: $1" >&2; cat "$work/said" >&2; exit 1; }

# One runtime knows the kernel's second generation of control groups only, or the first only, and some machines have both.
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p "$work"/{up,worked,image}
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/up,workdir=$work/worked" "$work/image"
install -m 755 "$programs/firstbell" "$programs/kitesim" "$work/image/usr/bin/"

# demo PROFILE ARGUMENTS…
demo() {
    local profile=$1
    shift
    timeout 60 podman --root "$work/podman" --runroot "$work/run" run --rm --user 10001:10001 --network none --cgroups disabled \
        --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --cap-drop all --security-opt no-new-privileges \
        --security-opt "seccomp=$profile" --read-only --tmpfs /tmp:mode=1777 --shm-size 512m --env HOME=/tmp --env FIRSTBELL_LOG=info \
        --rootfs "$work/image" /usr/bin/firstbell demo "$@" >"$work/said" 2>&1
}
demo "$shipped" --driver http || die "no login without a browser"
demo "$shipped" || die "no login in Chromium"
grep -q 'has a proven token' "$work/said" || die "it does not say so"
grep -qE 'holds the login engine to.*(Whole|Files).*InForce' "$work/said" || die "no fence or no filter of ours is around the browser"
# The profile allows what Chromium needs for its sandbox and no namespace more: without any of it there is no login.
for word in capset chroot; do
    sed "s/\"$word\"/\"uname\"/" "$shipped" >"$work/without.json"
    if demo "$work/without.json"; then die "it logs in without $word as well"; fi
    grep -Eq 'sandbox is off|browser does not start' "$work/said" || die "without $word it fails for another reason"
done
sed 's/"value": 235012096/"value": 2114060288/' "$shipped" >"$work/without.json"
if demo "$work/without.json"; then die "it logs in without namespaces as well"; fi
echo "container: logs in with the shipped profile, and with nothing less"
