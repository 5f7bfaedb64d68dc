#!/bin/sh
# Licences, sources, duplicates and known holes of everything in the tree. Says so loudly where the list of known holes
# cannot be had: a list that was not fetched looks like one without entries.
set -eu

command -v cargo-deny >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
cargo deny --locked check bans licenses sources
# The fuzz targets are a workspace of their own, with a lock file of their own.
cargo deny --locked --manifest-path fuzz/Cargo.toml check bans licenses sources

if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --locked check advisories
    cargo deny --locked --manifest-path fuzz/Cargo.toml check advisories
else
    echo "warning: ADVISORIES WERE NOT CHECKED: the advisory database cannot be reached from here." >&2
fi
