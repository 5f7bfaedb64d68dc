#!/bin/sh
# Installs packages of Debian's or Ubuntu's by these names, where apt-get can: install.sh NAME... Who calls it looks before and after.
set -eu
command -v apt-get >/dev/null 2>&1 || exit 0
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
echo "Installing $* with apt-get." >&2
$as_root apt-get update -qq >&2 || true
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >&2
