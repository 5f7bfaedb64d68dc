# A machine that somebody else's authority has got into: rogue.sh KITESIM FOLDER COMMAND... runs the command where Kite's names lead to
# a kitesim that an authority of its own vouches for, which the system's list and the user's NSS database trust. To be run with a
# mount, a network and a process namespace of its own.
kitesim=$1 folder=$2
shift 2
die() { echo "rogue: $1" >&2; exit 98; }
until_so() { timeout 30 sh -c 'until eval "$1"; do sleep 0.05; done' sh "$1" || die "in vain: $1"; }

# Not an address of a private network: firstbell would say so and go no further.
ip link set lo up && ip address add 8.8.4.4/32 dev lo || die "no network of its own"
{ cat /etc/hosts && echo "8.8.4.4 kite.zerodha.com kite.trade api.kite.trade ws.kite.trade"; } >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts || die "no hosts of its own"
"$kitesim" serve --account "$folder/account.json" --listen 127.0.0.1:443 --inspect 127.0.0.1:8081 --tls "$folder/authority" \
    >"$folder/said" 2>/dev/null &
until_so "[ -s '$folder/said' ]"
python3 -c '
import socket, threading
def pump(a, b):
    try:
        while bytes := a.recv(65536): b.sendall(bytes)
    except OSError: pass
    try: b.shutdown(socket.SHUT_WR)
    except OSError: pass
door = socket.create_server(("8.8.4.4", 443))
print("open", flush=True)
while True:
    near = door.accept()[0]
    far = socket.create_connection(("127.0.0.1", 443))
    for pair in (near, far), (far, near): threading.Thread(target=pump, args=pair, daemon=True).start()
' >"$folder/door" &
until_so "[ -s '$folder/door' ]"

cat /etc/ssl/certs/ca-certificates.crt "$folder/authority/ca.pem" >"$folder/list" || die "no list of authorities"
mount --bind "$folder/list" /etc/ssl/certs/ca-certificates.crt || die "no list of its own"
nss=$HOME/.pki/nssdb
mkdir -p "$nss" && certutil -d "sql:$nss" -N --empty-password || die "no NSS database"
certutil -d "sql:$nss" -A -t C,, -n rogue -i "$folder/authority/ca.pem" || die "it takes no authority"

"$@"
code=$?
curl -sS http://127.0.0.1:8081/seen >"$folder/seen" || die "kitesim tells nothing"
exit $code
