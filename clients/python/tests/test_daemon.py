"""The real daemon: its socket is found, tokens come through changes and restarts, and a key opens its loopback address."""

import os
import socket
import threading
import unittest

from bench import Bench, Sim, until
from stage import Home, program

import firstbell


class Real(Bench):
    def setUp(self):
        super().setUp()
        self.stage = Sim()
        self.addCleanup(self.stage.end)
        self.home = Home(self.stage)
        self.addCleanup(self.home.end)

    def log_in(self):
        self.home.run(["login", "--driver", "http"])

    def test_tokens_come_from_the_state_folder_s_socket_through_a_restart(self):
        self.home.start()
        self.environment(FIRSTBELL_STATE_DIR=str(self.home.state), PATH=self.folder)
        with self.assertRaises(firstbell.NoToken) as caught:
            firstbell.token()
        self.assertTrue(caught.exception.reason and caught.exception.cure, caught.exception)
        with self.assertRaises(firstbell.Refused):
            firstbell.token("nobody")
        threading.Thread(target=self.log_in).start()
        first = firstbell.token(wait_s=50)
        self.assertEqual((first.account, first.user_id, first.generation), ("main", "AB1234", 1))
        kite = firstbell.kite(root=self.stage.api)
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        came, stop = [], threading.Event()
        self.addCleanup(stop.set)

        def run():
            came.extend(token.generation for token in firstbell.watch(stop=stop))

        watcher = threading.Thread(target=run)
        watcher.start()
        until("the present one", lambda: came)
        self.home.stop()
        self.home.start()
        self.assertEqual(firstbell.token(wait_s=50), first)
        self.assertEqual(kite.profile()["user_id"], "AB1234")
        stop.set()
        watcher.join(20)
        self.assertEqual(came, [1], "the same generation is given once")

    def test_a_key_opens_the_loopback_address(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.home.configure(f'[api]\nlisten = "127.0.0.1:{port}"\n')
        self.log_in()
        key = self.home.run(["key", "add", "strategy", "--scope", "token"]).split()[-1]
        self.home.start()
        self.environment(FIRSTBELL_URL=f"http://127.0.0.1:{port}", FIRSTBELL_KEY=key)
        self.assertEqual(firstbell.token(wait_s=50).generation, 1)
        os.environ["FIRSTBELL_KEY"] = key[:-1] + ("a" if key[-1] != "a" else "b")
        with self.assertRaises(firstbell.Refused):
            firstbell.token("main")

    def test_the_program_is_asked_where_no_daemon_runs(self):
        self.log_in()
        wrapper = os.path.join(self.folder, "firstbell")
        variables = " ".join(f"{name}='{value}'" for name, value in self.home.environment().items())
        binary = program("FIRSTBELL_BIN", "firstbell")
        with open(wrapper, "w") as file:
            file.write(f"#!/bin/sh\nexec /usr/bin/env -i {variables} {binary} \"$@\"\n")
        os.chmod(wrapper, 0o700)
        self.environment(PATH=self.folder, XDG_STATE_HOME=os.path.join(self.folder, "none"))
        self.assertEqual(firstbell.token().generation, 1)


if __name__ == "__main__":
    unittest.main()
