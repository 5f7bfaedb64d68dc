"""Three trading days with the real daemon and programs that know nothing of tokens: each goes on by itself every morning.

What is shown, each morning, from the moment in which the daemon hands the new token out (which it does when it is proven):

- Every program calls the API within WITHIN_S, and the two on the packages are told ticks within WITHIN_S. The official client
  under `firstbell exec` is started anew with each token, so it has STARTED_WITHIN_S to call the API and to have its ticker.
- From that moment on, thus while the packages go over from connection to connection, what they are told of each instrument is
  complete as `stage.complete` says: in order, no second twice, never two seconds missing in a row. A single missing second
  cannot be told from kitesim's beat, which is a little longer than a second.
- The packages tell every order update exactly once. The shell script, which has no ticker, asks for the orders and sees each of
  them. The official client asks for them when it starts, and is shown to know every one.

The second morning finds the old token dead, as after Kite's night: nobody but the official ticker knocks twice with it. The third
finds it alive, so there the orders are placed through the change itself, and the updates are counted from before it.

Three programs with tickers share one key here, and each package has two connections for the moment of the change. So kitesim
allows five; Zerodha allows three, and whoever is refused there (429) goes over when there is room.
"""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from datetime import datetime
from pathlib import Path

import packages
from stage import Home, Sim, complete, program, until

STRATEGIES = Path(__file__).resolve().parent / "strategies"
INSTRUMENTS = {408065, 256265}
WITHIN_S = 2.0
#: What is started anew has first to end and to start: 0.5 s where little else runs, 3.6 s at a load of five for each core.
STARTED_WITHIN_S = 5.0
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")
LOGIN_AT = "08:30"
PACKAGES = ("python", "node")


class Strategy:
    """A running program, and what it told."""

    def __init__(self, name, command, folder, environment):
        self.name, self.told = name, []
        self.errors = open(Path(folder) / f"{name}.err", "w+")
        self.child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, stdin=subprocess.DEVNULL, cwd=folder, env=environment
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(ValueError):
            for line in self.child.stdout:
                self.told.append(json.loads(line))

    def since(self, at, key):
        return [one for one in list(self.told) if one["at"] >= at and key in one]

    def opened(self, at):
        return [one["order"] for one in self.since(at, "order") if one["status"] == "OPEN"]

    def seconds(self, at, instrument):
        return [one["second"] for one in self.since(at, "tick") if one["tick"] == instrument]

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.errors.seek(0)
            raise AssertionError(f"{self.name} does not end: {self.errors.read()}") from None
        finally:
            self.child.kill()
            self.child.stdout.close()
            self.errors.close()


