#!/bin/sh
# Installs the mail server that the tests hand letters to, and what makes its certificate, where apt-get can.
set -eu

ready() { /usr/bin/python3 -c 'import aiosmtpd' >/dev/null 2>&1 && command -v openssl >/dev/null 2>&1; }

if ! ready && command -v apt-get >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    echo "Installing python3-aiosmtpd and openssl with apt-get." >&2
    $as_root apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends python3-aiosmtpd openssl >&2
fi

ready || {
    echo "The tests need openssl, and aiosmtpd for /usr/bin/python3 (Debian, Ubuntu: python3-aiosmtpd; Fedora: python3-aiosmtpd)." >&2
    exit 1
}
