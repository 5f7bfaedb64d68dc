#!/bin/sh
# Installs the browsers that the demo and the tests drive, where apt-get can; else says what to install.
set -eu

missing=""
[ -x /usr/lib/chromium/chromium-headless-shell ] || missing="$missing chromium-headless-shell"
[ -x /usr/lib/chromium/chromium ] || missing="$missing chromium"
command -v chromedriver >/dev/null 2>&1 || missing="$missing chromium-driver"
[ -n "$missing" ] || exit 0

found() { ls /opt/google/chrome/chrome /usr/lib64/chromium-browser/chromium-browser 2>/dev/null | head -n 1; }
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"

if command -v apt-get >/dev/null 2>&1 && { [ -z "$as_root" ] || command -v sudo >/dev/null 2>&1; }; then
    echo "Installing$missing with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    # One by one: Ubuntu has no headless shell, and the others are of use without it.
    for package in $missing; do
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package" >&2 ||
            echo "$package could not be installed." >&2
    done
fi

if [ -x /usr/lib/chromium/chromium-headless-shell ] || [ -x /usr/lib/chromium/chromium ] || [ -n "$(found)" ]; then
    exit 0
fi
cat >&2 <<'TEXT'
No Chromium or Chrome was found, and none could be installed.
  Debian:  sudo apt-get install chromium-headless-shell chromium chromium-driver
  Ubuntu:  install Google Chrome's .deb package (the chromium snap cannot be driven from outside)
  Fedora:  sudo dnf install chromium chromium-headless chromedriver
Or rehearse without a browser: cargo run --release --bin firstbell -- demo --driver http
TEXT
exit 1
