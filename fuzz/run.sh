#!/usr/bin/env bash
# Fuzzes: run.sh [SECONDS [TARGET...]] builds once and gives each target so long, two at a time. 60 s and all where nothing is said.
# Ends badly, with the input's path, where one fails. FUZZ_MERGE=1 leaves what was learnt in the corpus, minimised.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}; shift || true
all=$(sed -n 's/^path = "targets\/\(.*\)\.rs"$/\1/p' Cargo.toml)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $all
root=$(cd .. && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')

# Stable flags only; no sanitizer of addresses, as there is no unsafe code of ours for it to watch. Given with a target, flags
# are not for build scripts.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module"
for flag in sanitizer-coverage-{level=4,inline-8bit-counters,pc-table,trace-compares} simplifycfg-branch-fold-threshold=0; do
    RUSTFLAGS+=" -Cllvm-args=-$flag"
done
export RUSTFLAGS CARGO_TARGET_DIR="$root/target/fuzz" CARGO_INCREMENTAL=0
began=$SECONDS
cargo build --quiet --release --locked --target "$host" --bins
echo "built in $((SECONDS - began)) s"

# Stores and what is found lie in memory where the machine has such a place.
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" firstbell-fuzz-XXXXXX)
trap 'rm -rf "$work"' EXIT
fuzz() {
    local target=$1 log="$work/$1.log" options
    mkdir -p "$work/$target.new" "$work/$target.tmp" "$CARGO_TARGET_DIR/found"
    options=(-max_len=10240 -rss_limit_mb=1024 -timeout=5 -artifact_prefix="$CARGO_TARGET_DIR/found/$target-")
    local program="$CARGO_TARGET_DIR/$host/release/$target"
    export TMPDIR="$work/$target.tmp"
    if ! "$program" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 -reload=0 \
        "$work/$target.new" "corpus/$target" >"$log" 2>&1; then
        { echo "$target FAILED"; tail -40 "$log"; grep -h "Test unit written to" "$log" || true; } >&2
        return 1
    fi
    awk -v target="$target" '
        /^#[0-9]+.*cov:/ { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "ft:") ft = $(i + 1) } }
        /^stat::number_of_executed_units/ { runs = $2 }
        /^stat::average_exec_per_sec/ { rate = $2 }
        END { printf "%-10s %10d executions, %7d/s, cov %d, ft %d\n", target, runs, rate, cov, ft }' "$log"
    if [ "${FUZZ_MERGE:-}" = 1 ]; then
        "$program" "${options[@]}" -set_cover_merge=1 "corpus/$target" "$work/$target.new" >"$log" 2>&1
        # Seeds have names of their own; of what was learnt, which is named by its hash, tens are enough.
        find "corpus/$target" -type f -regex '.*/[0-9a-f]+' | sort | tail -n +61 | xargs -r rm
    fi
}

failed=0
lane() {
    local ended=0
    for target in "$@"; do fuzz "$target" || ended=1; done
    return $ended
}
one=(); two=()
for target in "$@"; do if [ ${#one[@]} -le ${#two[@]} ]; then one+=("$target"); else two+=("$target"); fi; done
lane "${one[@]}" & first=$!
lane "${two[@]}" & second=$!
wait $first || failed=1
wait $second || failed=1
exit $failed
