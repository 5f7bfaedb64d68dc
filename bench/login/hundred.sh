#!/bin/sh
# A hundred logins by every engine in turn, each a new firstbell against a new kitesim; then counts what is left of them.
set -eu
cd "$(dirname "$0")/../.."
program=target/release/firstbell
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

folders() { ls -d /dev/shm/firstbell-* "${XDG_RUNTIME_DIR:-/nonexistent}"/firstbell-* 2>/dev/null | wc -l; }
processes() { ps -eo args | grep -E 'firstbell-browser-|firstbell cage|kitesim serve' | grep -vc grep || true; }

[ "$(folders)" -eq 0 ] && [ "$(processes)" -eq 0 ] || { echo "end the other logins on this machine first" >&2; exit 2; }
done=0
for _ in $(seq 25); do
    for driver in chrome firefox webdriver http; do
        env -i PATH="$PATH" HOME="$home" TMPDIR="$home" "$program" demo --driver "$driver" >/dev/null 2>"$home/said" ||
            { cat "$home/said" >&2; exit 1; }
        rm -f "$home/said"
        done=$((done + 1))
    done
done
bytes=$(du -sb "$home" | cut -f1)
empty=$(mktemp -d); nothing=$(du -sb "$empty" | cut -f1); rmdir "$empty"
echo "$done logins: $(processes) processes left, $(folders) folders left, $((bytes - nothing)) bytes left in HOME and TMPDIR"
[ "$(processes)" -eq 0 ] && [ "$(folders)" -eq 0 ] && [ "$bytes" -eq "$nothing" ]
