"""Where the daemon may be: a socket, a loopback address with a key, or the program itself."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import List, Optional, Union
from urllib.parse import urlsplit

from .errors import NoDaemon, Refused

#: The socket that an administrator makes for programs of other users.
SHARED_SOCKET = "/run/firstbell/api"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Socket:
    """A Unix socket; with `ours` only one that this user or root made is believed."""

    path: str
    ours: bool = False

    def check(self) -> None:
        """Raises where it is no socket of whom it must be: who stands there instead could hand out his own account."""
        try:
            found = os.stat(self.path)
        except OSError as fault:
            raise NoDaemon(f"no firstbell at {self.path}: {fault.strerror}") from None
        if not stat.S_ISSOCK(found.st_mode):
            raise NoDaemon(f"no firstbell at {self.path}: it is no socket")
        if self.ours and found.st_uid not in (os.geteuid(), 0):
            raise Refused(f"{self.path} belongs to user {found.st_uid}; look who made it, or name it in FIRSTBELL_SOCKET")

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Address:
    """A loopback address, and the key for it."""

    host: str
    port: int
    key: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Program:
    """The program `firstbell`, which reads the store itself."""

    path: str

    def __str__(self) -> str:
        return self.path


Place = Union[Socket, Address, Program]


def places() -> List[Place]:
    """Where to look, in this order. What the environment names is the only place then."""
    socket = os.environ.get("FIRSTBELL_SOCKET")
    if socket:
        return [Socket(socket)]
    url = os.environ.get("FIRSTBELL_URL")
    if url:
        return [_address(url)]
    found: List[Place] = [Socket(os.path.join(_state_folder(), "socket"), ours=True), Socket(SHARED_SOCKET)]
    found = [place for place in found if os.path.exists(str(place))]
    program = shutil.which("firstbell")
    if program:
        found.append(Program(program))
    return found


def _address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme != "http" or host not in _LOOPBACK or port is None:
        # The key would travel in clear text.
        raise Refused("FIRSTBELL_URL must be http://127.0.0.1:PORT: firstbell listens on this machine only")
    return Address(host or "", port, _key())


def _key() -> str:
    key: Optional[str] = os.environ.get("FIRSTBELL_KEY")
    file = os.environ.get("FIRSTBELL_KEY_FILE")
    if not key and file:
        try:
            with open(file, encoding="ascii") as opened:
                key = opened.read().strip()
        except (OSError, UnicodeError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else "it is no plain text"
            raise Refused(f"FIRSTBELL_KEY_FILE {file} cannot be read: {why}") from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Refused("FIRSTBELL_URL needs FIRSTBELL_KEY or FIRSTBELL_KEY_FILE; firstbell key add NAME makes a key")
    return key


def _state_folder() -> str:
    own = os.environ.get("FIRSTBELL_STATE_DIR")
    if own:
        return own
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "firstbell")
