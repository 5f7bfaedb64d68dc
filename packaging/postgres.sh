#!/bin/sh
# Installs the database server of which the tests start one of their own each, where apt-get can.
set -eu

ready() { command -v setpriv >/dev/null 2>&1 && { ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; } >/dev/null 2>&1; }

ready || "$(dirname "$0")/install.sh" postgresql
ready || {
    echo "The tests need initdb and postgres (Debian, Ubuntu: postgresql; Fedora: postgresql-server), and setpriv (util-linux)." >&2
    exit 1
}
