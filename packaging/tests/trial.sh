#!/bin/bash
# In a freshly booted Debian: installs the package, has the units log in to a simulated Kite, looks at their walls, takes it all away.
set -uo pipefail
say() { echo "  $1"; }
die() { echo "FAILED: $1"; journalctl --no-pager --output=cat --lines=60; exit 1; }
is() { "${@:2}" >/trial/last 2>&1 || { cat /trial/last; die "$1"; }; say "$1"; }
isnt() { ! "${@:2}" >/trial/last 2>&1 || { cat /trial/last; die "$1"; }; say "$1"; }
log() { journalctl --no-pager --output=cat --unit="$1"; }
# heard UNIT WORDS TIMES: waits until the unit's log has such a line so often; the log wakes us.
heard() {
    local times=${3:-1}
    [ "$(timeout 60 grep -c -m "$times" "$2" < <(timeout 60 journalctl --output=cat --unit="$1" --follow --lines=all))" = "$times" ]
}
now=$(date +%s)
drop_in() { mkdir -p "/etc/systemd/system/$1.d"; printf '[Service]\n%b\n' "$2" >"/etc/systemd/system/$1.d/zz-trial.conf"; systemctl daemon-reload; }
# As one unit of the browser's, without anybody at the other end.
browser=firstbell-browser@trial.service
alone='StandardInput=null\nStandardOutput=journal\nStandardError=journal\nType=oneshot\nRuntimeMaxSec=infinity\n[Unit]\nCollectMode=inactive\n[Service]\nExecStart=\n'

echo "installing"
is "it installs" dpkg --install /trial/firstbell.deb
is "the users are there" id firstbell firstbell-browser
is "the folders are private" test "$(stat -c '%a %U' /etc/firstbell /var/lib/firstbell | xargs)" = "750 root 700 firstbell"
systemctl start firstbell.service
isnt "nothing runs that is not configured" systemctl --quiet is-active firstbell.service
is "the program runs" firstbell --version
is "a rehearsal as its user" firstbellctl demo --driver http
is "and in Chromium" firstbellctl demo

echo "a newcomer sets up, with a terminal and nothing but the package"
for mode in automatic assisted; do
    useradd --create-home "$mode" || die "no user"
    isnt "nobody special ($mode)" grep -qE 'root|firstbell' <(id -nG "$mode")
    is "meets every question, and ends with a proven token" \
        setpriv --reuid="$mode" --regid="$mode" --init-groups --reset-env perl /trial/newcomer.pl "$mode"
done

