#!/bin/bash
# Builds the last commit twice, in two folders with other homes, masks, hours and languages, and wants the same bytes of all that a
# release gives away: reproduce.sh [OUT] keeps the first in OUT. Two whole builds, so many minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-}
FIRSTBELL_COMMIT=$(git rev-parse --verify HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
# Where the compiler is, whoever asks.
RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export FIRSTBELL_COMMIT SOURCE_DATE_EPOCH RUSTUP_HOME
crates=${CARGO_HOME:-$HOME/.cargo}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# built FOLDER MASK NAME=VALUE ...: the commit, unpacked and built there as somebody else would.
built() {
    local folder=$1 mask=$2 began=$SECONDS
    shift 2
    # Another home for crates, with the same crates in it: nothing is fetched twice.
    mkdir -p "$folder/home/cargo" "$folder/source"
    for part in registry git config.toml; do
        [ ! -e "$crates/$part" ] || ln -s "$(realpath "$crates/$part")" "$folder/home/cargo/$part"
    done
    (
        umask "$mask"
        git archive --format=tar "$FIRSTBELL_COMMIT" | tar -x -C "$folder/source" --no-same-permissions
        env HOME="$folder/home" CARGO_HOME="$folder/home/cargo" "$@" \
            "$folder/source/packaging/release.sh" "$folder/shipped" "$folder/out"
    )
    echo "built in $folder, $((SECONDS - began)) s"
}

one=$work/one another=$work/another/at-the-end/of-a/longer.path
built "$one" 022 TZ=Asia/Kolkata LANG=C
if [ -n "$out" ]; then mkdir -p "$out" && cp "$one/out/"* "$out/"; fi
built "$another" 077 TZ=America/St_Johns LANG=de_DE.UTF-8 CARGO_BUILD_JOBS=1
diff "$one/out/SHA256SUMS" "$another/out/SHA256SUMS" >&2 || {
    [ -z "$out" ] || { mkdir -p "$out/another" && cp "$another/out/"* "$out/another/"; }
    echo "reproduce: the two builds differ" >&2
    exit 1
}
cat "$one/out/SHA256SUMS"
echo "twice the same"
