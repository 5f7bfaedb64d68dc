#!/bin/sh
# Installs the official JavaScript client: node.sh FOLDER SOURCE, where SOURCE has package.json and its lock.
set -eu
folder=$1 source=$2

if ! command -v npm >/dev/null 2>&1; then
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root="sudo"
    command -v apt-get >/dev/null 2>&1 || { echo "Install Node.js with npm, then try again." >&2; exit 1; }
    $as_root apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq nodejs npm >&2
fi
mkdir -p "$folder"
cp "$source/package.json" "$source/package-lock.json" "$folder/"
# Scripts of packages stay off: the client has none that it needs.
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --silent)
touch "$folder/ready"
