#!/usr/bin/env python3
"""Measures one login from cold start to proven token: firstbell in five ways, and the usual scripts.

All of them log in to one kitesim on this machine, one after another, round by round. See bench/README.md for what is
measured and how fair it is. Exit codes: 0 every target is met, 1 one is missed or was not measured, 2 a contestant
failed or something that is needed is not there.
"""

import argparse
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import measure
import stage

STEP_S = 30
FRESH_S = 15
"""firstbell sends no code in the last seconds of its time step; with this much left, nobody ever waits for the next."""

BROWSERS_GONE_S = 120

README = stage.HERE.parent / "README.md"
OPENS = "<!-- The table: run.py --write replaces everything down to the next mark. -->"
CLOSES = "<!-- The table ends. -->"


class Failed(Exception):
    """A run that did not end with a proven token; its text says which and why."""


@dataclass
class Contestant:
    """Who logs in, with what, and what is asked of it."""

    name: str
    driver: "str | None" = None
    """firstbell's driver; nothing for a script."""
    browser: "Path | None" = None
    script: tuple = ("python", "usual.py")
    """A script's interpreter, file and last words."""
    against: str = "the usual script"
    """Whose figures are the measure of this one's."""
    wall_target: "float | None" = None
    memory_target: "float | None" = None
    walls_ms: list = field(default_factory=list)
    cpus_s: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    trees: list = field(default_factory=list)

    def command(self, folder, kitesim, python):
        """Lays out everything that may lie there before a cold start, and gives the command to measure."""
        if self.driver is None:
            credentials = {**kitesim.account, "site": kitesim.site, "api": kitesim.api}
            write_private(folder / "credentials.json", json.dumps(credentials))
            interpreter, file, *words = self.script
            program = python if interpreter == "python" else stage.node()
            return [program, stage.HERE / file, folder / "credentials.json", folder / "token", *words]
        write_private(folder / "config.toml", self.configuration(folder, kitesim))
        firstbell = [stage.PROGRAMS / "firstbell", "--config", folder / "config.toml"]
        for name in ("password", "totp_seed", "api_secret"):
            command = [*firstbell, "secrets", "set", name]
            kept = subprocess.run(
                command,
                input=kitesim.account[name],
                env=stage.environment(folder),
                capture_output=True,
                text=True,
                check=False,
            )
            if kept.returncode != 0:
                raise Failed(f"{self.name}: {name} could not be stored: {kept.stderr.strip()}")
        return [*firstbell, "login", "--json"]

    def configuration(self, folder, kitesim):
        table = "webdriver" if self.driver == "webdriver" else "browser"
        browser = f'[{table}]\nbinary = "{self.browser}"\n' if self.browser else ""
        return (
            f'driver = "{self.driver}"\nstate_dir = "{folder}/state"\n{browser}'
            f'[rehearsal]\nsite = "{kitesim.site}"\napi = "{kitesim.api}"\n'
            f'[account.bench]\nuser_id = "{kitesim.account["user_id"]}"\napi_key = "{kitesim.account["api_key"]}"\n'
            f'redirect_url = "{kitesim.redirect}"\n'
            f'[[account.bench.sink]]\nkind = "file"\npath = "{folder}/token"\n'
        )

    def once(self, kitesim, python, *, watch):
        """One cold login, measured and checked."""
        with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as name:
            folder = Path(name)
            command = self.command(folder, kitesim, python)
            kitesim.reset()
            if watch:
                wait_for_lonely_browser()
            wait_for_fresh_step()
            run = measure.run(command, stage.environment(folder), folder, watch=watch)
            if run.code != 0:
                said = (folder / "stderr").read_text(errors="replace").strip()[-2000:]
                raise Failed(f"{self.name}: exit code {run.code} after {run.wall_s:.1f} s:\n{said}")
            token = (folder / "token").read_text().strip() if (folder / "token").is_file() else ""
            complaint = kitesim.complaint(token) if token else "no token was written"
            if complaint:
                raise Failed(f"{self.name}: {complaint}")
            return run, self.read_steps((folder / "stdout").read_text())

    def read_steps(self, said):
        """What the contestant itself says of its steps, in milliseconds."""
        told = json.loads(said)
        return told if self.driver is None else {step["step"]: step["ms"] for step in told["steps"]}

    def keep(self, run, steps):
        """Takes a run into account."""
        if run.tree is not None:
            self.trees.append(run.tree)
            return
        self.walls_ms.append(run.wall_s * 1000)
        self.steps.append(steps)
        if run.cpu_s is not None:
            self.cpus_s.append(run.cpu_s)

    @property
    def wall_ms(self):
        return statistics.median(self.walls_ms)

    @property
    def pss_mb(self):
        """The median of the peaks; nothing where some memory could not be read."""
        if not self.trees or any(tree.hidden for tree in self.trees):
            return None
        return statistics.median(tree.pss_kb for tree in self.trees) / 1024


