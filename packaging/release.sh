#!/bin/sh
# Makes what a release gives away from this checkout: release.sh TARGET OUT builds in TARGET, and leaves programs, package, bills of
# materials, what they were built with, and SHA256SUMS in OUT. Two builders with the same compilers get the same bytes.
set -eu
umask 022
cd "$(dirname "$0")/.."
mkdir -p "$1" "$2"
target=$(cd "$1" && pwd) out=$(cd "$2" && pwd)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct)}
commit=${FIRSTBELL_COMMIT:-$(git -c safe.directory='*' rev-parse --verify HEAD)}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC

wanted=$(cat packaging/rust-version) here=$(rustc --version)
case $here in
"rustc $wanted "*) ;;
*) echo "release: $here is here, releases are built with $wanted: RUSTUP_TOOLCHAIN=$wanted" >&2; exit 1 ;;
esac
packaging/build.sh "$target"
packaging/deb.sh "$target/release" "$out" >&2
for program in firstbell kitesim; do
    install -m 755 "$target/release/$program" "$out/$program"
    packaging/sbom.py "$program" "$out/$program.cdx.json"
    packaging/look.sh "$out/$program" "$out/$program.cdx.json" >&2
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
{
    echo "release: firstbell $version, commit $commit"
    rustc -vV | sed 's/^/rust: /'
    for tool in cc ld strip; do echo "$tool: $($tool --version | head -n 1)"; done
} >"$out/built-with"
rm -f "$out/SHA256SUMS" "$out/SHA256SUMS.minisig"
(cd "$out" && LC_ALL=C sha256sum -- *) >"$out.sums"
mv "$out.sums" "$out/SHA256SUMS"
