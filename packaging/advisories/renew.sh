#!/bin/sh
# Makes the copy of the list of known holes anew, of the crates that our lock files name: renew.sh [REPOSITORY]. Needs the network; look at
# what changed before you commit it.
set -eu
from=${1:-https://github.com/RustSec/advisory-db}
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet --depth 1 "$from" "$work/list"

sed -n 's/^name = "\(.*\)"$/\1/p' ../../Cargo.lock ../../fuzz/Cargo.lock | LC_ALL=C sort -u >"$work/names"
mkdir "$work/crates"
while read -r name; do
    for file in "$work/list/crates/$name"/RUSTSEC-*.md; do
        case $file in
        *'*'* | *RUSTSEC-0000-*) ;;
        *) mkdir -p "$work/crates/$name" && cp "$file" "$work/crates/$name/" ;;
        esac
    done
done <"$work/names"
# A list without any entry is a fault of this script or of the list, and must not take the place of one that has some.
[ -n "$(ls "$work/crates")" ] || { echo "renew: the list at $from has nothing for us; the copy stays as it was" >&2; exit 1; }

rm -rf crates
cp -R "$work/crates" crates
cp "$work/names" names
git -C "$work/list" log -1 --format=%cs >./date
git -C "$work/list" log -1 --format=%H >./commit
echo "a copy of $(cat date), $(find crates -type f | wc -l) entries; look at it: git diff --stat"
