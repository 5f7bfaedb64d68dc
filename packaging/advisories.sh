#!/bin/sh
# Holds lock files against the copy of the list of known holes: advisories.sh MANIFEST.... For where the list itself cannot be fetched.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
copy=${FIRSTBELL_ADVISORIES:-$here/packaging/advisories}
date=$(cat "$copy/date")
age=$((($(date +%s) - $(date -d "$date" +%s)) / 86400))

echo "warning: THE LIST OF KNOWN HOLES IS A COPY OF $date, $age DAYS OLD: what was found since is not in it, and of versions that" >&2
echo "warning: were yanked only what Cargo's index on this machine tells. Where there is a network, run: packaging/advisories/renew.sh" >&2
# The calendar has to be renewed each December, so a project that is kept comes by here once a year. An older copy was forgotten, and to
# pass on its word would be worse than to fail. Younger ones only warn: who has no network cannot mend them.
if [ "$age" -gt 400 ]; then
    echo "error: more than 400 days: this is no check any more. packaging/advisories/renew.sh makes a new copy." >&2
    exit 1
fi

# cargo-deny takes a repository at an address with a host. This one is nobody's, and git is told that it is the copy. Both are made anew:
# what a run before left would be asked instead.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/list"
cp -R "$copy/crates" "$work/list"
git -C "$work/list" init --quiet --initial-branch=main
git -C "$work/list" add --force crates
git -C "$work/list" -c user.name=firstbell -c user.email=firstbell@localhost -c commit.gpgsign=false -c core.hooksPath=/dev/null commit --quiet --message="$date"
address=https://firstbell.invalid/advisories
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/list.insteadOf" GIT_CONFIG_VALUE_0="$address"
sed "s|^\[advisories\]\$|&\ndb-path = \"$work/fetched\"\ndb-urls = [\"$address\"]|" "$here/deny.toml" >"$work/deny.toml"
grep -q "^db-urls" "$work/deny.toml" || { echo "error: deny.toml has no [advisories]" >&2; exit 1; }

for manifest in "$@"; do
    unknown=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$(dirname "$manifest")/Cargo.lock" | sort -u |
        grep -vxF -f "$copy/names" | tr '\n' ' ')
    [ -z "$unknown" ] || echo "warning: NOT LOOKED AT, because they came after the copy: $unknown" >&2
    cargo deny --locked --config "$work/deny.toml" --manifest-path "$manifest" check advisories
done
