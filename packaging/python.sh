#!/bin/sh
# Makes a Python environment with the official client in it: python.sh FOLDER REQUIREMENTS.
set -eu
venv=$1 requirements=$2

if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    command -v apt-get >/dev/null 2>&1 || { echo "Install Python 3 with its venv module, then try again." >&2; exit 1; }
    $as_root apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq python3 python3-venv >&2
fi
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
touch "$venv/ready"
