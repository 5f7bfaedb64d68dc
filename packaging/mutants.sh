#!/bin/sh
# Changes what decides, one small piece at a time, and wants a test to notice each: mutants.sh [FILE...] for these files of core alone.
# Half an hour on two cores.
set -eu
cd "$(dirname "$0")/.."
core=crates/firstbell-core/src
[ $# -gt 0 ] || set -- budget.rs origin.rs invitation.rs 'brokers/kite/redirect.rs' 'decide/*.rs' 'walk/*.rs'
PATH="$PWD/target/tools/bin:$PATH"
command -v cargo-mutants >/dev/null 2>&1 ||
    cargo install --locked --quiet --root target/tools cargo-mutants

# Built often and run for milliseconds: quick to build is what counts.
export CARGO_PROFILE_DEV_DEBUG=0
for file in "$@"; do files="${files:-} -f $core/$file"; done
set -f
# shellcheck disable=SC2086
exec cargo mutants --package firstbell-core $files --output target --timeout 60 --no-shuffle --colors never \
    --cargo-arg=--config --cargo-arg=profile.dev.package.firstbell-core.opt-level=0 -- \
    --lib --test brokers --test decide --test invitation --test walk
