#!/usr/bin/env python3
"""Builds every test of the workspace and runs its programs side by side: most of a test is waiting for a server or a browser.

What a program printed is shown where it failed, and then the others still run. TESTS_AT_ONCE=1 runs one after another; names
of programs as arguments run these only.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO", "cargo")
# What takes longest begins first, so that nobody waits for it alone in the end.
LONGEST = ["crash", "lookalike", "canary", "mutations", "hostile", "matrix", "days", "evidence", "login", "worker", "sudden", "nodes"]
# Longer than any of them takes, also on a machine that does much else: what hangs is told, and not waited for.
LIMIT_S = 1200


def built():
    """Every test program: its name, its file, and the folder of its crate, where cargo would start it."""
    command = [CARGO, "test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    tests = [one for one in said if one.get("executable") and one["profile"]["test"]]
    return [(one["target"]["name"], one["executable"], Path(one["manifest_path"]).parent) for one in tests]


def run(test):
    """Whether a program ended well; what there is to say of it is said."""
    name, program, folder = test
    began = time.monotonic()
    environment = dict(os.environ, CARGO_MANIFEST_DIR=str(folder))
    try:
        done = subprocess.run([program], cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        said, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        said, code = (late.stdout or b"").decode(errors="replace"), None
    lines = said.splitlines()
    usual = "no result" if code is not None else f"not over after {LIMIT_S} s"
    result = next((line for line in lines if line.startswith("test result:")), usual)
    good = code == 0 and result.startswith("test result: ok.")
    said = f"{folder.name + '/' + name:<30} {time.monotonic() - began:6.1f} s  {result.removeprefix('test result: ')}"
    if not good:
        said = "\n".join([line for line in lines if not line.endswith("... ok")] + [said])
    print(said, flush=True)
    return good


def main():
    tests = [test for test in built() if len(sys.argv) == 1 or test[0] in sys.argv[1:]]
    if not tests:
        sys.exit("there is no such test program")
    tests.sort(key=lambda test: LONGEST.index(test[0]) if test[0] in LONGEST else len(LONGEST))
    with ThreadPoolExecutor(int(os.environ.get("TESTS_AT_ONCE") or os.cpu_count() or 2)) as lanes:
        outcomes = list(lanes.map(run, tests))
    failed = [test[0] for test, good in zip(tests, outcomes, strict=True) if not good]
    print(f"{len(tests)} programs, {len(failed)} failed {' '.join(failed)}".rstrip())
    if not failed and len(sys.argv) == 1:
        failed = subprocess.run([CARGO, "test", "--workspace", "--locked", "--doc", "--quiet"], cwd=ROOT).returncode
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
