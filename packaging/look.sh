#!/bin/bash
# Looks into a program that is to be given away: look.sh PROGRAM BILL. No path of whoever built it is in it, no host but those
# that it names on purpose (packaging/hosts), and no crate but those in its bill of materials. Without a bill the hosts only, for
# a program that stays where it was built.
set -euo pipefail
program=$1 bill=${2:-}
cd "$(dirname "$0")/.."
die() { echo "look: $(basename "$program"): $1" >&2; exit 1; }
words=$(mktemp)
trap 'rm -f "$words"' EXIT
strings -n 6 "$program" >"$words"
[ "$(wc -l <"$words")" -gt 1000 ] || die "strings finds next to nothing in it"

# Every address with a scheme, as far as its host. What follows in the program may stand close behind it, so a letter is an end.
hosts=$(grep -oE '(https?|wss?|postgres(ql)?|smtps?)://[A-Za-z0-9-]+\.[A-Za-z0-9.-]+' "$words" | sed 's|.*://||' | sort -u) || true
allowed=$(sed -e 's/ *#.*//' -e '/^$/d' -e 's/\./\\./g' packaging/hosts | paste -s -d '|')
strange=$(grep -vE "^($allowed)([A-Za-z].*)?\$" <<<"$hosts") || true
[ -z "$strange" ] || die "it names hosts that are not in packaging/hosts: $strange"

[ -n "$bill" ] || { echo "$(basename "$program"): $(wc -w <<<"$hosts") hosts, all meant"; exit; }

for place in "$HOME/" "$PWD" "${CARGO_HOME:-$HOME/.cargo}" /home/ /root/ /tmp/tmp /.rustup/ /.cargo/ /registry/src/; do
    [ "$place" != / ] || continue
    found=$(grep -F -m 3 -- "$place" "$words") || true
    [ -z "$found" ] || die "it names $place: $found"
done

# A panic's place tells the crate that it is in.
crates=$(grep -oE '/crates/[A-Za-z0-9_-]+-[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*/' "$words" |
    sed 's|/$||; s|.*/||' | sort -u)
[ -n "$crates" ] || die "no crate can be told in it: this looks at nothing"
for crate in $crates; do
    named=$(sed -E 's/^([A-Za-z0-9_-]+)-([0-9]+\.[0-9]+\.[0-9]+.*)$/\1@\2/; s/\+/%2B/' <<<"$crate")
    grep -qF "\"pkg:cargo/$named\"" "$bill" || die "$crate is in it and not in its bill of materials"
done
echo "$(basename "$program"): $(wc -w <<<"$hosts") hosts, $(wc -w <<<"$crates") crates, nothing else"