class ThreeDays(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fb-test-")
        self.addCleanup(folder.cleanup)
        self.python, self.node = packages.unpack(folder.name)
        self.sim = Sim("--clock", f"{DAYS[0]}T07:00:00+05:30")
        self.addCleanup(self.sim.end)
        self.sim.lever("/clock", {"freeze": True, "set": f"{DAYS[0]}T07:00:00+05:30"})
        self.sim.settings(flush="06:00", ticker_connections=5)
        self.home = Home(self.sim)
        self.addCleanup(self.home.end)
        self.handed_out = {}
        self.orders = []
        self.placing = threading.Event()

    def leap(self, day, hour):
        """Lets the daemon's clock, which is kitesim's, leap on to a moment of a day."""
        self.head_for(f"{day}T{hour}:00+05:30", frozen=True)
        end = datetime.fromisoformat(f"{day}T{hour}:00+05:30")

        def there():
            now = self.sim.lever("/clock", {})["now"]
            return datetime.fromisoformat(now[:19] + "+00:00") >= end

        until(f"{day} {hour}", there)

    def log_in(self, day):
        """Lets the daemon log in. It moves the clock no more when it has, so that ticks tell each second of the change."""
        self.head_for(f"{day}T{LOGIN_AT}:00+05:30", frozen=False)

    def head_for(self, end, frozen):
        now = self.sim.lever("/clock", {"freeze": True})["now"]
        self.home.configure(
            f'[schedule]\nlogin_at = "{LOGIN_AT}"\nspread_s = 0\n[rehearsal.leap]\ncontrol = "{self.sim.inspect}"\n'
            f'from = "{now}"\nto = "{end}"\n'
        )
        self.sim.lever("/clock", {"freeze": frozen})
        if self.home.daemon:
            self.home.daemon.send_signal(signal.SIGHUP)
        else:
            self.home.start()
            threading.Thread(target=self.stamp, daemon=True).start()

    def stamp(self):
        """Notes when each generation is handed out, without any of the clients."""
        while self.home.daemon:
            status, card = self.home.ask("/v1/accounts/main/token") or (0, {})
            if status == 200 and card["generation"] not in self.handed_out:
                self.handed_out[card["generation"]] = (time.time(), card)
            time.sleep(0.01)

    def start(self):
        roots = {"KITE_API": self.sim.api, "KITE_TICKER": self.sim.ticker}
        environment = {**self.home.environment(), **roots}
        with_package = {**environment, "PYTHONPATH": str(self.python)}
        script = self.node / "follows.mjs"
        script.write_text((STRATEGIES / "follows.mjs").read_text())
        execute = [program("FIRSTBELL_BIN", "firstbell"), "exec", "--wait"]
        header = ["--on-change", "usr1", "--fd", "3", "--format", "header", "--"]
        # It hears the signal and goes on: each call reads the descriptor anew.
        shell = ["sh", "-c", f"trap : USR1; . {STRATEGIES / 'plain.sh'}"]
        official = [sys.executable, str(STRATEGIES / "plain.py")]
        commands = [
            ("python", [sys.executable, str(STRATEGIES / "follows.py")], with_package),
            ("node", ["node", str(script)], environment),
            ("shell", [*execute, *header, *shell], environment),
            ("official", [*execute, "--", *official], environment),
        ]
        self.strategies = [Strategy(name, command, self.node, env) for name, command, env in commands]
        for strategy in self.strategies:
            self.addCleanup(strategy.end)
        for one in self.strategies:
            if one.name in PACKAGES:
                until(f"{one.name} waits", lambda one=one: one.since(0, "waits"))
            else:
                until(f"{one.name} waits", lambda one=one: "waiting for a token" in Path(one.errors.name).read_text())

    def place(self):
        """Places orders as somebody else would, for as long as it is told to."""
        while self.placing.is_set():
            card = self.handed_out[max(self.handed_out)][1]
            form = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": 1, "product": "CNC",
                    "order_type": "LIMIT", "price": 1000, "validity": "DAY"}
            headers = {"Authorization": f"token {card['api_key']}:{card['access_token']}", "X-Kite-Version": "3"}
            data = urllib.parse.urlencode(form).encode()
            request = urllib.request.Request(self.sim.api + "/orders/regular", data, headers)
            with urllib.request.urlopen(request, timeout=20) as reply:
                self.orders.append(json.loads(reply.read())["data"]["order_id"])
            time.sleep(0.1)

    def changed(self, generation):
        """Every program has gone on with this generation, in time."""
        until(f"generation {generation}", lambda: generation in self.handed_out)
        at = self.handed_out[generation][0]
        late = {}
        for one in self.strategies:
            key = {"shell": None, "official": "connected"}.get(one.name, "tick")
            since = at
            try:
                if one.name == "official":
                    # The one before may still be heard; a token that lives on works for it too.
                    since = until(f"{one.name} is started", lambda one=one: one.since(at, "started"))[0]["at"]
                until(f"{one.name} calls the API", lambda one=one, since=since: one.since(since, "user"), 30)
                if key:
                    until(f"{one.name} has its ticker", lambda one=one, key=key, since=since: one.since(since, key))
            except AssertionError as fault:
                one.errors.seek(0)
                raise AssertionError(f"{fault}; told {one.told[-3:]}, {one.child.poll()}: {one.errors.read()[-2000:]}") from None
            for what in filter(None, ("user", key)):
                late[one.name, what] = one.since(since, what)[0]["at"] - at
        print(f"generation {generation}:", ", ".join(f"{' '.join(k)} {v:.2f} s" for k, v in late.items()), flush=True)
        return late

    def observe(self, generation, since, orders_from):
        """Lets orders be placed, and looks at what every program was told since the hand-out, and of orders since `since`."""
        at = self.handed_out[generation][0]
        if not self.placing.is_set():
            self.begin_placing()
        followers = [one for one in self.strategies if one.name in PACKAGES]
        # The last handover may take five seconds; whatever it loses lies before the eighth.
        until("ticks", lambda: all(len(one.seconds(at, i)) >= 8 for one in followers for i in INSTRUMENTS))
        until("orders", lambda: len(self.orders) >= orders_from + 25)
        self.placing.clear()
        self.placer.join()
        placed = self.orders[orders_from:]
        for one in self.strategies:
            until(f"{one.name} knows the last order", lambda one=one: set(placed) <= set(one.opened(since)), 20)
            if one.name != "official":
                self.assertEqual(Counter(one.opened(since)), Counter(placed), f"{one.name}: every order exactly once")
        for one in followers:
            for instrument in INSTRUMENTS:
                seconds = one.seconds(at, instrument)
                self.assertTrue(complete(seconds), f"{one.name}: {seconds}")

    def mark(self, name):
        """Leaves a mark among the requests that kitesim remembers; it forgets the oldest."""
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{self.sim.api}/{name}", timeout=20).close()

    def handshakes_since(self, name):
        requests = [(one["path"], one["status"]) for one in self.sim.seen()["requests"]]
        # The website's own page has the same path.
        return sum(path == "/" and status in (101, 403) for path, status in requests[requests.index((f"/{name}", 404)) :])

    def begin_placing(self):
        self.placing.set()
        self.placer = threading.Thread(target=self.place)
        self.placer.start()

    def on_time(self, late):
        for (name, what), seconds in late.items():
            most = STARTED_WITHIN_S if name == "official" else WITHIN_S
            self.assertLessEqual(seconds, most, f"{name}, {what}: {late}")

    def night(self):
        """The old token ends: each program meets that, and only the official ticker knocks with it again and again."""
        dark = time.time()
        self.mark("night")
        self.leap(DAYS[1], "08:29")
        until("the old token is refused", lambda: self.sim.seen()["live_tokens"] == 0)
        official = next(one for one in self.strategies if one.name == "official")
        for one in self.strategies:
            # The packages' reads wait for the next token; their tickers say that they do.
            key = "refused" if one.name in PACKAGES else "fault"
            until(f"{one.name} is refused", lambda one=one, key=key: any(told[key] for told in one.since(dark, key)))
        until("the official ticker knocks again", lambda: len(official.since(dark, "knock")) >= 3)

        def only_the_official_one():
            # It does not tell its first knock, and tells each later one a moment before: as many are heard as are told.
            return self.handshakes_since("night") <= len(official.since(dark, "knock")) + len(PACKAGES)

        until("whoever is on a package has knocked once", only_the_official_one, 10)

    def test_every_program_goes_on_by_itself_each_morning(self):
        self.addCleanup(self.placing.clear)
        self.leap(DAYS[0], "08:00")
        self.start()
        self.log_in(DAYS[0])
        self.on_time(self.changed(1))
        self.observe(1, self.handed_out[1][0], 0)
        # The second morning: Kite ended the token in the night.
        self.night()
        begun = len(self.orders)
        self.log_in(DAYS[1])
        self.on_time(self.changed(2))
        self.observe(2, self.handed_out[2][0], begun)
        # The third morning: the old token lives on, and orders are placed through the change.
        self.sim.settings(flush_mode="never")
        self.leap(DAYS[2], "08:29")
        begun, since = len(self.orders), time.time()
        self.begin_placing()
        until("orders", lambda: len(self.orders) > begun + 10)
        self.mark("morning")
        self.log_in(DAYS[2])
        self.on_time(self.changed(3))
        until("three tickers have connected anew", lambda: self.handshakes_since("morning") >= 3)
        self.observe(3, since, begun)
        self.assertEqual(sorted(self.handed_out), [1, 2, 3])
        tokens = [card["access_token"] for _, card in self.handed_out.values()]
        for strategy in self.strategies:
            strategy.errors.seek(0)
            said = strategy.errors.read()
            self.assertFalse([t for t in tokens if t in said], f"{strategy.name} shows a token")


if __name__ == "__main__":
    unittest.main()
