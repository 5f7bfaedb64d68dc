"""A token asked for: found where it is to be found, refused with a reason, and never shown."""

import copy
import dataclasses
import json
import logging
import os
import pickle
import socket
import stat
import threading
import time
import unittest
from unittest import mock

from bench import Bench, card

import firstbell
from firstbell import _place, _wire


class Asked(Bench):
    def test_gives_the_only_account_s_token(self):
        self.stand(card(7))
        token = firstbell.token()
        self.assertEqual((token.account, token.generation, token.access_token), ("main", 7, "canary-Zq7x"))
        self.assertEqual(token.issued.isoformat(), "2026-11-25T08:30:07+05:30")

    def test_wants_a_name_where_there_are_several(self):
        self.stand(card(1), card(4, "other"))
        with self.assertRaisesRegex(firstbell.Refused, "main, other"):
            firstbell.token()
        self.assertEqual(firstbell.token("other").generation, 4)
        with self.assertRaisesRegex(firstbell.Refused, "No such account"):
            firstbell.token("third")

    def test_says_why_there_is_none_and_what_to_do(self):
        stand = self.stand(card(1))
        stand.withhold()
        with self.assertRaises(firstbell.NoToken) as caught:
            firstbell.token()
        why = caught.exception
        self.assertEqual((why.reason, why.retry_after_s), ("firstbell logs in at 08:30.", 7))
        self.assertIn("firstbell goes on by itself", why.cure)
        self.assertIsNotNone(why.again_at)

    def test_waits_for_one(self):
        stand = self.stand(card(1))
        stand.withhold()
        threading.Timer(0.4, stand.hand_out, [card(2)]).start()
        self.assertEqual(firstbell.token(wait_s=20).generation, 2)

    def test_waits_for_the_daemon_itself(self):
        stand = self.stand(card(3))
        stand.stop()
        with self.assertRaises(firstbell.NoDaemon):
            firstbell.token()
        threading.Timer(0.3, stand.restart).start()
        self.assertEqual(firstbell.token(wait_s=20).generation, 3)

    def test_is_not_sent_away_by_a_daemon_that_reads_its_configuration(self):
        stand = self.stand(card(5))
        answers = [(503, {"error": "firstbell is stopping.", "code": "unavailable"})] * 3
        stand.trick = lambda path: answers.pop() if answers else None
        self.assertEqual(firstbell.token("main").generation, 5)
        self.assertEqual(len(stand.asked), 4)

    def test_waits_no_longer_than_it_was_told(self):
        stand = self.stand(card(1))
        stand.withhold()
        began = time.monotonic()
        with self.assertRaises(firstbell.NoToken):
            firstbell.token(wait_s=1.5)
        self.assertLess(time.monotonic() - began, 5)

    def test_takes_no_older_one_than_is_wanted(self):
        stand = self.stand(card(4))
        with self.assertRaisesRegex(firstbell.NoToken, "generation 4"):
            firstbell.token(min_generation=5)
        threading.Timer(0.3, stand.hand_out, [card(5)]).start()
        self.assertEqual(firstbell.token(min_generation=5, wait_s=20).generation, 5)
        self.assertEqual(firstbell.token(min_generation=5).generation, 5)

    def test_what_is_no_answer_is_told_as_such_and_shows_nothing(self):
        stand = self.stand(card(1))
        cases = [b"<html>", b"[]", b"{}", b'{"version": 2}', b"\xff\xfe", b""]
        bad = dict(card(1))
        for key, value in [("generation", "1"), ("generation", True), ("generation", 0), ("access_token", "a\nb"),
                           ("issued", "today"), ("trusted_until", "2026-11-25T08:30:07"), ("account", "other")]:
            cases.append({**bad, key: value})
        for case in cases:
            raw = case if isinstance(case, bytes) else None
            stand.trick = lambda path, case=case, raw=raw: (200, case, raw) if "token" in path else None
            with self.subTest(case=case), self.assertRaises(firstbell.NoDaemon) as caught:
                firstbell.token()
            self.assertNotIn("canary", str(caught.exception))

    def test_an_answer_that_does_not_come_is_not_waited_for_without_end(self):
        stand = self.stand(card(1))
        free = threading.Event()
        self.addCleanup(free.set)
        stand.trick = lambda path: free.wait(30) and None
        with mock.patch.object(_wire, "PATIENCE_S", 0.3), self.assertRaisesRegex(firstbell.NoDaemon, "not answer"):
            firstbell.token("main")


