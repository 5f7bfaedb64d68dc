#!/bin/sh
# Licences, sources, duplicates, build scripts and known holes of everything in the tree. Says so loudly where the list of known holes
# cannot be fetched and a copy of it is asked in its place: a list that was not fetched looks like one without entries.
set -eu
cd "$(dirname "$0")/.."

command -v cargo-deny >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
cargo deny --locked check bans licenses sources
# The fuzz targets are a workspace of their own, with a lock file of their own.
cargo deny --locked --manifest-path fuzz/Cargo.toml check bans licenses sources

if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --locked check advisories
    cargo deny --locked --manifest-path fuzz/Cargo.toml check advisories
else
    packaging/advisories.sh Cargo.toml fuzz/Cargo.toml
fi
# With the network too: a copy that nobody reads is found broken on the day that it is needed.
packaging/tests/advisories.sh
