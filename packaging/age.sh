#!/bin/sh
# Installs the age program, which must open what we write, and a keyring with a session bus, where apt-get can.
set -eu

ready() {
    for program in age age-keygen secret-tool gnome-keyring-daemon dbus-run-session; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

if ! ready && command -v apt-get >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    echo "Installing age, libsecret-tools, gnome-keyring and dbus with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends age libsecret-tools gnome-keyring dbus >&2
fi

ready || {
    echo "The tests need age, secret-tool, gnome-keyring-daemon and dbus-run-session (Debian, Ubuntu: age, libsecret-tools, gnome-keyring, dbus)." >&2
    exit 1
}
