#!/bin/sh
# Installs what the demo drives (browser.sh), or all engines that the tests drive (browser.sh all), where apt-get can.
set -eu
which=${1:-one}

has_shell() { [ -x /usr/lib/chromium/chromium-headless-shell ]; }
has_chrome() { [ -x /usr/lib/chromium/chromium ] || [ -x /opt/google/chrome/chrome ] || [ -x /usr/lib64/chromium-browser/chromium-browser ]; }
has() { command -v "$1" >/dev/null 2>&1; }

missing=""
has_shell || missing="$missing chromium-headless-shell"
if [ "$which" = all ]; then
    has_chrome || missing="$missing chromium"
    has chromedriver || missing="$missing chromium-driver"
    has firefox-esr || has firefox || missing="$missing firefox-esr"
    # What a test plants a rogue authority with, on a network of its own.
    has certutil || missing="$missing libnss3-tools"
    has ip || missing="$missing iproute2"
elif has_chrome; then
    missing=""
fi

as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
if [ -n "$missing" ] && has apt-get && { [ -z "$as_root" ] || has sudo; }; then
    echo "Installing$missing with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    # One by one: Ubuntu has no headless shell, and the others are of use without it.
    for package in $missing; do
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package" >&2 ||
            echo "$package could not be installed." >&2
    done
fi

# geckodriver is no Debian package; its source is one of Rust's.
if [ "$which" = all ] && ! has geckodriver && [ ! -x target/tools/bin/geckodriver ]; then
    echo "Building geckodriver." >&2
    # For tests: a third less of waiting than for one that is built to be quick.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root target/tools geckodriver --version 0.37.1
fi

if has_shell || has_chrome; then
    exit 0
fi
cat >&2 <<'TEXT'
No Chromium or Chrome was found, and none could be installed.
  Debian:  sudo apt-get install chromium-headless-shell chromium chromium-driver firefox-esr
  Ubuntu:  install Google Chrome's .deb package (the chromium snap cannot be driven from outside)
  Fedora:  sudo dnf install chromium chromium-headless chromedriver firefox
Or rehearse without a browser: cargo run --release --bin firstbell -- demo --driver http
TEXT
exit 1
