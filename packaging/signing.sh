#!/bin/sh
# Installs what signs and verifies releases, and the shells and pagers in which pages and completions are tried; where apt-get can.
set -eu

wanted="minisign man-db groff zsh fish python3"
ready() {
    for program in minisign man groff zsh fish python3; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

# shellcheck disable=SC2086
ready || "$(dirname "$0")/install.sh" $wanted
ready || {
    echo "A release is tried with: $wanted (names of Debian's packages)." >&2
    exit 1
}
