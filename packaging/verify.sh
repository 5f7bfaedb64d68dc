#!/bin/sh
# Says whether downloaded files are a release's: verify.sh KEY FILE ..., with SHA256SUMS and SHA256SUMS.minisig beside each file.
# KEY is the maintainers' public key: the line that begins with RW, or a file with it. Needs minisign (apt-get install minisign).
# Exit code 0 only where every file that was named is in the list, as it is in the list, and the list is signed by that key.
set -eu

die() { echo "verify: $1" >&2; exit 1; }
[ $# -ge 2 ] || { echo "usage: verify.sh KEY FILE ..." >&2; exit 2; }
command -v minisign >/dev/null 2>&1 || die "there is no minisign: apt-get install minisign"
key=$1
shift
[ ! -f "$key" ] || key=$(sed -n '/^RW/p' "$key")

for file in "$@"; do
    [ -f "$file" ] || die "there is no file $file"
    folder=$(dirname "$file") name=$(basename "$file")
    list=$folder/SHA256SUMS
    for part in "$list" "$list.minisig"; do [ -f "$part" ] || die "$part is missing: download it too"; done
    # Quietly, and then its signed comment by itself: the comment that is not signed is nobody's word.
    release=$(minisign -V -Q -P "$key" -m "$list") ||
        die "$list is not signed by this key. Do not install anything of it."
    sum=$(sha256sum <"$file" | cut -d ' ' -f 1)
    grep -Fqx "$sum  $name" "$list" ||
        die "$name is not the file that was signed (or not in the list). Do not install it."
    echo "$name: good, of $release"
done
