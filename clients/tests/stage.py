"""What the clients' tests share: a simulated Kite, a firstbell in a home of its own, and a stand-in for its local API."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INDIA = timezone(timedelta(hours=5, minutes=30))
SOON_S = 60


def program(variable, name):
    """A program of this repository: as the environment says, else as it was built last."""
    built = [ROOT / "target" / kind / name for kind in ("debug", "release")]
    path = os.environ.get(variable) or next((str(p) for p in built if p.exists()), None)
    if not path:
        raise RuntimeError(f"{name} is missing: run make test, or cargo build --workspace first")
    return path


def until(what, look, within_s=SOON_S):
    """Looks until it is so; gives what was seen."""
    end = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {within_s} s")
        time.sleep(0.02)


def complete(seconds):
    """Whether ticks of these simulated seconds are all there: in order, none twice, never two missing in a row.

    kitesim sends a tick at each beat of its own, which is a little longer than a second, so one second may be left out by it.
    """
    return len(seconds) > 2 and all(1 <= b - a <= 2 for a, b in zip(seconds, seconds[1:]))


class Sim:
    """A running kitesim. Ends with the test: it watches its standard input."""

    def __init__(self, *arguments):
        self.account = {
            "user_id": "AB1234",
            "password": "pW-" + secrets.token_hex(8),
            "totp_seed": base64.b32encode(secrets.token_bytes(20)).decode(),
            "api_key": secrets.token_hex(8),
            "api_secret": secrets.token_hex(16),
        }
        command = [program("KITESIM_BIN", "kitesim"), "serve", "--with-parent", "--account", "-", *arguments]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.child.stdin.write(json.dumps(self.account).encode() + b"\n")
        self.child.stdin.flush()
        said = json.loads(self.child.stdout.readline())
        self.site, self.api, self.inspect, self.redirect = (said[k] for k in ("site", "api", "inspect", "redirect"))
        self.ticker = self.api.replace("http", "ws") + "/"
        self._jar = None
        # Kite ends tokens once a day and counts calls by the second; no test may depend on when it runs.
        flush = (datetime.now(INDIA) + timedelta(hours=12)).strftime("%H:%M")
        self.settings(flush=flush, rate_limits="off", totp_reuse=True, second_session="keep_both")

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()

    def lever(self, path, body=None, method="POST"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.inspect + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=SOON_S) as reply:
            return json.loads(reply.read() or b"null")

    def settings(self, **settings):
        self.lever("/faults", {"settings": settings})

    def seen(self):
        return self.lever("/seen", method="GET")

    def mint(self):
        """A new access token, as a login gives one."""
        jar = urllib.request.HTTPCookieProcessor()
        opener = urllib.request.build_opener(jar, _Stay())
        start = f"{self.site}/connect/login?v=3&api_key={self.account['api_key']}"
        page = _follow(opener, start)
        form = {"user_id": self.account["user_id"], "password": self.account["password"]}
        asked = _post(opener, self.site + "/api/login", form)["data"]["request_id"]
        form = {"user_id": self.account["user_id"], "request_id": asked, "twofa_type": "totp", "twofa_value": self._code()}
        _post(opener, self.site + "/api/twofa", form)
        landing = _follow(opener, page + "&skip_session=true", self.redirect)
        grant = urllib.parse.parse_qs(urllib.parse.urlsplit(landing).query)["request_token"][0]
        key, secret = self.account["api_key"], self.account["api_secret"]
        checksum = hashlib.sha256((key + grant + secret).encode()).hexdigest()
        form = {"api_key": key, "request_token": grant, "checksum": checksum}
        return _post(opener, self.api + "/session/token", form)["data"]["access_token"]

    def _code(self):
        moment = datetime.fromisoformat(self.lever("/clock", {})["now"].replace("Z", "+00:00")[:19] + "+00:00")
        step = int(moment.timestamp()) // 30
        digest = hmac.new(base64.b32decode(self.account["totp_seed"]), step.to_bytes(8, "big"), "sha1").digest()
        at = digest[-1] & 15
        return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"

    def card(self, generation, access_token, account="main"):
        """What firstbell's card of this token would be."""
        now = datetime.now(INDIA)
        return {
            "version": 1, "account": account, "user_id": self.account["user_id"], "api_key": self.account["api_key"],
            "access_token": access_token, "generation": generation, "issued": now.isoformat(timespec="seconds"),
            "trusted_until": (now + timedelta(hours=12)).isoformat(timespec="seconds"),
        }


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def _follow(opener, url, end=None):
    """Follows redirects, as far as the one to `end`; gives the last address."""
    while not (end and url.startswith(end)):
        try:
            opener.open(url, timeout=SOON_S).close()
            return url
        except urllib.error.HTTPError as reply:
            with reply:
                where = reply.headers.get("Location")
            if not where:
                raise
            url = urllib.parse.urljoin(url, where)
    return url


