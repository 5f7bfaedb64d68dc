"""Every example of the READMEs is run as it stands there, with the packages as they are built."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import packages
from stage import ROOT, Sim, Stand

HERE = Path(__file__).resolve().parent
NEEDED = {"python": "import firstbell", "js": "from 'firstbell'"}


def examples(file, language):
    text = (ROOT / file).read_text()
    return [one for one in re.findall(rf"```{language}\n(.*?)```", text, re.S) if NEEDED[language] in one]


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="fb-test-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.python, cls.node = packages.unpack(cls.folder.name)
        cls.sim = Sim()
        cls.addClassCleanup(cls.sim.end)
        cls.stand = Stand()
        cls.addClassCleanup(cls.stand.end)
        cls.stand.hand_out(cls.sim.card(7, cls.sim.mint()))

    def run_all(self, language, files, command, suffix):
        roots = {"KITE_API": self.sim.api, "KITE_TICKER": self.sim.ticker}
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.python), **self.stand.environment(), **roots}
        count = 0
        for file in files:
            for number, example in enumerate(examples(file, language)):
                with self.subTest(file=file, number=number):
                    path = self.node / f"example{suffix}"
                    path.write_text(example)
                    ended = subprocess.run(
                        [*command, str(path)], capture_output=True, text=True, timeout=60, cwd=self.node, env=environment
                    )
                    self.assertEqual(ended.returncode, 0, ended.stderr)
                    self.assertRegex(ended.stdout, r"AB1234|generation 7|\d", ended.stderr)
                    self.assertNotIn(self.stand.cards["main"]["access_token"], ended.stdout + ended.stderr)
                    count += 1
        return count

    def test_python(self):
        files = ["README.md", "clients/python/README.md"]
        command = [sys.executable, str(HERE / "official_roots.py")]
        self.assertGreaterEqual(self.run_all("python", files, command, ".py"), 6)

    def test_javascript(self):
        files = ["README.md", "clients/node/README.md"]
        command = ["node", "--require", str(HERE / "official_roots.cjs")]
        self.assertGreaterEqual(self.run_all("js", files, command, ".mjs"), 5)


if __name__ == "__main__":
    unittest.main()
