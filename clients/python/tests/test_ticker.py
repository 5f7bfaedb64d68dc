"""The official KiteTicker against kitesim, across changes of the token: nothing lost, nothing twice, and no hammering."""

import logging
import threading
import time
import unittest
from collections import Counter

from bench import Changing, complete, until
from kiteconnect import KiteConnect, KiteTicker

import firstbell
from firstbell._handover import Handover
from firstbell._ticker import FIRST_REFUSED_S, reactor

INSTRUMENTS = [408065, 256265]


class Program:
    """A program with a ticker, and all that it heard."""

    def __init__(self, ticker, subscribe=True):
        self.ticker = ticker
        self.connected, self.closed, self.errors, self.reconnects = [], [], [], []
        self.ticks, self.orders, self.messages = [], [], []
        if subscribe:
            ticker.on_connect = self.on_connect
        ticker.on_close = lambda ws, code, reason: self.closed.append((code, reason))
        ticker.on_error = lambda ws, code, reason: self.errors.append((code, reason))
        ticker.on_reconnect = lambda ws, tries: self.reconnects.append(tries)
        ticker.on_ticks = lambda ws, ticks: self.ticks.extend((time.monotonic(), tick) for tick in ticks)
        ticker.on_order_update = lambda ws, order: self.orders.append((order["order_id"], order["status"]))
        ticker.on_message = lambda ws, payload, is_binary: self.messages.append(payload)
        ticker.connect(threaded=True)

    def on_connect(self, ws, response):
        assert ws is self.ticker
        self.connected.append(time.monotonic())
        ws.subscribe(INSTRUMENTS)
        ws.set_mode(ws.MODE_FULL, INSTRUMENTS)

    def full(self, since=0.0):
        return [tick for at, tick in list(self.ticks) if at >= since and tick["mode"] == "full"]

    def seconds(self, instrument):
        """The simulated seconds of which this instrument's price was told, in their order."""
        return [int(t["exchange_timestamp"].timestamp()) for t in self.full() if t["instrument_token"] == instrument]