def contestants():
    """The script with Selenium and Chromium is the measure of most; what drives Firefox is measured by the same on Firefox."""
    on_firefox = "the usual script on Firefox"
    return [
        Contestant("firstbell, headless shell", "chrome", stage.HEADLESS_SHELL, wall_target=0.20, memory_target=0.55),
        Contestant("firstbell, full Chromium", "chrome", stage.CHROMIUM, wall_target=0.50),
        Contestant("firstbell, http", "http", wall_target=0.01),
        Contestant("firstbell, chromedriver", "webdriver", stage.CHROMIUM),
        Contestant("firstbell, Firefox", "firefox", wall_target=0.80, against=on_firefox),
        Contestant("the usual Puppeteer script", script=("node", "usual.js")),
        Contestant(on_firefox, script=("python", "usual.py", "firefox"), against=on_firefox),
        Contestant("the usual script"),
    ]


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def wait_for_fresh_step():
    left_s = STEP_S - time.time() % STEP_S
    if left_s < FRESH_S:
        time.sleep(left_s + 0.1)


def wait_for_lonely_browser():
    """Other browsers share their pages with the measured one, and its PSS would come out too small."""
    until = time.monotonic() + BROWSERS_GONE_S
    while stage.browsers_running():
        if time.monotonic() > until:
            raise Failed("another browser of the same kind is running, so that memory cannot be measured; end it first")
        time.sleep(0.5)


def compete(them, rounds, memory_rounds, python):
    """All rounds. The first is not counted: it brings the programs into the page cache, for everybody alike."""
    kitesim = stage.Kitesim()
    try:
        for number in range(1 + rounds + memory_rounds):
            watch = number > rounds
            # Another one begins each round, so that nobody always runs behind the same neighbour.
            first = number % len(them)
            for one in them[first:] + them[:first]:
                run, steps = one.once(kitesim, python, watch=watch)
                while watch and stage.browsers_running():
                    print(f"bench: another browser came; {one.name} runs once more", file=sys.stderr)
                    run, steps = one.once(kitesim, python, watch=watch)
                if number > 0:
                    one.keep(run, steps)
                say_run(number, rounds, one, run)
    finally:
        kitesim.end()


def say_run(number, rounds, one, run):
    kind = "warm-up" if number == 0 else f"memory {number - rounds}" if number > rounds else f"round {number}"
    cpu = "" if run.cpu_s is None else f", {run.cpu_s:.2f} s of CPU"
    tree = run.tree
    memory = "" if tree is None else f", {tree.pss_kb / 1024:.0f} MB in {tree.most} processes, {tree.looks} looks"
    print(f"{kind:>9}  {one.name:<26} {run.wall_s * 1000:7.0f} ms{cpu}{memory}", file=sys.stderr, flush=True)


def measure_of(one, them):
    """The script against which this one is held."""
    return next(other for other in them if other.name == one.against)


def verdicts(them):
    """Every target: what it is, the ratio that was measured (nothing if none could be), and the most it may be."""
    for one in them:
        script = measure_of(one, them)
        if one.wall_target is not None:
            yield f"{one.name}: wall time", one.wall_ms / script.wall_ms, one.wall_target
        if one.memory_target is not None:
            known = one.pss_mb is not None and script.pss_mb is not None
            yield f"{one.name}: peak memory", one.pss_mb / script.pss_mb if known else None, one.memory_target


def is_met(ratio, target):
    return ratio is not None and ratio <= target


