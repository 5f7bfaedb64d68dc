#!/bin/sh
# Installs the mail server that the tests hand letters to, and what makes its certificate, where apt-get can.
set -eu

ready() { /usr/bin/python3 -c 'import aiosmtpd' >/dev/null 2>&1 && command -v openssl >/dev/null 2>&1; }

ready || "$(dirname "$0")/install.sh" python3-aiosmtpd openssl
ready || {
    echo "The tests need openssl, and aiosmtpd for /usr/bin/python3 (Debian, Ubuntu: python3-aiosmtpd; Fedora: python3-aiosmtpd)." >&2
    exit 1
}
