#!/usr/bin/env python3
"""What keeping accounts costs while nothing happens: firstbell run beside a scheduler of Python, in one run.

    python3 bench/idle/run.py [--seconds 60] [--write]

Needs target/release/firstbell (cargo build --release). Makes a virtual environment in target/idle-venv on the first run.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
FIRSTBELL = ROOT / "target/release/firstbell"
VENV = ROOT / "target/idle-venv"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def memory_mib(pid):
    """Resident and proportional size, in MiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return sizes["Rss"] / 1024, sizes["Pss"] / 1024


def cpu_s(pid):
    """Seconds of processor time so far, with those of children that ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[n]) for n in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def children(pid):
    return len(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def measure(process, seconds):
    before = cpu_s(process.pid)
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    rss, pss = memory_mib(process.pid)
    cpu = (cpu_s(process.pid) - before) / passed * 3600
    return {"rss_mib": round(rss, 1), "pss_mib": round(pss, 1), "cpu_s_an_hour": round(cpu, 2),
            "children": children(process.pid)}


def firstbell(accounts, seconds):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # Nobody trades while this runs, so that all there is to do is to wait.
        today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=5, minutes=30))).date()
        days = [today + datetime.timedelta(days=n) for n in (-1, 0, 1)]
        lists = []
        for year in sorted({day.year for day in days}):
            text = f'form = 1\nexchange = "nse"\nyear = {year}\nsources = ["the measurement"]\n'
            for day in days:
                if day.year == year:
                    text += f'[[day]]\ndate = "{day}"\nname = "measured"\nkind = "closed"\n'
            path = folder / f"closed-{year}.toml"
            path.write_text(text)
            lists.append(str(path))
        config = folder / "config.toml"
        lines = [f'state_dir = "{folder}/state"', f"calendar = {json.dumps(lists)}", 'drivers = ["http"]']
        for n in range(accounts):
            lines += [
                f"[account.a{n}]", f'user_id = "AB{n:05}"', f'api_key = "kitekey{n:05}"',
                'redirect_url = "http://127.0.0.1:5000/"', 'exchanges = ["nse"]',
                'password = { env = "BENCH_PASSWORD" }', 'totp_seed = { env = "BENCH_SEED" }',
                'api_secret = { env = "BENCH_PASSWORD" }',
            ]
        config.write_text("\n".join(lines))
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "BENCH_PASSWORD": "not a password", "BENCH_SEED": SEED}
        process = subprocess.Popen([FIRSTBELL, "--config", config, "run"], env=env, stdout=subprocess.PIPE, text=True)
        try:
            began = time.monotonic()
            waiting = 0
            while waiting < accounts:
                waiting += " next " in process.stdout.readline()
            took = time.monotonic() - began
            return {**measure(process, seconds), "start_s": round(took, 2)}
        finally:
            process.terminate()
            process.stdout.read()
            process.wait()


def usual(accounts, seconds):
    python = VENV / "bin/python"
    began = time.monotonic()
    process = subprocess.Popen([python, HERE / "usual.py", str(accounts)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        took = time.monotonic() - began
        return {**measure(process, seconds), "start_s": round(took, 2)}
    finally:
        process.stdin.close()
        process.wait()


def decide():
    """Milliseconds to decide for 10,000 accounts."""
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "firstbell-core", "--bench", "decide"]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--write", action="store_true", help="write bench/idle/results.json")
    arguments = arguments.parse_args()
    if not FIRSTBELL.exists():
        sys.exit("build it first: cargo build --release --locked -p firstbell")
    if not (VENV / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin/pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        (VENV / "ready").touch()
    rows = {}
    for accounts in (1, 10_000):
        rows[f"firstbell run, {accounts} accounts"] = firstbell(accounts, arguments.seconds)
        rows[f"APScheduler, {accounts} accounts"] = usual(accounts, arguments.seconds)
    report = {"rows": rows, "decide": decide(), "seconds": arguments.seconds, "load": os.getloadavg()[0]}
    for name, row in rows.items():
        print(f"{name:36} {row}")
    print(report["decide"])
    if arguments.write:
        (HERE / "results.json").write_text(json.dumps(report, indent=2) + "\n")


main()