def _post(opener, url, form):
    with opener.open(url, urllib.parse.urlencode(form).encode(), timeout=SOON_S) as reply:
        return json.loads(reply.read())


class Home:
    """A firstbell in a home of its own, for rehearsals with a kitesim."""

    def __init__(self, sim):
        self.sim = sim
        self.folder = Path(tempfile.mkdtemp(prefix="fb-test-"))
        self.state = self.folder / "state"
        self.socket = self.state / "socket"
        self.daemon = None
        self.configure()
        for name in ("password", "totp_seed", "api_secret"):
            self.run(["secrets", "set", name], sim.account[name])

    def configure(self, tables=""):
        account = self.sim.account
        if "[schedule]" not in tables:
            # Kite ends tokens at a certain hour: one that is issued then is in doubt, and no test may depend on when it runs.
            hour = time.gmtime(time.time() + 19_800).tm_hour
            first = 20 if hour < 12 else 3
            tables += f"\n[schedule]\ntokens_end_from_h = {first}\ntokens_end_until_h = {first + 1}\n"
        (self.folder / "config.toml").write_text(
            f'drivers = ["http"]\n[rehearsal]\nsite = "{self.sim.site}"\napi = "{self.sim.api}"\n'
            f'{tables}\n[account.main]\nuser_id = "{account["user_id"]}"\napi_key = "{account["api_key"]}"\n'
            f'redirect_url = "{self.sim.redirect}"\n'
        )

    def environment(self):
        own = {"FIRSTBELL_CONFIG": str(self.folder / "config.toml"), "FIRSTBELL_STATE_DIR": str(self.state)}
        return {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), **own}

    def run(self, arguments, text="", code=0):
        command = [program("FIRSTBELL_BIN", "firstbell"), *arguments]
        ended = subprocess.run(command, input=text.encode(), capture_output=True, env=self.environment(), timeout=SOON_S)
        if ended.returncode != code:
            raise AssertionError(f"{arguments}: {ended.returncode}: {ended.stderr.decode()}")
        return ended.stdout.decode()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        command = [program("FIRSTBELL_BIN", "firstbell"), "run"]
        self.daemon = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=self.environment())
        until("the daemon's socket answers", lambda: self.ask("/livez"))

    def ask(self, path):
        """Status and object of an answer; None where nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SOON_S)
                connection.connect(str(self.socket))
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: firstbell\r\nConnection: close\r\n\r\n".encode())
                with http.client.HTTPResponse(connection) as reply:
                    reply.begin()
                    return reply.status, json.loads(reply.read() or b"null")
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def has_api(self):
        """Whether this firstbell has the local API yet."""
        status, body = self.ask("/v1/accounts/main/token")
        return status == 200 or (status == 503 and body.get("code") == "no_token")

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()
            self.daemon = None
            self.log.close()

    def end(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Stand:
    """A stand-in for firstbell's local API: hands out what it is told to, and can misbehave."""

    def __init__(self, key=None):
        self.folder = tempfile.mkdtemp(prefix="fb-test-")
        self.path = os.path.join(self.folder, "socket")
        self.key = key
        self.cards = {}
        #: Called with each request's path; what it gives (status, body, headers) is the answer, None leaves it to the usual one.
        self.trick = lambda path: None
        #: So many answers break off in their middle.
        self.break_off = 0
        self.asked = []
        self.changed = threading.Condition()
        self.server = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self):
        handler = type("Handler", (_Handler,), {"stand": self})
        if self.key:
            self.server = _Tcp(("127.0.0.1", 0), handler)
        else:
            self.server = _Unix(self.path, handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Ends as a daemon that is killed: every connection breaks, the socket stays."""
        self.server.shutdown()
        self.server.server_close()
        self.hang_up()

    def hang_up(self):
        """Cuts every connection and takes new ones, as a daemon that reads its configuration anew or ends what is an hour old."""
        for connection in list(self.server.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def restart(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.start()

    def end(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def hand_out(self, card):
        with self.changed:
            self.cards[card["account"]] = card
            self.changed.notify_all()

    def withhold(self, account="main"):
        with self.changed:
            self.cards[account] = None
            self.changed.notify_all()

    def environment(self):
        if self.key:
            return {"FIRSTBELL_URL": self.url, "FIRSTBELL_KEY": self.key}
        return {"FIRSTBELL_SOCKET": self.path}


class _Many(socketserver.ThreadingMixIn):
    daemon_threads = True

    def process_request(self, request, client_address):
        self.connections = getattr(self, "connections", set()) | {request}
        super().process_request(request, client_address)

    connections = frozenset()


class _Unix(_Many, socketserver.UnixStreamServer):
    request_queue_size = 64


class _Tcp(_Many, socketserver.TCPServer):
    request_queue_size = 64


NO_TOKEN = {
    "error": "firstbell logs in at 08:30.", "cure": "wait: firstbell goes on by itself.", "code": "no_token", "retry_after_s": 7,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand = None

    def log_message(self, *_arguments):
        pass

    def address_string(self):
        return "local"

    def do_GET(self):
        stand = self.stand
        stand.asked.append(self.path)
        if stand.key and self.headers.get("Authorization") != f"Bearer {stand.key}":
            self.answer(401, {"error": "This key is not known.", "cure": "firstbell key add NAME.", "code": "unauthorized"})
            return
        tricked = stand.trick(self.path)
        if tricked is not None:
            self.answer(*tricked)
            return
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        names = parts.path.strip("/").split("/")
        if names[1:] == ["accounts"]:
            self.answer(200, {"accounts": [{"account": name} for name in stand.cards]})
        elif len(names) == 4 and names[3] == "token" and names[2] in stand.cards:
            self.token(names[2], query)
        else:
            self.answer(404, {"error": "No such account.", "cure": "see firstbell status.", "code": "not_found"})

    def token(self, account, query):
        stand = self.stand
        server = stand.server
        with stand.changed:
            if "wait" in query:
                def there():
                    card = stand.cards[account]
                    return stand.server is not server or (card and card["generation"] > int(query["wait"]))
                if not stand.changed.wait_for(there, float(query.get("timeout_s", 30))):
                    self.answer(204, None)
                    return
            card = stand.cards[account]
        self.answer(*((200, card) if card else (503, NO_TOKEN)))

    def answer(self, status, body, raw=None):
        text = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "no-store")
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if text and self.stand.break_off > 0:
                self.stand.break_off -= 1
                text, self.close_connection = text[: len(text) // 2], True
            self.wfile.write(text)
        except OSError:
            self.close_connection = True


if __name__ == "__main__":
    # For tests in other languages: a kitesim and a stand-in, moved by lines on standard input.
    sim, stand = Sim(), Stand()
    generation = 0
    print(json.dumps({"socket": stand.path, "api": sim.api, "ticker": sim.ticker, "inspect": sim.inspect}), flush=True)
    for line in sys.stdin:
        word = line.split()
        if word[0] == "token":
            generation += 1
            access = word[1] if len(word) > 1 else sim.mint()
            stand.hand_out(sim.card(generation, access))
        elif word[0] == "card":
            stand.hand_out(json.loads(line.partition(" ")[2]))
        elif word[0] == "withhold":
            stand.withhold()
        elif word[0] == "stop":
            stand.stop()
        elif word[0] == "restart":
            stand.restart()
        elif word[0] == "hang-up":
            stand.hang_up()
        elif word[0] == "break-off":
            stand.break_off = int(word[1])
        elif word[0] == "trick":
            answers = json.loads(line.partition(" ")[2])
            stand.trick = lambda path, answers=answers: answers.pop(0) if answers else None
        print(json.dumps({"generation": generation, "asked": stand.asked}), flush=True)
    stand.end()
    sim.end()
