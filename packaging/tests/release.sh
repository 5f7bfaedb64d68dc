#!/bin/bash
# Tries what a release has beside its programs: release.sh TARGET, with the pages, completions and bills of materials in TARGET. Pages
# without a warning, completions in their shells, bills that are whole and twice the same, and signatures that refuse what was changed.
set -euo pipefail
target=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
die() { echo "release: $1" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for page in "$target"/man/*; do
    said=$(LC_ALL=C.UTF-8 man --warnings --encoding=UTF-8 --local-file "$page" 2>&1 >"$work/page") || die "man cannot show $page"
    said+=$(groff -man -Tutf8 -K utf8 -ww -z "$page" 2>&1)
    [ -z "$said" ] || die "$page: $said"
    grep -q . "$work/page" || die "$page is empty"
done
man --warnings --local-file "$target/man/firstbell-login.1" 2>/dev/null | col -b | grep -q -- '--assisted' || die "man loses an option"
pages=("$target"/man/*)
echo "pages: ${#pages[@]}, no warning"

# completed WORD ...: what bash offers for the last word.
completed() {
    bash --norc -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        _firstbell firstbell "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[*]}"' - "$target/completions/firstbell.bash" "$@"
}
same() { [ "$1" = "$2" ] || die "offered was '$1' and not '$2'"; }
same "$(completed firstbell lo)" login
same "$(completed firstbell login --as)" --assisted
same "$(completed firstbell ca)" ""
same "$(completed firstbell secrets se)" set
zsh --no-rcs -c 'autoload -U compinit && compinit -D && source "$1" && whence -w _firstbell' - "$target/completions/_firstbell" |
    grep -q function || die "zsh does not load its completions"
zsh --no-rcs -n "$target/completions/_firstbell" || die "zsh cannot read its completions"
HOME=$work fish --no-config -c 'source $argv[1]; complete --do-complete "firstbell lo"' "$target/completions/firstbell.fish" 2>/dev/null |
    grep -q ^login || die "fish does not complete"
echo "completions: bash, zsh, fish"

for program in firstbell kitesim; do
    packaging/sbom.py "$program" "$work/$program.cdx.json"
    cmp "$work/$program.cdx.json" "$target/packaging/$program.cdx.json" || die "two bills differ"
done
packaging/tests/sbom.py "$work/firstbell.cdx.json" "$work/kitesim.cdx.json"

# Something like a program, with and without what must not be in one.
crate=$(sed -n 's|.*"bom-ref": "pkg:cargo/toml@\(.*\)".*|toml-\1|p' "$work/firstbell.cdx.json" | sed 's/%2B/+/;q')
looked() {
    { seq -f 'word-%06g' 1100; echo "/crates/$crate/src/lib.rs https://kite.zerodha.com/connect https://ntfy.shand"; echo "$1"; } >"$work/program"
    packaging/look.sh "$work/program" "$work/firstbell.cdx.json" >"$work/said" 2>&1
}
looked "" || die "look.sh refuses a good program: $(cat "$work/said")"
for planted in "$HOME/thing" "$PWD/src" /home/somebody/x https://evil.example.com/ wss://kite.zerodha.com.evil.net \
    https://kite.zerodha.com-evil.net /crates/strange-1.0.0/src/lib.rs; do
    if looked "$planted"; then die "look.sh takes a program that names $planted"; fi
done
echo "programs: looked into"

# A release of nothing much, signed by a key of the moment.
key() { minisign -G -W -p "$work/$1.pub" -s "$work/$1.key" >/dev/null; }
key ours
key theirs
public=$(sed -n '/^RW/p' "$work/ours.pub")
mkdir "$work/draft" "$work/own"
echo "a package" >"$work/draft/firstbell.deb"
printf 'release: firstbell 0.0.1, commit abc\n' >"$work/draft/built-with"
(cd "$work/draft" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
cp "$work/draft/"* "$work/own/"
packaging/sign.sh "$work/draft" "$work/own" "$work/ours.key" >/dev/null
verify() { packaging/verify.sh "$@" >"$work/said" 2>&1; }
refused() { local why=$1; shift; if verify "$@"; then die "taken although $why"; fi; grep -q "$expected" "$work/said" || die "$why: $(cat "$work/said")"; }
verify "$public" "$work/draft/firstbell.deb" || die "a good file is refused: $(cat "$work/said")"
grep -q 'good, of firstbell 0.0.1, commit abc' "$work/said" || die "it does not say of which release: $(cat "$work/said")"
verify "$work/ours.pub" "$work/draft/firstbell.deb" "$work/draft/built-with" || die "a key in a file is refused"

# spoilt: a copy of the release to spoil.
spoilt() { rm -rf "$work/bad"; cp -r "$work/draft" "$work/bad"; }
expected="not the file that was signed"
spoilt; echo x >>"$work/bad/firstbell.deb";       refused "a file was changed" "$public" "$work/bad/firstbell.deb"
spoilt; mv "$work/bad/firstbell.deb" "$work/bad/other.deb"; refused "it has another name" "$public" "$work/bad/other.deb"
refused "one of two is not listed" "$public" "$work/bad/built-with" "$work/bad/other.deb"
expected="not signed by this key"
spoilt; echo x >"$work/bad/firstbell.deb"; (cd "$work/bad" && sha256sum built-with firstbell.deb >SHA256SUMS)
refused "file and list were changed" "$public" "$work/bad/firstbell.deb"
minisign -S -s "$work/theirs.key" -m "$work/bad/SHA256SUMS" -t "firstbell 0.0.1" >/dev/null
refused "somebody else signed it" "$public" "$work/bad/firstbell.deb"
spoilt; sed -i 's/^trusted comment: firstbell 0.0.1/trusted comment: firstbell 9.9.9/' "$work/bad/SHA256SUMS.minisig"
refused "the release's name was changed" "$public" "$work/bad/firstbell.deb"
expected="is missing"
spoilt; rm "$work/bad/SHA256SUMS.minisig"; refused "there is no signature" "$public" "$work/bad/firstbell.deb"

# What somebody else built differently, or slipped into the draft, is not signed.
unsigned() {
    if packaging/sign.sh "$work/bad" "$work/own" "$work/ours.key" >"$work/said" 2>&1; then die "signed although $1"; fi
    [ ! -e "$work/bad/SHA256SUMS.minisig" ] || die "$1: a signature is there"
}
spoil_draft() { spoilt; rm "$work/bad/SHA256SUMS.minisig"; }
spoil_draft; echo x >>"$work/bad/firstbell.deb"; unsigned "a file was changed"
(cd "$work/bad" && sha256sum built-with firstbell.deb >SHA256SUMS); unsigned "the builders made something else"
spoil_draft; echo x >"$work/bad/more.deb"; unsigned "a file is not in the list"
echo "signatures: good ones taken, changed ones refused"
