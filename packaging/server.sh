#!/bin/sh
# Installs what the packaging is tried with: a systemd to boot in a container, a clean Debian, an OCI runtime; where apt-get can.
set -eu

wanted="systemd systemd-container mmdebstrap lintian apparmor podman crun"
ready() {
    for program in systemd-analyze systemd-nspawn mmdebstrap lintian apparmor_parser podman crun; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

# shellcheck disable=SC2086
ready || "$(dirname "$0")/install.sh" $wanted
ready || {
    echo "The packaging is tried with: $wanted (names of Debian's packages)." >&2
    exit 1
}
