"""A watch lives through restarts, gives each generation once, and asks nobody in a circle."""

import asyncio
import gc
import multiprocessing
import threading
import time
import unittest
from unittest import mock

from bench import Bench, card, until

import firstbell
from firstbell._feed import Feed
from firstbell._watch import FIRST_PAUSE_S


class Watched(Bench):
    def watch(self, **more):
        """Watches in a thread of its own; gives what came, and how to end it."""
        came, stop = [], threading.Event()

        def run():
            for token in firstbell.watch(stop=stop, **more):
                came.append(token.generation)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            stop.set()
            thread.join(5)
            self.assertFalse(thread.is_alive(), "a watch ends when it is told")

        self.addCleanup(end)
        return came

    def moments(self, stand, count):
        """When so many more questions came."""
        moments, trick = [], stand.trick

        def note(path):
            moments.append(time.monotonic())
            return trick(path)

        stand.trick = note
        until("questions", lambda: len(moments) >= count)
        return moments[:count]

    def test_gives_the_present_one_and_each_newer_one(self):
        stand = self.stand(card(3))
        came = self.watch()
        until("the present one", lambda: came == [3])
        # It is asked for before it is there, and given as the answer to that question: nobody asks again for it.
        until("the question", lambda: "wait=3" in stand.asked[-1])
        before = len(stand.asked)
        stand.hand_out(card(4))
        until("the next one", lambda: came == [3, 4])
        self.assertEqual([path for path in stand.asked[before:] if "wait=3" in path], [])

    def test_outlives_the_daemon(self):
        stand = self.stand(card(1))
        came = self.watch()
        until("the present one", lambda: came == [1])
        for generation in (2, 3):
            stand.stop()
            stand.hand_out(card(generation))
            stand.restart()
            until("the one of after the restart", lambda generation=generation: came[-1] == generation)
        self.assertEqual(came, [1, 2, 3])

    def test_goes_on_where_its_connection_is_cut_while_it_waits(self):
        stand = self.stand(card(1))
        came = self.watch()
        until("the present one", lambda: came == [1])
        for generation in (2, 3):
            until("the question", lambda generation=generation: f"wait={generation - 1}" in stand.asked[-1])
            before = len(stand.asked)
            stand.hang_up()
            until("it asks again", lambda before=before: len(stand.asked) > before)
            self.assertEqual(stand.asked[before], stand.asked[before - 1], "the same question")
            # This answer breaks off in its middle.
            stand.break_off = 1
            stand.hand_out(card(generation))
            until("the next one", lambda generation=generation: came[-1] == generation)
            self.assertEqual(stand.break_off, 0)
        self.assertEqual(came, [1, 2, 3])

    def test_a_token_that_is_waited_for_comes_through_a_cut_too(self):
        stand = self.stand(card(1))
        stand.withhold()
        came = []
        thread = threading.Thread(target=lambda: came.append(firstbell.token("main", wait_s=60).generation), daemon=True)
        thread.start()
        until("the question", lambda: stand.asked)
        stand.hang_up()
        until("it asks again", lambda: len(stand.asked) > 1)
        stand.hand_out(card(2))
        thread.join(60)
        self.assertEqual(came, [2])

    def test_begins_before_the_daemon_and_before_the_first_token(self):
        stand = self.stand(card(1))
        stand.withhold()
        stand.stop()
        came = self.watch()
        stand.restart()
        self.assertEqual(came, [])
        stand.hand_out(card(1))
        until("the first one", lambda: came == [1])

    def test_an_older_one_is_ignored_and_not_asked_for_in_a_circle(self):
        stand = self.stand(card(5))
        came = self.watch()
        until("the present one", lambda: came == [5])
        stand.trick = lambda path: (200, card(4)) if "wait" in path else None
        stand.hand_out(card(6))
        until("it goes on", lambda: came == [5, 6])
        for answer in ((200, card(4)), (204, None)):
            stand.trick = lambda path, answer=answer: answer if "wait" in path else None
            # What is in question are the pauses, which a busy machine makes longer and never shorter.
            moments = self.moments(stand, 3)
            self.assertGreater(moments[-1] - moments[0], FIRST_PAUSE_S * 2)
        stand.trick = lambda path: None
        stand.hand_out(card(7))
        until("it goes on", lambda: came == [5, 6, 7])

    def test_goes_on_after_answers_that_are_none(self):
        stand = self.stand(card(1))
        answers = [(200, None, b"<html>"), (502, None), (503, {"error": "busy"}), (429, {"error": "too many"})]
        stand.trick = lambda path: answers.pop() if answers else None
        came = self.watch(account="main")
        until("it goes on", lambda: came == [1])
        self.assertEqual(answers, [])

    def test_a_refusal_goes_out(self):
        self.stand(card(1), key="fbk_right")
        with mock.patch.dict("os.environ", {"FIRSTBELL_KEY": "fbk_wrong"}), self.assertRaises(firstbell.Refused):
            next(firstbell.watch())


class Asynchronous(Bench):
    def test_token_and_watch(self):
        stand = self.stand(card(1))

        async def main():
            self.assertEqual((await firstbell.aio.token()).generation, 1)
            came = []
            async for token in firstbell.aio.watch():
                came.append(token.generation)
                if len(came) == 2:
                    return came
                stand.hand_out(card(2))

        self.assertEqual(asyncio.run(main()), [1, 2])

    def test_the_loop_goes_on_while_it_waits_and_a_wait_may_be_called_off(self):
        stand = self.stand(card(1))
        stand.withhold()

        async def main():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(firstbell.aio.token(wait_s=30), 0.3)
            with self.assertRaises(firstbell.NoToken):
                await firstbell.aio.token()

        began = time.monotonic()
        asyncio.run(main())
        self.assertLess(time.monotonic() - began, 5)
        until("no thread is left", lambda: not [t for t in threading.enumerate() if t.name == "firstbell"])


class Fed(Bench):
    def test_its_thread_ends_with_it(self):
        self.stand(card(1))
        feed = Feed(firstbell.token())
        until("it has a thread", lambda: [t for t in threading.enumerate() if t.name == "firstbell"])
        del feed
        gc.collect()
        until("no thread is left", lambda: not [t for t in threading.enumerate() if t.name == "firstbell"])

    def test_a_child_after_a_fork_follows_too(self):
        stand = self.stand(card(1))
        feed = Feed(firstbell.token())
        context = multiprocessing.get_context("fork")
        ready, told = context.Event(), context.Queue()

        def child():
            feed.newest()
            ready.set()
            told.put(feed.newer(1, 20).generation)

        process = context.Process(target=child)
        process.start()
        ready.wait(20)
        stand.hand_out(card(2))
        self.assertEqual(told.get(timeout=20), 2)
        process.join(20)
        self.assertEqual(process.exitcode, 0)
        self.assertEqual(feed.newer(1, 20).generation, 2)


if __name__ == "__main__":
    unittest.main()
