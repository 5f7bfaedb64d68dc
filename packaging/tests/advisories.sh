#!/bin/sh
# The copy of the list of known holes refuses what has one, lets pass what has none, and is not believed when it is old. Needs no network:
# the crate is an empty one, vendored under the name and version of one with a hole.
set -eu
cd "$(dirname "$0")/../.."
check=$PWD/packaging/advisories.sh
copy=$PWD/packaging/advisories
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "advisories: $1" >&2; cat "$work/said" >&2; exit 1; }

# locked CRATE VERSION: a project in $work/project whose lock file names it, from Rust's own registry.
locked() {
    rm -rf "$work/project"
    mkdir -p "$work/project/.cargo" "$work/project/src" "$work/project/vendor/$1/src"
    sum=$(printf '%064d' 0)
    touch "$work/project/src/lib.rs" "$work/project/vendor/$1/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "%s"\n' "$1" "$2" >"$work/project/vendor/$1/Cargo.toml"
    printf '{"files":{},"package":"%s"}' "$sum" >"$work/project/vendor/$1/.cargo-checksum.json"
    cat >"$work/project/.cargo/config.toml" <<TOML
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "vendor"
TOML
    printf '[package]\nname = "holed"\nversion = "0.0.0"\n[dependencies]\n%s = "=%s"\n' "$1" "$2" >"$work/project/Cargo.toml"
    cat >"$work/project/Cargo.lock" <<TOML
version = 4

[[package]]
name = "holed"
version = "0.0.0"
dependencies = ["$1"]

[[package]]
name = "$1"
version = "$2"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "$sum"
TOML
}
# refused ID: the check fails, and because of that one.
refused() {
    if (cd "$work/project" && "$check" Cargo.toml) >"$work/said" 2>&1; then die "what has $1 was let pass"; fi
    grep -q "ID: $1" "$work/said" || die "refused, but not because of $1"
}

# What is looked at here is whether it refuses: how old it is, deny.sh tells where it has nothing else.
cp -R "$copy" "$work/copy"
date +%F >"$work/copy/date"
export FIRSTBELL_ADVISORIES=$work/copy
locked smallvec 1.6.0 && refused RUSTSEC-2021-0003
locked rustls 0.23.44 && refused RUSTSEC-2026-0285
locked smallvec 1.6.1
(cd "$work/project" && "$check" Cargo.toml) >"$work/said" 2>&1 || die "what has no known hole was refused"

date -d "401 days ago" +%F >"$work/copy/date"
if (cd "$work/project" && "$check" Cargo.toml) >"$work/said" 2>&1; then die "an old copy was believed"; fi
grep -q 'more than 400 days' "$work/said" || die "refused, but not because the copy is old"
date -d "399 days ago" +%F >"$work/copy/date"
sed -i '/^smallvec$/d' "$work/copy/names"
(cd "$work/project" && "$check" Cargo.toml) >"$work/said" 2>&1 || die "a copy of last year was not believed"
grep -q 'NOT LOOKED AT.* smallvec ' "$work/said" || die "a crate that nobody looked up was not told"

# Each file is one entry, and at its place: one at another place would be counted for nobody.
find "$copy/crates" -type f | while read -r file; do
    id=$(basename "$file" .md) crate=$(basename "$(dirname "$file")")
    : >"$work/said"
    grep -qx "id = \"$id\"" "$file" || die "$file is another one's"
    grep -qx "package = \"$crate\"" "$file" || die "$file is another crate's"
    grep -qx "$crate" "$copy/names" || die "$crate is not among the names"
done
echo "the copy of the list of known holes refuses what has one"