class Places(Bench):
    def test_the_state_folder_s_socket_is_found_by_itself(self):
        stand = self.stand(card(1))
        os.makedirs(os.path.join(self.folder, "firstbell"))
        os.symlink(stand.path, os.path.join(self.folder, "firstbell", "socket"))
        self.environment(XDG_STATE_HOME=self.folder)
        self.assertEqual(firstbell.token().generation, 1)

    @unittest.skipIf(os.geteuid() != 0, "only root can give a socket away")
    def test_a_socket_of_another_user_in_the_state_folder_is_not_believed(self):
        stand = self.stand(card(1))
        os.chown(stand.path, 65534, 65534)
        os.makedirs(os.path.join(self.folder, "firstbell"))
        os.symlink(stand.path, os.path.join(self.folder, "firstbell", "socket"))
        self.environment(XDG_STATE_HOME=self.folder)
        with self.assertRaisesRegex(firstbell.Refused, "belongs to user 65534"):
            firstbell.token()
        self.assertEqual(stand.asked, [])

    def test_a_key_opens_a_loopback_address_and_a_wrong_one_does_not(self):
        self.stand(card(6), key="fbk_right")
        self.assertEqual(firstbell.token().generation, 6)
        url = os.environ["FIRSTBELL_URL"]
        self.environment(FIRSTBELL_URL=url, FIRSTBELL_KEY="fbk_wrong")
        with self.assertRaisesRegex(firstbell.Refused, "not known"):
            firstbell.token()
        file = os.path.join(self.folder, "key")
        with open(file, "w") as opened:
            opened.write("fbk_right\n")
        self.environment(FIRSTBELL_URL=url, FIRSTBELL_KEY_FILE=file)
        self.assertEqual(firstbell.token().generation, 6)

    def test_a_key_goes_to_no_other_machine(self):
        for url in ("http://example.com:7470", "https://127.0.0.1:7470", "http://127.0.0.1", "http://[::1", "nonsense"):
            self.environment(FIRSTBELL_URL=url, FIRSTBELL_KEY="fbk_right")
            with self.subTest(url=url), self.assertRaisesRegex(firstbell.Refused, "127.0.0.1:PORT"):
                firstbell.token("main")
        self.assertNotIn("fbk", repr(_place.Address("127.0.0.1", 1, "fbk_right")))

    def test_a_file_where_the_socket_should_be_is_none(self):
        self.environment(FIRSTBELL_SOCKET=__file__)
        with self.assertRaisesRegex(firstbell.NoDaemon, "no socket"):
            firstbell.token()

    def test_a_socket_that_a_killed_daemon_left_is_none(self):
        path = os.path.join(self.folder, "socket")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        self.environment(FIRSTBELL_SOCKET=path)
        with self.assertRaises(firstbell.NoDaemon):
            firstbell.token()

    def program(self, text):
        path = os.path.join(self.folder, "firstbell")
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o700)
        self.environment(XDG_STATE_HOME=os.path.join(self.folder, "none"), PATH=self.folder)

    def test_the_program_is_asked_where_no_daemon_is(self):
        echo = "echo '{\"accounts\":[{\"account\":\"main\"}]}'"
        text = json.dumps(card(2))
        self.program(f"[ $1 = status ] && {echo} && exit 0\n[ \"$*\" = 'token --format json -- main' ] || exit 9\n"
                     f"echo '{text}'\n")
        self.assertEqual(firstbell.token().generation, 2)

    def test_the_program_s_reason_is_told(self):
        self.program("echo 'firstbell: no token yet.' >&2; echo '  What to do: firstbell login.' >&2; exit 6\n")
        with self.assertRaises(firstbell.NoToken) as caught:
            firstbell.token("main")
        self.assertEqual((caught.exception.reason, caught.exception.cure), ("firstbell: no token yet.", "firstbell login."))

    def test_nobody_there_says_how_to_begin(self):
        with self.assertRaisesRegex(firstbell.NoDaemon, "firstbell run"):
            firstbell.token()


class Hidden(Bench):
    def test_no_way_of_showing_a_token_shows_it(self):
        self.stand(card(1))
        token = firstbell.token()
        shown = [str(token), repr(token), f"{token}", "%r" % (token,), repr([token]), repr(dataclasses.replace(token))]
        with self.assertLogs(level="DEBUG") as logs:
            logging.getLogger("test").warning("%s %r", token, token)
        for text in shown + logs.output:
            self.assertIn("generation=1", text)
            self.assertNotIn("canary", text)
        for way in (pickle.dumps, copy.copy):
            with self.assertRaisesRegex(TypeError, "not pickled"):
                way(token)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            token.generation = 2


if __name__ == "__main__":
    unittest.main()
