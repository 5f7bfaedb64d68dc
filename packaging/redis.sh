#!/bin/sh
# Installs the Redis server of which the tests start one of their own each, where apt-get can.
set -eu

ready() { command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1 && command -v setpriv >/dev/null 2>&1; }

if ! ready && command -v apt-get >/dev/null 2>&1; then
    "$(dirname "$0")/install.sh" redis-server
    # The package starts a server for the whole machine; nobody asked for that one.
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    if [ -d /run/systemd/system ]; then $as_root systemctl disable --now redis-server >&2 || true; fi
fi
ready || {
    echo "The tests need redis-server and redis-cli (Debian, Ubuntu: redis-server; Fedora: redis), and setpriv (util-linux)." >&2
    exit 1
}