def table(them):
    head = ["contestant", "wall ms: median (min–max)", "ratio", "CPU s", "peak PSS MB: median (min–max)", "ratio"]
    rows = [head, ["---", "---:", "---:", "---:", "---:", "---:"]]
    for one in them:
        script = measure_of(one, them)
        peaks = [tree.pss_kb / 1024 for tree in one.trees]
        known = one.pss_mb is not None
        both = known and script.pss_mb is not None
        rows.append([
            one.name,
            f"{one.wall_ms:,.0f} ({min(one.walls_ms):,.0f}–{max(one.walls_ms):,.0f})",
            f"{one.wall_ms / script.wall_ms:.3f}",
            f"{statistics.median(one.cpus_s):.2f}" if one.cpus_s else "–",
            f"{one.pss_mb:,.0f} ({min(peaks):,.0f}–{max(peaks):,.0f})" if known else "–",
            f"{one.pss_mb / script.pss_mb:.3f}" if both else "–",
        ])
    return aligned(rows)


def target_table(them):
    rows = [["target: ratio to the script of the same browser", "at most", "measured", ""], ["---", "---:", "---:", "---"]]
    for what, ratio, target in verdicts(them):
        verdict = "not measured" if ratio is None else "met" if is_met(ratio, target) else "**missed**"
        rows.append([what, f"{target:.2f}", "–" if ratio is None else f"{ratio:.3f}", verdict])
    return aligned(rows)


def aligned(rows):
    """A Markdown table that can be read as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def cell(text, width, mark):
        if set(text) <= set("-:") and text:
            return text.replace("---", "-" * (width - len(text) + 3))
        return text.rjust(width) if mark.endswith(":") else text.ljust(width)

    return "\n".join(
        "| " + " | ".join(cell(*three) for three in zip(row, widths, rows[1])) + " |" for row in rows
    )


def step_lines(them):
    """Where each one's time goes, as it says itself."""
    for one in them:
        names = list(dict.fromkeys(name for steps in one.steps for name in steps))
        medians = {name: statistics.median(steps.get(name, 0) for steps in one.steps) for name in names}
        yield f"- {one.name}: " + ", ".join(f"{name} {ms:.0f}" for name, ms in medians.items())


def report(them, rounds, memory_rounds, load):
    shm = ", ".join(f"{one.name} {max(t.shm_kb for t in one.trees) / 1024:.0f} MB" for one in them if one.trees)
    parts = [
        f"{datetime.date.today().isoformat()}. {stage.machine()}; load before the start {load:.2f}. "
        f"{stage.versions()}. {rounds} timed rounds, {memory_rounds} memory rounds.",
        table(them),
        target_table(them),
        "Where the time goes, as each contestant says itself (medians in ms):",
        "\n".join(step_lines(them)),
    ]
    if shm:
        parts.append(f"Files on /dev/shm, most at one look, beside the PSS: {shm}.")
    if not any(one.cpus_s for one in them):
        parts.append("CPU time: this kernel did not count it for this user (see perf_event_paranoid).")
    if any(tree.hidden for one in them for tree in one.trees):
        parts.append("Memory: sandboxed processes hide theirs from all but root, so it was not measured.")
    return "\n\n".join(parts)


def write(text):
    readme = README.read_text(encoding="utf-8")
    before, opens, rest = readme.partition(OPENS)
    _, closes, after = rest.partition(CLOSES)
    if not opens or not closes:
        raise Failed(f"{README.name} has lost the marks between which the table stands")
    README.write_text(f"{before}{OPENS}\n\n{text}\n\n{CLOSES}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds, beside one that warms up [15]")
    parser.add_argument("--memory-rounds", type=int, default=3, help="rounds in which memory is measured [3]")
    parser.add_argument("--no-build", action="store_true", help="take firstbell and kitesim as they were built last")
    parser.add_argument("--write", action="store_true", help="write the table into bench/README.md")
    args = parser.parse_args()
    if args.rounds < 1 or args.memory_rounds < 0:
        parser.error("there must be one round at least")
    them = contestants()
    # Being told to end and being interrupted are one: whatever runs is ended first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stage.need_browsers()
        load = os.getloadavg()[0]
        if not args.no_build:
            stage.build()
        stage.need_built()
        python = stage.python()
        stage.node()
        stage.geckodriver()
        measure.adopt_orphans()
        if load > 0.5:
            print(f"bench: this machine is busy (load {load:.2f}); the numbers will say so", file=sys.stderr)
        compete(them, args.rounds, args.memory_rounds, python)
        text = report(them, args.rounds, args.memory_rounds, load)
        print(text)
        if args.write:
            write(text)
    except (stage.Missing, Failed) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0 if all(is_met(ratio, target) for _, ratio, target in verdicts(them)) else 1


if __name__ == "__main__":
    sys.exit(main())
