#!/usr/bin/env python3
"""How fast a token is read: firstbell's socket and port beside Redis, a file, and a database asked from Python, in one run.

    python3 bench/read/run.py [--rounds 6] [--seconds 2] [--write]

Needs cargo and redis-server (packaging/redis.sh). Builds what it measures. Exit 0 where every target is met, 1 where one is not.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
RELEASE = ROOT / "target/release"
MARKS = ("<!-- read's table: bench/read/run.py --write replaces everything down to the next mark. -->", "<!-- read's table ends. -->")
SOCKET, PORT, REDIS, FILE, USUAL = "firstbell, socket", "firstbell, port and key", "Redis GET, socket", "a file", "Python and SQLite"


def build():
    """Builds the programs, and says where the loader is."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "--bin", "firstbell", "--bin", "kitesim"], cwd=ROOT, check=True)
    command = ["cargo", "bench", "--locked", "--no-run", "-p", "firstbell", "--bench", "read", "--message-format", "json"]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    built = [json.loads(line) for line in out.splitlines()]
    return next(line["executable"] for line in built if line.get("target", {}).get("name") == "read" and line.get("executable"))


class Stage:
    """A simulated Kite, a daemon with a proven token, a Redis, a file and a database, all in one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.env = {"PATH": os.environ["PATH"], "HOME": folder, "FIRSTBELL_CONFIG": f"{folder}/config.toml",
                    "FIRSTBELL_STATE_DIR": f"{folder}/state"}
        self.running = []

    def firstbell(self, *arguments, text=None):
        done = subprocess.run([RELEASE / "firstbell", *arguments], env=self.env, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"firstbell {arguments}: {done.stderr}")
        return done.stdout

    def start(self, command, **more):
        process = subprocess.Popen(command, **more)
        self.running.append(process)
        return process

    def set(self):
        account = {"user_id": "AB1234", "password": "a bench", "totp_seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
                   "api_key": "benchkey12345678", "api_secret": "benchsecret12345benchsecret12345"}
        sim = self.start([RELEASE / "kitesim", "serve", "--with-parent", "--account", "-"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        sim.stdin.write(json.dumps(account) + "\n")
        sim.stdin.flush()
        said = json.loads(sim.stdout.readline())
        (self.folder / "config.toml").write_text(
            f'[rehearsal]\nsite = "{said["site"]}"\napi = "{said["api"]}"\n[api]\nlisten = "127.0.0.1:0"\n'
            .replace("127.0.0.1:0", f"127.0.0.1:{free_port()}")
            + f'[account.main]\nuser_id = "AB1234"\napi_key = "{account["api_key"]}"\nredirect_url = "{said["redirect"]}"\n')
        self.port = (self.folder / "config.toml").read_text().split('listen = "')[1].split('"')[0]
        for name in ("password", "totp_seed", "api_secret"):
            self.firstbell("secrets", "set", name, text=account[name])
        self.firstbell("login", "--driver", "http")
        self.key = self.firstbell("key", "add", "bench", "--scope", "token").strip().splitlines()[-1]
        self.start([RELEASE / "firstbell", "run"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Asked of the daemon itself once its socket is there: until then the store would answer.
        until(lambda: (self.folder / "state/socket").exists())
        token = self.firstbell("token").strip()
        redis = self.folder / "redis.sock"
        self.start(["redis-server", "--port", "0", "--unixsocket", str(redis), "--save", "", "--dir", str(self.folder)],
                   stdout=subprocess.DEVNULL)
        until(redis.exists)
        subprocess.run(["redis-cli", "-s", redis, "SET", "token", token], check=True, stdout=subprocess.DEVNULL)
        (self.folder / "token").write_text(token + "\n")
        with sqlite3.connect(self.folder / "tokens.db") as database:
            database.execute("CREATE TABLE tokens (account TEXT PRIMARY KEY, access_token TEXT)")
            database.execute("INSERT INTO tokens VALUES ('main', ?)", (token,))

    def end(self):
        for process in reversed(self.running):
            process.terminate()
            process.wait()


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(ready):
    end = time.monotonic() + 20
    while not ready():
        if time.monotonic() > end:
            sys.exit("something did not start within 20 s")
        time.sleep(0.02)


def whole_process(command, env, runs):
    """Milliseconds from start to exit of a program that prints a token."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return {"p50_ms": round(statistics.median(took), 2), "p99_ms": round(took[int(len(took) * 0.99)], 2)}