echo "a morning, kept by the daemon"
useradd --no-create-home --groups firstbell trader && useradd --no-create-home --groups firstbell stranger || die "no users"
# asks USER: for the token, at the socket of other users' programs.
asks() {
    setpriv --reuid="$1" --regid="$1" --init-groups perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Peer => "/run/firstbell/api") or die "no door: $!";
        print $s "GET /v1/accounts/main/token HTTP/1.1\r\nHost: firstbell\r\nConnection: close\r\n\r\n";
        my $reply = join "", <$s>; print $reply; exit !($reply =~ m{^HTTP/1.1 200})'
}
cat >/trial/account.json <<'JSON'
{"user_id":"AB1234","password":"pW-canary-7f3a","totp_seed":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP","api_key":"abcdefghijklmnop","api_secret":"canarycanarycanarycanarycanary12"}
JSON
systemd-run --quiet --unit=kitesim kitesim serve --account /trial/account.json --listen 127.0.0.1:8080 \
    --inspect 127.0.0.1:8081 --landing 127.0.0.1:8082
heard kitesim '"site"' || die "kitesim does not start"
# A login is due at any hour, and on any day: today and, where midnight comes between, tomorrow trade.
lists=""
for at in "$now" $((now + 86400)); do
    day=$(TZ=Asia/Kolkata date -d "@$at" +%F)
    kind=$(TZ=Asia/Kolkata date -d "@$at" +%u | sed -e 's/[1-5]/trades/' -e 's/[67]/session/')
    printf 'form = 1\nexchange = "nse"\nyear = %s\nsources = ["a trial"]\n[[day]]\ndate = "%s"\nname = "Open"\nkind = "%s"\n' \
        "${day%%-*}" "$day" "$kind" >"/etc/firstbell/open-$day.toml"
    lists="$lists\"/etc/firstbell/open-$day.toml\","
done
# And the broker's end of tokens hours away: one that is issued within it would be in doubt.
if [ "$(TZ=Asia/Kolkata date -d "@$now" +%-H)" -lt 12 ]; then from=20; else from=3; fi
cat >/etc/firstbell/config.toml <<TOML
driver = "chrome"
calendar = [${lists%,}]
[schedule]
login_at = "00:00"
deadline = "23:59"
spread_s = 0
tokens_end_from_h = $from
tokens_end_until_h = $((from + 1))
[api]
socket = "/run/firstbell/api"
users = ["trader"]
[rehearsal]
site = "http://127.0.0.1:8080"
api = "http://127.0.0.1:8080"
[account.main]
user_id = "AB1234"
api_key = "abcdefghijklmnop"
redirect_url = "http://127.0.0.1:8082/landing"
TOML
chgrp -R firstbell /etc/firstbell && chmod 640 /etc/firstbell/*
store() { printf %s "$2" | firstbellctl secrets set "$1" >/dev/null; }
store password pW-canary-7f3a && store totp_seed JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP &&
    store api_secret canarycanarycanarycanarycanary12 || die "the secrets cannot be stored"
# A watchdog of five seconds, so that the trial need not wait for the shipped one's thirty, and a log of more.
drop_in firstbell.service 'WatchdogSec=5\nRestartSec=0\nEnvironment=FIRSTBELL_LOG=info'
is "the daemon says that it is ready" systemctl start firstbell.service
is "it logs in, with Chromium" heard firstbell 'works and is stored'
is "in a unit of the browser's own" heard 'firstbell-browser@*' 'A browser for one login'
is "with no other engine" grep -q 'a login began, with chrome' <(log firstbell)
is "which the kernel holds to its files, and to its calls" grep -qE 'holds the login engine to.*(Whole|Files).*InForce' <(log firstbell)
heard firstbell 'because the token is good' || die "it does not say so"
is "its token is handed out" firstbellctl token --format plain
is "also to a user who may ask" asks trader
isnt "and to no other" asks stranger
knocks() { setpriv --reuid="$1" --regid="$1" --init-groups perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new(Peer => "/run/firstbell-browser/socket")'; }
is "firstbell alone gets a browser" knocks firstbell
isnt "nobody else does, though he may ask for the token" knocks trader
is "a reload breaks nothing off" systemctl reload firstbell.service
is "the container asks for its health" grep -q firstbellctl /trial/health
is "well, while it runs" bash /trial/health
main=$(systemctl show --value --property=MainPID firstbell.service)
kill -STOP "$main"
is "the watchdog ends one that hangs" heard firstbell 'Scheduled restart job'
is "and the next one keeps on" heard firstbell 'daemon -: keeping 1 of' 2
isnt "no secret is in the journal" grep -qE 'pW-canary|JBSWY3DP|canarycanary' <(journalctl --no-pager)
isnt "nothing is left in memory's folder" ls -d /dev/shm/firstbell-*

. /trial/credential.sh

echo "the walls"
touch /dev/shm/somebody
# Eyes that see no holes where there are no walls would prove nothing.
STATE_DIRECTORY=/tmp bash /trial/walls.sh >/trial/holes
is "outside a unit there are holes" test "$(grep -c '^it can' /trial/holes)" -ge 15
once() { systemctl reset-failed "$1" 2>/dev/null; systemctl start "$1"; }
looks="/bin/bash /trial/walls.sh"
drop_in firstbell-login.service "Restart=no\nExecStart=\nExecStart=$looks"
is "around what holds the secrets: nothing at all" once firstbell-login.service
is "as the unit says" grep -qx 'no namespaces' <(log firstbell-login)
drop_in firstbell-browser@.service "${alone}ExecStart=$looks\nEnvironment=STATE_DIRECTORY=/tmp"
is "around a browser: user, process and network namespaces, and nothing more" once "$browser"
is "as its unit says" grep -qx 'user namespaces' <(log "$browser")

echo "what a browser needs, and nothing that it does not"
rehearse() { drop_in "$1" "$2ExecStart=/usr/bin/firstbell demo $3"; once "${1/@/@trial}"; }
status() { systemctl show --value --property=ExecMainStatus "$1"; }
login="Restart=no\nUnsetEnvironment=FIRSTBELL_CONFIG FIRSTBELL_WORKER\nExecStart=\n"
is "around what holds the secrets a login without a browser works" rehearse firstbell-login.service "$login" "--driver http"
isnt "and none with one inside" rehearse firstbell-login.service "$login" ""
is "which is refused, not let through" test "$(status firstbell-login.service)" = 7
is "in the browser's unit it works" rehearse firstbell-browser@.service "$alone" ""
shipped=/usr/lib/systemd/system/firstbell-browser@.service
cp "$shipped" /trial/browser.service
for word in $(sed -n -e '/^# Exactly/,$s/^RestrictNamespaces=//p' -e '/^# Exactly/,$s/^SystemCallFilter=//p' "$shipped"); do
    sed -e "/^# Exactly/,\$ { /^RestrictNamespaces=./s/\b$word\b//; /^SystemCallFilter=$word\$/d }" /trial/browser.service >"$shipped"
    isnt "not without $word" rehearse firstbell-browser@.service "$alone" ""
    is "which is refused as well" test "$(status "$browser")" = 7
done
cp /trial/browser.service "$shipped"
rm -r /etc/systemd/system/firstbell-login.service.d /etc/systemd/system/firstbell-browser@.service.d
systemctl daemon-reload

echo "one login, and the timer"
is "firstbell-login logs in" once firstbell-login.service
is "with Chromium too" grep -q 'main has a proven token' <(log firstbell-login)
is "the timer starts" systemctl enable --now firstbell-login.timer
isnt "and knows its morning" test -z "$(systemctl show --value --property=NextElapseUSecRealtime firstbell-login.timer)"

echo "taking it away"
is "an upgrade starts the daemon anew" dpkg --install /trial/firstbell.deb
is "which keeps on" systemctl --quiet is-active firstbell.service
says() { local words=$1; shift; "$@" 2>&1 | tee /trial/words; grep -q "$words" /trial/words; }
systemctl stop firstbell.service
isnt "its health is bad where it does not" bash /trial/health
systemctl start firstbell.service
# An owner's own doing, which must go as well: links, and words added to a unit.
mapfile -t able < <(cd /usr/lib/systemd/system && grep -l '^\[Install\]' firstbell*)
is "its units are enabled" systemctl enable "${able[@]}"
is "all that can be" test "$(find /etc/systemd/system -type l -name 'firstbell*' | wc -l)" = "${#able[@]}"
for unit in "${able[@]}"; do mkdir -p "/etc/systemd/system/$unit.d" && echo '[Unit]' >"/etc/systemd/system/$unit.d/own.conf"; done
is "it is removed, and says what stays" says 'stay in /var/lib/firstbell' dpkg --remove firstbell
isnt "nothing runs any more" pgrep -u firstbell
isnt "and nobody waits for one who asks for a browser" systemctl --quiet is-active firstbell-browser.socket
links=$(find /etc/systemd/system -type l -name 'firstbell*')
is "nothing of it is enabled ($links)" test -z "$links"
is "the state is still there" test -s /var/lib/firstbell/state/store.db
is "it is purged, and says what goes" says 'deleting /var/lib/firstbell' dpkg --purge firstbell
# What people have set up in their homes is theirs.
left=$(find / -xdev -name '*firstbell*' -not -path '/proc/*' -not -path '/trial/*' -not -path '/home/*'; ls -d /run/firstbell* 2>/dev/null)
is "nothing is left ($left)" test -z "$left"
echo "all is well"
