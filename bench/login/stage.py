"""What the benchmark stands on: the built programs, the script's environment, one kitesim, and the machine's kind."""

import json
import os
import platform
import re
import secrets
import shutil
import string
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = ROOT / "target" / "release"
VENV = ROOT / "target" / "bench-venv"
HOME = ROOT / "target" / "bench-home"

# Where Debian puts them.
CHROMIUM_FOLDER = Path("/usr/lib/chromium")
CHROMIUM = CHROMIUM_FOLDER / "chromium"
HEADLESS_SHELL = CHROMIUM_FOLDER / "chromium-headless-shell"
CHROMEDRIVER = Path("/usr/bin/chromedriver")
FIREFOX_FOLDER = Path("/usr/lib/firefox-esr")
FIREFOX = FIREFOX_FOLDER / "firefox-esr"
NODE_MODULES = ROOT / "target" / "bench-node" / "node_modules"


class Missing(Exception):
    """Something that the benchmark needs is not there; its text says what, and what to do."""


def need_browsers():
    """Checks the browsers before anything is built."""
    packages = {
        CHROMIUM: "chromium",
        HEADLESS_SHELL: "chromium-headless-shell",
        CHROMEDRIVER: "chromium-driver",
        FIREFOX: "firefox-esr",
    }
    missing = {path: package for path, package in packages.items() if not path.is_file()}
    if missing:
        paths, names = ", ".join(map(str, missing)), " ".join(missing.values())
        raise Missing(f"there is no {paths}; on Debian: apt install {names}")


def geckodriver():
    """No package of Debian's: make browsers builds it."""
    built = ROOT / "target" / "tools" / "bin" / "geckodriver"
    path = built if built.is_file() else shutil.which("geckodriver")
    if path is None:
        raise Missing("there is no geckodriver; run make browsers")
    return Path(path)


def node():
    """Node.js, and Puppeteer in a folder of its own."""
    command = [ROOT / "packaging" / "node.sh", NODE_MODULES.parent, HERE / "node"]
    if not NODE_MODULES.is_dir() and subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise Missing("Puppeteer could not be installed; the complaint stands above")
    path = shutil.which("node")
    if path is None:
        raise Missing("there is no node; on Debian: apt install nodejs")
    return Path(path)


