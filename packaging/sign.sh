#!/bin/sh
# Signs a drafted release by hand, away from the machines that built it: sign.sh DRAFT OWN SECRET_KEY. DRAFT holds what the workflow
# made, OWN what packaging/release.sh made of the same tag on a machine of yours: only what both have alike is signed. The key
# (minisign -G) never leaves that machine, so that nobody who takes over the builders can sign.
set -eu
LC_ALL=C
export LC_ALL

die() { echo "sign: $1" >&2; exit 1; }
[ $# -eq 3 ] || { echo "usage: sign.sh DRAFT OWN SECRET_KEY" >&2; exit 2; }
draft=$1 own=$2 key=$3
for folder in "$draft" "$own"; do [ -f "$folder/SHA256SUMS" ] || die "$folder has no SHA256SUMS"; done

cmp -s "$draft/SHA256SUMS" "$own/SHA256SUMS" || {
    diff "$draft/SHA256SUMS" "$own/SHA256SUMS" >&2 || true
    die "the builders made something else than you. Compare the files built-with of both; sign nothing."
}
(cd "$draft" && sha256sum --check --strict --quiet SHA256SUMS) || die "the draft is not what its list says"
listed=$(sed 's/^[0-9a-f]*  //' "$draft/SHA256SUMS" | sort)
there=$(cd "$draft" && find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.minisig | sed 's|^\./||' | sort)
[ "$listed" = "$there" ] || die "the draft's list and its files differ"
release=$(sed -n 's/^release: //p' "$draft/built-with")
[ -n "$release" ] || die "built-with does not say which release this is"

minisign -S -s "$key" -m "$draft/SHA256SUMS" -t "$release"
echo "$draft/SHA256SUMS.minisig: $release. Upload it to the draft, then publish."
