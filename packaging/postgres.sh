#!/bin/sh
# Installs the database server of which the tests start one of their own each, where apt-get can.
set -eu

ready() { command -v setpriv >/dev/null 2>&1 && { ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; } >/dev/null 2>&1; }

if ! ready && command -v apt-get >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    echo "Installing postgresql with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends postgresql >&2
fi

ready || {
    echo "The tests need initdb and postgres (Debian, Ubuntu: postgresql; Fedora: postgresql-server), and setpriv (util-linux)." >&2
    exit 1
}