class Kept(Changing):
    def setUp(self):
        super().setUp()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def program(self, **more):
        program = Program(firstbell.ticker(root=self.stage.ticker, **more))
        self.addCleanup(program.ticker.close)
        return program

    def is_on(self, program, generation):
        line = program.ticker._line
        return line is not None and line.generation == generation and line.is_open

    def handshakes(self):
        return sum(1 for request in self.stage.seen()["requests"] if request["path"] == "/")

    def test_goes_over_without_losing_a_tick_or_an_order(self):
        program = self.program()
        until("two seconds of ticks", lambda: len(program.full()) >= 4)
        self.assertIsInstance(program.ticker, KiteTicker)
        kite = KiteConnect("", root=self.stage.api)
        placed, done = [], threading.Event()
        # A third connection would be refused, and that would be seen.
        self.stage.settings(ticker_connections=2)

        def load():
            while not done.wait(0.13):
                kite.api_key, kite.access_token = self.stage.account["api_key"], self.server.cards["main"]["access_token"]
                placed.append(kite.place_order("regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1000))

        thread = threading.Thread(target=load, daemon=True)
        self.addCleanup(done.set)
        thread.start()
        for _ in range(2):
            self.change()
            until("it has gone over", lambda: self.is_on(program, self.generation))
            until("the old one is closed", lambda: program.ticker._leaving is None)
        told = len(program.full())
        until("ticks of after the change", lambda: len(program.full()) >= told + 4)
        done.set()
        thread.join()
        until("the last order", lambda: len(program.orders) >= len(placed))
        self.assertEqual(Counter(program.orders), Counter((one, "OPEN") for one in placed))
        for instrument in INSTRUMENTS:
            told = program.seconds(instrument)
            self.assertTrue(len(told) > 5 and complete(told), told)
        self.assertEqual((len(program.connected), program.closed, program.errors), (1, [], []), "nobody noticed")

    def test_waits_with_a_dead_token_for_the_next_one(self):
        program = self.program()
        until("ticks", program.full)
        self.stage.lever("/flush", {})
        until("the refusal", lambda: program.errors)
        self.assertEqual(self.handshakes(), 2, "one that was taken, one that was refused")
        # The next try is a matter of the clock, so what is looked at is when it will be.
        open_again = program.ticker._timers["open"]
        self.assertGreater(open_again.getTime() - reactor.seconds(), FIRST_REFUSED_S / 2)
        self.assertEqual(len(program.errors), 1)
        self.assertIn("403", program.errors[0][1])
        self.assertIn("waits for the token after generation 1", program.errors[0][1])
        changed = time.monotonic()
        self.change()
        # Long before it would have been tried again anyway.
        until("ticks in full", lambda: program.full(changed), FIRST_REFUSED_S / 2)
        self.assertEqual((len(program.connected), program.ticker.is_connected()), (2, True))
        self.assertEqual((self.handshakes(), open_again.active()), (3, False), "nobody hammers")

    def test_follows_a_token_that_another_login_replaced(self):
        self.stage.settings(second_session="replace")
        program = self.program()
        until("ticks", program.full)
        for generation in (2, 3):
            self.change()
            until("it has gone over", lambda generation=generation: self.is_on(program, generation))
            moved = time.monotonic()
            until("ticks in full", lambda moved=moved: program.full(moved))

    def test_opens_a_connection_again_that_is_lost(self):
        program = self.program()
        until("ticks", program.full)
        self.stage.lever("/event", {"event": "ticker-drop"})
        until("another connection", lambda: len(program.connected) == 2)
        until("ticks in full", lambda: program.full(program.connected[1]))
        self.assertEqual((program.reconnects, len(program.connected), len(program.errors)), ([1], 2, 1))

    def test_subscribes_before_it_is_open_and_from_any_thread(self):
        ticker = firstbell.ticker(root=self.stage.ticker)
        ticker.subscribe(INSTRUMENTS)
        ticker.set_mode(ticker.MODE_FULL, INSTRUMENTS)
        program = Program(ticker, subscribe=False)
        self.addCleanup(ticker.close)
        until("ticks", program.full)
        ticker.unsubscribe([256265])
        ticker.set_mode(ticker.MODE_LTP, [408065])
        until("the mode", lambda: program.ticks[-1][1]["mode"] == "ltp")
        since = time.monotonic()
        self.change()
        until("it has gone over", lambda: self.is_on(program, 2))
        moved = time.monotonic()
        until("ticks", lambda: len([t for at, t in list(program.ticks) if at > moved]) >= 3)
        told = {(t["instrument_token"], t["mode"]) for at, t in list(program.ticks) if at > since}
        self.assertEqual(told, {(408065, "ltp")})

    def test_is_closed_when_it_is_told(self):
        program = self.program()
        until("ticks", program.full)
        program.ticker.close()
        until("the end", lambda: program.closed)
        before = self.handshakes()
        heard = threading.Event()

        class Last:
            def hear(self, _token):
                # Whoever listens is told in turn, so what the ticker makes of it is in the reactor's turn before this.
                reactor.callFromThread(reactor.callLater, 0, heard.set)

        last = Last()
        program.ticker._feed.listen(last.hear)
        self.change()
        self.assertTrue(heard.wait(60))
        self.assertEqual((self.handshakes(), program.ticker.is_connected()), (before, False))
        self.assertEqual((program.ticker._line, program.ticker._next, program.ticker._timers), (None, None, {}))

    def test_a_change_while_the_daemon_restarts_comes_after_it(self):
        program = self.program()
        until("ticks", program.full)
        self.server.stop()
        self.change()
        self.server.restart()
        until("it has gone over", lambda: self.is_on(program, 2))
        self.assertEqual(len(program.connected), 1)


def tick(token, price, mode="full"):
    return {"instrument_token": token, "mode": mode, "last_price": price}


class HandedOver(unittest.TestCase):
    def test_each_instrument_goes_over_by_itself(self):
        handover = Handover({1: "full", 2: "full"}, {})
        self.assertEqual(handover.of_old([tick(1, 10), tick(2, 20)]), [tick(1, 10), tick(2, 20)])
        self.assertEqual(handover.of_new([tick(1, 11)]), [tick(1, 11)])
        self.assertEqual(handover.of_old([tick(1, 10), tick(2, 21)]), [tick(2, 21)], "nothing older after something newer")
        self.assertFalse(handover.complete)
        self.assertEqual(handover.of_new([tick(2, 22)]), [tick(2, 22)])
        self.assertTrue(handover.complete)

    def test_a_picture_that_was_told_is_not_told_again(self):
        handover = Handover({1: "full"}, {1: tick(1, 10)})
        self.assertEqual(handover.of_new([tick(1, 10)]), [])
        self.assertTrue(handover.complete)
        self.assertEqual(handover.of_new([tick(1, 10)]), [tick(1, 10)])

    def test_less_than_is_wanted_takes_nothing_over(self):
        handover = Handover({1: "full"}, {})
        self.assertEqual(handover.of_new([tick(1, 10, "quote")]), [])
        self.assertEqual(handover.of_old([tick(1, 10)]), [tick(1, 10)])

    def test_texts_come_as_often_as_from_the_one_that_tells_them_oftener(self):
        handover = Handover({}, {})
        told = [("a", False), ("a", True), ("b", True), ("b", False), ("a", False), ("a", True), ("a", True)]
        passed = [text for text, new in told if handover.text(text, new=new)]
        self.assertEqual(passed, ["a", "b", "a", "a"])


if __name__ == "__main__":
    unittest.main()