def measure(arguments):
    loader = arguments.built or build()
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        stage = Stage(folder)
        try:
            stage.set()
            places = [f"{SOCKET}=http-unix:{folder}/state/socket", f"{PORT}=http-tcp:{stage.port}",
                      f"{REDIS}=redis:{folder}/redis.sock", f"{FILE}=file:{folder}/token"]
            command = [loader, "--seconds", str(arguments.seconds), "--rounds", str(arguments.rounds), *places]
            out = subprocess.run(command, env={**stage.env, "FIRSTBELL_KEY": stage.key}, check=True, capture_output=True, text=True)
            reads = json.loads(out.stdout)
            usual = [sys.executable, HERE / "usual.py", f"{folder}/tokens.db", str(arguments.seconds)]
            reads[USUAL] = json.loads(subprocess.run(usual, check=True, capture_output=True, text=True).stdout)
            ask = "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT access_token FROM tokens').fetchone()[0])"
            whole = {
                "firstbell token": whole_process([RELEASE / "firstbell", "token"], stage.env, 300),
                "redis-cli get": whole_process(["redis-cli", "-s", f"{folder}/redis.sock", "GET", "token"], stage.env, 300),
                "cat": whole_process(["cat", f"{folder}/token"], stage.env, 300),
                "python3 and SQLite": whole_process([sys.executable, "-c", ask, f"{folder}/tokens.db"], stage.env, 60),
            }
            published = json.loads(subprocess.run([loader], check=True, capture_output=True, text=True).stdout)
            return {"reads": reads, "whole": whole, "published": published}
        finally:
            stage.end()


def targets(report):
    reads, fast = report["reads"], report["published"]["last_p99_ms"]
    for place in (SOCKET, PORT):
        for clients in ("1", "32"):
            ours, redis = reads[place][clients], reads[REDIS][clients]
            yield f"{place}: p50 within 2 × Redis, {clients} clients", 2 * redis["p50_us"], ours["p50_us"], ours["p50_us"] <= 2 * redis["p50_us"]
            yield f"{place}: half of Redis's reads, {clients} clients", redis["a_second"] / 2, ours["a_second"], ours["a_second"] >= redis["a_second"] / 2
    whole = report["whole"]["firstbell token"]["p50_ms"]
    yield "firstbell token, whole process, ms", 5, whole, whole < 5
    yield "published to the last of 100 subscribers, p99, ms", 20, fast, fast < 20


def table(report):
    machine = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    lines = [f"{datetime.date.today()}. {machine}, {os.cpu_count()} cores, Linux {platform.release()}; load at the end {os.getloadavg()[0]:.2f}.", "",
             "| where | clients | reads a second | p50, µs | p99, µs |", "|---|---:|---:|---:|---:|"]
    for place, rows in report["reads"].items():
        lines += [f"| {place} | {n} | {row['a_second']:,.0f} | {row['p50_us']:,} | {row['p99_us']:,} |" for n, row in rows.items()]
    lines += ["", "| a whole process | p50, ms | p99, ms |", "|---|---:|---:|"]
    lines += [f"| {name} | {row['p50_ms']} | {row['p99_ms']} |" for name, row in report["whole"].items()]
    fast = report["published"]
    lines += ["", f"Published to the last of {fast['subscribers']} subscribers, {fast['generations']} times: p50 {fast['last_p50_ms']} ms, "
              f"p99 {fast['last_p99_ms']} ms.", "", "| target | at | reached |     |", "|---|---:|---:|---|"]
    lines += [f"| {what} | {at:,} | {reached:,} | {'met' if met else 'MISSED'} |" for what, at, reached, met in targets(report)]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--seconds", type=float, default=2)
    arguments.add_argument("--built", metavar="LOADER", help="measure what is built already, with this loader")
    arguments.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    arguments = arguments.parse_args()
    report = measure(arguments)
    text = table(report)
    print(text)
    if arguments.write:
        readme = HERE.parent / "README.md"
        before, rest = readme.read_text().split(MARKS[0])
        readme.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}")
    sys.exit(0 if all(met for *_, met in targets(report)) else 1)


main()
