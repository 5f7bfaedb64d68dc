#!/bin/sh
# Installs the age program, which must open what we write, and a keyring with a session bus, where apt-get can.
set -eu

ready() {
    for program in age age-keygen secret-tool gnome-keyring-daemon dbus-run-session; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

ready || "$(dirname "$0")/install.sh" age libsecret-tools gnome-keyring dbus
ready || {
    echo "The tests need age, secret-tool, gnome-keyring-daemon and dbus-run-session (Debian, Ubuntu: age, libsecret-tools, gnome-keyring, dbus)." >&2
    exit 1
}
