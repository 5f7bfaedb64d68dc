#!/bin/sh
# Builds what is given away: build.sh TARGET leaves firstbell and kitesim in TARGET/release, and the manual's pages and the
# completions in target/man and target/completions. The same commit and the same compiler give the same bytes, wherever the
# checkout and the builder's home are: no path of either is left in them.
set -eu
umask 022
cd "$(dirname "$0")/.."
mkdir -p "$1"
target=$(cd "$1" && pwd) source=$(pwd -P)
crates=${CARGO_HOME:-$HOME/.cargo}
compiler=$(rustc --print sysroot)

cargo=${CARGO:-cargo}
$cargo fetch --locked --quiet

# The more exact one last: the last that fits is taken. A registry's folder is named after where it was reached, so that goes too.
unset RUSTFLAGS CARGO_BUILD_RUSTFLAGS
maps="$crates=/crates
$compiler=/compiler
$source=/firstbell
$target=/target"
for registry in "$crates"/registry/src/*/; do
    maps="$maps
${registry%/}=/crates"
done
CARGO_ENCODED_RUSTFLAGS=$(printf '%s\n' "$maps" | sed 's/^/--remap-path-prefix=/' | tr '\n' '\037' | sed 's/\o037$//')
# The C of SQLite and ring.
CFLAGS=$(printf '%s\n' "$maps" | sed 's/^/-ffile-prefix-map=/' | tr '\n' ' ')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || echo 0)}
export CARGO_ENCODED_RUSTFLAGS CFLAGS SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC CARGO_INCREMENTAL=0
$cargo build --release --locked --quiet --target-dir "$target" --package firstbell --package kitesim --bins
# By itself, so that nothing that only this needs changes how the programs are made.
$cargo run --release --locked --quiet --target-dir "$target" --example pages -- target
