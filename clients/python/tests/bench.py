"""Sets the stage for a test: where the package and the stand-in are, and an environment in which only the stand-in is found."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE.parent.parent / "tests")]

from stage import Sim, Stand, complete, until  # noqa: E402

__all__ = ["Bench", "Changing", "Sim", "Stand", "card", "complete", "until"]


def card(generation, account="main", access_token="canary-Zq7x"):
    return {
        "version": 1, "account": account, "user_id": "AB1234", "api_key": "key1", "access_token": access_token,
        "generation": generation, "issued": "2026-11-25T08:30:07+05:30", "trusted_until": "2026-11-26T05:00:00+05:30",
    }


class Bench(unittest.TestCase):
    """Each test with an environment and a stand-in of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fb-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.environment(XDG_STATE_HOME=self.folder, PATH=self.folder)

    def environment(self, **variables):
        """Sets variables, and takes away all others of firstbell."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTBELL_") or k.endswith("_BIN")}
        patch = mock.patch.dict(os.environ, {**kept, **variables}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def stand(self, *cards, key=None):
        stand = Stand(key)
        self.addCleanup(stand.end)
        for one in cards:
            stand.hand_out(one)
        self.environment(**stand.environment())
        return stand

    def sim(self):
        sim = Sim()
        self.addCleanup(sim.end)
        return sim


class Changing(Bench):
    """With a kitesim, whose token is handed out and changed at will."""

    def setUp(self):
        super().setUp()
        self.stage = self.sim()
        self.server = self.stand()
        self.generation = 0
        self.change()

    def change(self):
        self.generation += 1
        self.server.hand_out(self.stage.card(self.generation, self.stage.mint()))
