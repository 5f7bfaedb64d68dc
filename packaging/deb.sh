#!/bin/sh
# Builds the Debian package from programs that are built already: deb.sh PROGRAMS OUT, with firstbell and kitesim in the folder
# PROGRAMS. The same programs and the same commit give the same bytes. Says the package's path.
set -eu
umask 022
programs=$(cd "$1" && pwd) out=$2
cd "$(dirname "$0")/.."
mkdir -p "$out"
out=$(cd "$out" && pwd)

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
maintainer=$(sed -n "s/^Maintainer: //p" packaging/debian/control)
arch=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"

# put MODE FROM TO
put() { install -D -m "$1" "$2" "$stage/$3"; }

for program in firstbell kitesim; do
    put 755 "$programs/$program" "usr/bin/$program"
    strip --strip-unneeded "$stage/usr/bin/$program"
done
put 755 packaging/debian/firstbellctl usr/sbin/firstbellctl

units=usr/lib/systemd/system
for unit in firstbell.service firstbell-login.service firstbell-login.timer firstbell-browser.socket firstbell-browser@.service; do
    put 644 "packaging/systemd/$unit" "$units/$unit"
done
put 644 packaging/systemd/sysusers.conf usr/lib/sysusers.d/firstbell.conf
put 644 packaging/systemd/tmpfiles.conf usr/lib/tmpfiles.d/firstbell.conf
# postinst puts it where it is understood: an older AppArmor would stumble over it.
put 644 packaging/apparmor/firstbell usr/share/firstbell/apparmor/firstbell

doc=usr/share/doc/firstbell
put 644 packaging/debian/copyright "$doc/copyright"
for page in README.md SECURITY.md ARCHITECTURE.md DEPENDENCIES.md; do put 644 "$page" "$doc/$page"; done
put 644 packaging/debian/config.toml.example "$doc/examples/config.toml.example"
put 644 packaging/systemd/firefox.conf "$doc/examples/firefox.conf"
for example in Containerfile compose.yaml seccomp.json; do
    put 644 "packaging/container/$example" "$doc/examples/$example"
done
gzip -9n <CHANGELOG.md >"$stage/$doc/CHANGELOG.md.gz"
cat <<TEXT | gzip -9n >"$stage/$doc/changelog.gz"
firstbell ($version) unstable; urgency=medium

  * What changed is in CHANGELOG.md.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
chmod 644 "$stage/$doc/CHANGELOG.md.gz" "$stage/$doc/changelog.gz"
put 644 packaging/debian/lintian-overrides usr/share/lintian/overrides/firstbell

# What make pages made: the manual, and what shells complete.
[ -f target/man/firstbell.1 ] || { echo "deb: there are no pages: make pages" >&2; exit 1; }
for page in target/man/*; do
    inside=usr/share/man/man${page##*.}/$(basename "$page")
    put 644 "$page" "$inside"
    gzip -9n "$stage/$inside"
done
put 644 target/completions/firstbell.bash usr/share/bash-completion/completions/firstbell
put 644 target/completions/_firstbell usr/share/zsh/vendor-completions/_firstbell
put 644 target/completions/firstbell.fish usr/share/fish/vendor_completions.d/firstbell.fish

mkdir "$stage/DEBIAN"
for script in postinst prerm postrm; do put 755 "packaging/debian/$script" "DEBIAN/$script"; done
# Of the files alone: a folder's size is its file system's own.
size=$(find "$stage" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" packaging/debian/control >"$stage/DEBIAN/control"
(cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)

# dpkg-deb sorts what it packs, and takes no time later than SOURCE_DATE_EPOCH; earlier ones are set to it here.
find "$stage" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
package="$out/firstbell_${version}_$arch.deb"
dpkg-deb --root-owner-group --uniform-compression -Zxz -z0 --build "$stage" "$package" >&2
echo "$package"
