# A part of trial.sh, in its shell: the key of the vault is moved into a credential, and firstbellctl opens the vault all the same.
echo "the key of the vault as a credential that only units get"
systemctl stop firstbell.service
identity=/var/lib/firstbell/state/identity.txt
mkdir -p /etc/credstore.encrypted
is "systemd seals it" systemd-creds encrypt --with-key=host --name=firstbell-identity "$identity" \
    /etc/credstore.encrypted/firstbell-identity
mv "$identity" /trial/identity.txt
cp /etc/firstbell/config.toml /trial/config.toml
printf '[vault]\nidentity = { credential = "firstbell-identity" }\n' >>/etc/firstbell/config.toml
ends() { local code=0; "${@:2}" >/trial/last 2>&1 || code=$?; [ "$code" = "$1" ]; }
isnt "without it nobody opens the vault" firstbellctl status
key=LoadCredentialEncrypted=firstbell-identity:/etc/credstore.encrypted/firstbell-identity
other() { mkdir -p /etc/systemd/system/firstbell.service.d; printf '[Service]\n%b\n' "$1" >/etc/systemd/system/firstbell.service.d/vault.conf; systemctl daemon-reload; }
other "$key\nLoadCredentialEncrypted="
isnt "nor where the unit takes it back" firstbellctl status
other "$key\nLoadCredential="
isnt "by either word" firstbellctl status
other "LoadCredential=nothing:/nowhere\nLoadCredential=\n  ${key/=/ = }  "
is "firstbellctl gets what the service gets" firstbellctl status
# As on another machine, to which all of /etc and /var/lib/firstbell was copied.
mv /var/lib/systemd/credential.secret /trial/
isnt "another machine's key opens nothing of it" firstbellctl status
is "and makes one of its own, of no use" systemd-creds setup
isnt "even then" firstbellctl status
mv /trial/credential.secret /var/lib/systemd/
is "its own key does" firstbellctl status
head -c 64 /dev/urandom >/trial/another
other "LoadCredential=firstbell-identity:/trial/another\n$key"
is "of two of one name the last, as the service does" firstbellctl status
is "a secret goes in by a pipe" store api_secret canarycanarycanarycanarycanary12
is "and is there" grep -q 'api_secret' <(firstbellctl secrets list)
is "an exit code is passed on" ends 2 firstbellctl nonsense
odd='/no $HOME $$ "page"  two'
is "its words are as they were" grep -qF "$odd: the plan cannot be read" <(firstbellctl plan check "$odd" 2>&1)
terminal() { script -qec "$1" /dev/null </dev/null; }
is "with a terminal, where there is one" grep -q 'password' <(terminal 'firstbellctl secrets list')
until_so() { timeout 60 sh -c 'until eval "$1"; do sleep 0.1; done' sh "$1"; }
typed() {
    local code=0
    mkfifo /trial/keys
    script -qec 'firstbellctl secrets set api_secret' /dev/null </trial/keys >/trial/shown 2>&1 &
    exec 9>/trial/keys
    until_so 'grep -q "api_secret (" /trial/shown' && echo canarycanarycanarycanarycanary12 >&9 && wait $! || code=1
    exec 9>&-
    cat /trial/shown
    return $code
}
is "a secret is typed there" typed
cp /trial/last /trial/typed
isnt "and not shown" grep -q canary /trial/typed
is "its units go when they are done" until_so 'test -z "$(systemctl list-units --all --plain --no-legend "firstbellctl-*")"'
firstbellctl run >/trial/last 2>&1 &
waits=$!
is "a unit of its own runs what goes on" until_so 'systemctl --quiet is-active "firstbellctl-*"'
kill "$waits"
is "and ends with whoever waits for it" until_so "! kill -0 $waits 2>/dev/null"
isnt "really" systemctl --quiet is-active 'firstbellctl-*'
mkdir /trial/stub && printf '#!/bin/sh\n[ "$1" != cat ] || exec /usr/bin/systemctl "$@"\necho offline\nexit 1\n' >/trial/stub/systemctl
chmod 755 /trial/stub/systemctl
is "where no systemd runs, that is said" grep -q 'systemd does not run here' <(PATH=/trial/stub:$PATH firstbellctl status 2>&1)
rm /etc/credstore.encrypted/firstbell-identity /etc/systemd/system/firstbell.service.d/vault.conf && systemctl daemon-reload
mv /trial/identity.txt "$identity" && cp /trial/config.toml /etc/firstbell/config.toml
is "and back" firstbellctl status
systemctl start firstbell.service
