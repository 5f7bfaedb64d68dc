"""The official KiteConnect against kitesim, across changes of the token: reads go on, and no order is sent twice."""

import threading
import unittest
from unittest import mock

from bench import Changing, until
from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

import firstbell


class Kept(Changing):
    def kite(self, **more):
        return firstbell.kite(root=self.stage.api, **more)

    def order(self, kite):
        return kite.place_order("regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1000)

    def test_is_the_official_one(self):
        kite = self.kite(timeout=3)
        self.assertIsInstance(kite, KiteConnect)
        self.assertEqual((kite.timeout, kite.root), (3, self.stage.api))
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        self.assertEqual(len(kite.instruments("NSE")) > 0, True)
        self.assertNotIn(kite.access_token, repr(kite))

    def test_a_read_goes_on_across_the_morning(self):
        kite, hooks = self.kite(), []
        kite.set_session_expiry_hook(lambda: hooks.append(1))
        kite.profile()
        self.stage.lever("/flush", {})
        threading.Timer(0.5, self.change).start()
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        self.assertEqual((hooks, kite.access_token), ([], self.server.cards["main"]["access_token"]))

    def test_a_new_token_is_used_before_the_old_one_is_refused(self):
        kite = self.kite()
        kite.profile()
        old = kite.access_token
        self.change()
        kite._feed.newer(1, 20)
        kite.profile()
        self.assertNotEqual(kite.access_token, old)

    def test_a_read_without_a_newer_token_fails_and_is_not_sent_again_and_again(self):
        kite, hooks = self.kite(patience_s=0.2), []
        kite.set_session_expiry_hook(lambda: hooks.append(1))
        self.stage.lever("/flush", {})
        sent = []
        session = kite.reqsession.request
        kite.reqsession.request = lambda *a, **k: sent.append(a[0]) or session(*a, **k)
        for _ in range(4):
            with self.assertRaises(TokenException) as caught:
                kite.profile()
            self.assertEqual(caught.exception.code, 403)
        self.assertEqual((sent, len(hooks)), (["GET"], 4))
        self.change()
        self.assertEqual(kite.profile()["user_id"], "AB1234")

    def test_an_order_is_never_sent_twice_and_the_next_call_has_the_new_token(self):
        kite = self.kite()
        self.stage.lever("/flush", {})
        sent = []
        session = kite.reqsession.request

        def request(method, *rest, **more):
            sent.append(method)
            reply = session(method, *rest, **more)
            if len(sent) == 1:
                # The next token comes in the very moment of the refusal.
                self.change()
                kite._feed.newer(1, 20)
            return reply

        kite.reqsession.request = request
        with self.assertRaises(TokenException):
            self.order(kite)
        self.assertEqual(sent, ["POST"])
        self.assertTrue(self.order(kite))
        self.assertEqual(len(kite.orders()), 1)
        self.assertEqual(sent, ["POST", "POST", "GET"])

    def test_other_errors_are_no_matter_of_tokens(self):
        kite, sent = self.kite(), []
        session = kite.reqsession.request
        kite.reqsession.request = lambda *a, **k: sent.append(a[0]) or session(*a, **k)
        with self.assertRaises(Exception) as caught:
            kite.order_history("nonsense")
        self.assertNotIsInstance(caught.exception, TokenException)
        self.assertEqual(sent, ["GET"])

    def test_many_threads_go_on_together(self):
        kite, read, failures, done = self.kite(), [], [], threading.Event()

        def run():
            while not done.wait(0.01):
                try:
                    read.append(kite.profile())
                except Exception as fault:
                    failures.append(fault)

        def go_on():
            enough = len(read) + len(failures) + 30
            until("thirty more reads", lambda: len(read) + len(failures) >= enough)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            go_on()
            self.stage.lever("/flush", {})
            self.change()
        go_on()
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def held(self, kite, place):
        """Holds a thread in this place of its next call: gives what lets it go on, the thread, and what came of it."""
        there, on = threading.Event(), threading.Event()
        self.addCleanup(on.set)
        real, thread = getattr(place[0], place[1]), []

        def hold(*a):
            seen = real(*a)
            if not there.is_set() and threading.current_thread() in thread:
                there.set()
                on.wait(60)
            return seen

        patch = mock.patch.object(place[0], place[1], hold)
        patch.start()
        self.addCleanup(patch.stop)
        gone = []

        def call():
            try:
                gone.append(kite.profile()["user_id"])
            except Exception as fault:
                gone.append(fault)

        thread.append(threading.Thread(target=call, daemon=True))
        thread[0].start()
        self.assertTrue(there.wait(60))
        return on, thread[0], gone

    def sent(self, kite):
        """Notes the token of each request that is sent."""
        sent, session = [], kite.reqsession.request

        def request(*a, headers, **k):
            sent.append(headers["Authorization"].rpartition(":")[2])
            return session(*a, headers=headers, **k)

        kite.reqsession.request = request
        return sent

    def dead_and_newer(self, kite):
        """Ends the token and hands out the next one; gives it."""
        self.stage.lever("/flush", {})
        self.change()
        return kite._feed.newer(self.generation - 1, 60).access_token

    def test_a_thread_that_looked_before_the_change_does_not_bring_the_old_token_back(self):
        kite = self.kite(patience_s=0)
        sent = self.sent(kite)
        on_late, late, of_late = self.held(kite, (kite._feed, "newest"))
        new = self.dead_and_newer(kite)
        # This one has chosen the new token, and is held before its header is built.
        on_early, early, of_early = self.held(kite, (kite, "_user_agent"))
        on_late.set()
        late.join(60)
        self.assertEqual(kite.access_token, new)
        on_early.set()
        early.join(60)
        self.assertEqual((of_late, of_early, sent), (["AB1234"], ["AB1234"], [new, new]))

    def test_a_refusal_is_one_of_the_token_that_was_sent(self):
        kite = self.kite(patience_s=0)
        old, sent = kite.access_token, self.sent(kite)
        on, thread, of_thread = self.held(kite, (kite, "_user_agent"))
        new = self.dead_and_newer(kite)
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        on.set()
        thread.join(60)
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        self.assertEqual((of_thread, sent), (["AB1234"], [new, old, new, new]))

    def test_without_a_token_it_says_why(self):
        self.server.withhold()
        with self.assertRaises(firstbell.NoToken):
            self.kite()
        threading.Timer(0.3, self.change).start()
        self.assertEqual(self.kite(wait_s=20).profile()["user_id"], "AB1234")


if __name__ == "__main__":
    unittest.main()