def build():
    """Builds firstbell and kitesim as users get them."""
    if shutil.which("cargo") is None:
        raise Missing("there is no cargo; install Rust")
    command = ["cargo", "build", "--release", "--package", "firstbell", "--package", "kitesim"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise Missing("cargo build --release failed; its complaint stands above")


def need_built():
    for name in ("firstbell", "kitesim"):
        if not (PROGRAMS / name).is_file():
            raise Missing(f"there is no {PROGRAMS / name}; run without --no-build")


def python():
    """The Python of the script's own environment, made anew when its requirements have changed."""
    wanted = (HERE / "requirements.txt").read_text()
    stamp = VENV / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        steps = [
            [sys.executable, "-m", "venv", "--clear", VENV],
            [VENV / "bin" / "pip", "install", "--quiet", "--requirement", HERE / "requirements.txt"],
        ]
        for step in steps:
            if subprocess.run(step, check=False).returncode != 0:
                raise Missing(
                    "the script's environment could not be made (its complaint stands above); it needs Python's venv "
                    "(on Debian: apt install python3-venv) and, the first time, the network"
                )
        stamp.write_text(wanted)
    return VENV / "bin" / "python"


def environment(folder):
    """What every contestant finds around it: nothing of the caller's, and a folder of its own for temporary files.

    The home stays from run to run, so that what a user's machine keeps there (font caches) is kept here too.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(HOME),
        "TMPDIR": str(folder),
        "GECKODRIVER": str(geckodriver()),
        "NODE_PATH": str(NODE_MODULES),
    }


class Kitesim:
    """One simulated Kite with one throw-away account, for the whole benchmark."""

    def __init__(self):
        def word(letters, length):
            return "".join(secrets.choice(letters) for _ in range(length))

        letters = string.ascii_letters + string.digits
        self.account = {
            "user_id": word(string.ascii_uppercase, 2) + word(string.digits, 4),
            "password": word(letters, 16),
            "totp_seed": word(string.ascii_uppercase + "234567", 32),
            "api_key": word(string.ascii_lowercase + string.digits, 16),
            "api_secret": word(string.ascii_lowercase + string.digits, 32),
        }
        self.process = subprocess.Popen(
            [PROGRAMS / "kitesim", "serve", "--account", "-", "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.process.stdin.write(json.dumps(self.account) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Missing("kitesim does not start; try kitesim serve by hand")
        where = json.loads(line)
        self.site, self.api, self.inspect, self.redirect = (
            where[name] for name in ("site", "api", "inspect", "redirect")
        )
        # Several logins fall into one time step, and the real Kite would refuse its code the second time.
        self.ask(self.inspect + "/faults", {"settings": {"totp_reuse": True}})

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def reset(self):
        self.ask(self.inspect + "/reset", {})

    def complaint(self, token):
        """What is wrong with what arrived since the last reset and with the token that came of it; nothing if well."""
        seen = self.ask(self.inspect + "/seen")
        counts = {
            "passwords": seen["password_submissions"],
            "codes": seen["code_submissions"],
            "exchanges": len(seen["exchanges"]),
            "request tokens": seen["finishes"],
            "live tokens": seen["live_tokens"],
        }
        for name, count in counts.items():
            if count != 1:
                return f"kitesim saw {count} {name} instead of one"
        if seen["profile_calls"] < 1:
            return "kitesim saw no profile call, so the token was not proven"
        try:
            whose = self.ask(self.api + "/user/profile", token=token)["data"]["user_id"]
        except OSError as error:
            return f"the token that was written does not work: {error}"
        return None if whose == self.account["user_id"] else "the token that was written is another user's"

    def ask(self, url, body=None, token=None):
        request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
        if token is not None:
            request.add_header("Authorization", f"token {self.account['api_key']}:{token}")
        with LOCAL.open(request, timeout=10) as reply:
            return json.loads(reply.read())


# A proxy that the caller's environment names has no business between us and a loopback address.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def browsers_running():
    """How many processes run a program of a browser's folder; to be asked while no contestant runs."""
    count = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            program = os.readlink(f"/proc/{entry}/exe")
            count += program.startswith((f"{CHROMIUM_FOLDER}/", f"{FIREFOX_FOLDER}/"))
        except OSError:
            pass  # It has ended, or is not ours to ask.
    return count


def machine():
    """The machine's kind, in one line."""
    cpu = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", cpu, re.MULTILINE)
    virtual = " (virtual)" if re.search(r"^flags\s*:.*\bhypervisor\b", cpu, re.MULTILINE) else ""
    memory_kb = int(re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)[1])
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    return ", ".join([
        (model[1] if model else platform.machine()) + virtual,
        f"{len(os.sched_getaffinity(0))} cores",
        f"{memory_kb / 1024**2:.0f} GB of memory",
        f"Linux {platform.release()}",
        system[1] if system else "an unnamed distribution",
        "run by root" if os.geteuid() == 0 else "not run by root",
    ])


def versions():
    """What was measured and with what, in one line."""

    def said(*command):
        text = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout
        number = re.search(r"\d+(\.\d+)+", text)
        return number[0] if number else "?"

    listed = (VENV / "bin" / "pip", "list", "--format", "json", "--disable-pip-version-check")
    packages = json.loads(subprocess.run(listed, capture_output=True, check=True).stdout)
    packages = {package["name"].lower(): package["version"] for package in packages}
    return ", ".join([
        f"firstbell {said(PROGRAMS / 'firstbell', '--version')}",
        f"Chromium {said(CHROMIUM, '--version')}",
        f"headless shell {said(HEADLESS_SHELL, '--version')}",
        f"chromedriver {said(CHROMEDRIVER, '--version')}",
        f"Firefox {said(FIREFOX, '--version')}",
        f"geckodriver {said(geckodriver(), '--version')}",
        f"Selenium {packages['selenium']}",
        f"Puppeteer {json.loads((NODE_MODULES / 'puppeteer-core' / 'package.json').read_text())['version']}",
        f"kiteconnect {packages['kiteconnect']}",
        f"Python {said(VENV / 'bin' / 'python', '--version')}",
        f"rustc {said('rustc', '--version')}",
    ])
