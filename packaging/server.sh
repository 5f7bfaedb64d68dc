#!/bin/sh
# Installs what the packaging is tried with: a systemd to boot in a container, a clean Debian, an OCI runtime; where apt-get can.
set -eu

wanted="systemd systemd-container mmdebstrap lintian apparmor podman crun"
has() { command -v "$1" >/dev/null 2>&1; }
ready() {
    for program in systemd-analyze systemd-nspawn mmdebstrap lintian apparmor_parser podman crun; do
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
    echo "The packaging is tried with: $wanted (names of Debian's packages)." >&2
    exit 1
}
