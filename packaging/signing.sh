#!/bin/sh
# Installs what signs and verifies releases, and the shells and pagers in which pages and completions are tried; where apt-get can.
set -eu

wanted="minisign man-db groff zsh fish python3"
has() { command -v "$1" >/dev/null 2>&1; }
ready() {
    for program in minisign man groff zsh fish python3; do
        has "$program" || return 1
    done
}

if ! ready && has apt-get; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    echo "Installing $wanted with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $wanted >&2
fi

ready || {
    echo "A release is tried with: $wanted (names of Debian's packages)." >&2
    exit 1
}
