"""Speaks HTTP with the daemon over its socket or a loopback address, and keeps the connection."""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple
from urllib.parse import unquote

from ._place import Address, Place, Program, Socket, places
from .errors import FirstbellError, NoDaemon, Refused

#: How long an answer may take beyond what was asked for.
PATIENCE_S = 10.0
#: How often a wait looks whether it was called off.
LOOK_S = 0.25
#: The program proves a token at the broker in some hours, so whoever waits does not run it more often.
RUN_EVERY_S = 30.0
#: A daemon that reads its configuration anew sends everybody away for a moment: so often, and after so long, it is asked again.
LEAVING_TRIES, LEAVING_PAUSE_S = 10, 0.2
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Reply:
    """An answer: its status, and its JSON object (empty where it has none)."""

    status: int
    body: Mapping[str, Any]


class Stopped(Exception):
    """The wait was called off."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("firstbell", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Wire:
    """One connection to the daemon, opened when it is needed. For one thread at a time."""

    def __init__(self) -> None:
        self._open: Optional[Tuple[Place, Optional[http.client.HTTPConnection]]] = None
        self._run_again_at = 0.0

    def close(self) -> None:
        """Closes the connection; the next question opens another one."""
        if self._open and self._open[1]:
            self._open[1].close()
        self._open = None

    def ask(self, path: str, *, wait_s: float = 0.0, stop: Optional[threading.Event] = None) -> Reply:
        """Asks with GET. Raises NoDaemon, Refused where a place cannot be trusted, and Stopped."""
        for _ in range(LEAVING_TRIES):
            reply = self._ask(path, wait_s, stop)
            if reply.status != 503 or reply.body.get("code") != "unavailable":
                break
            if (stop or threading.Event()).wait(LEAVING_PAUSE_S):
                raise Stopped
        return reply

    def _ask(self, path: str, wait_s: float, stop: Optional[threading.Event]) -> Reply:
        if self._open and self._open[1]:
            try:
                return self._exchange(path, wait_s, stop)
            except NoDaemon:
                # A kept connection ends when the daemon does; a question may be asked twice.
                self.close()
        fault: FirstbellError = NoDaemon(
            "no firstbell was found: start firstbell run, or name its socket in FIRSTBELL_SOCKET"
        )
        for place in places():
            try:
                self._connect(place)
                return self._exchange(path, wait_s, stop)
            except NoDaemon as why:
                self.close()
                fault = why
        raise fault

    def _connect(self, place: Place) -> None:
        connection: Optional[http.client.HTTPConnection] = None
        if isinstance(place, Socket):
            place.check()
            connection = _UnixConnection(place.path, PATIENCE_S)
        elif isinstance(place, Address):
            connection = http.client.HTTPConnection(place.host, place.port, timeout=PATIENCE_S)
        if connection is not None:
            self._reach(place, connection)
        self._open = (place, connection)

    def _reach(self, place: Place, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except PermissionError:
            connection.close()
            raise Refused(f"{place} is not for this user; [api] users of firstbell's configuration says who may") from None
        except OSError as fault:
            connection.close()
            raise NoDaemon(f"no firstbell at {place}: {fault.strerror or fault}") from None

    def _exchange(self, path: str, wait_s: float, stop: Optional[threading.Event]) -> Reply:
        assert self._open
        place, connection = self._open
        if connection is None:
            # Whoever waits looks for a socket again before the next question.
            self._open = None
            return self._asked_of_program(str(place), path, wait_s, stop)
        headers = {"Accept": "application/json"}
        if isinstance(place, Address):
            headers["Authorization"] = f"Bearer {place.key}"
        try:
            connection.request("GET", path, headers=headers)
            _await_answer(connection.sock, wait_s + PATIENCE_S, stop)
            answer = connection.getresponse()
            text = answer.read(_LARGEST)
        except Stopped:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise NoDaemon(f"firstbell at {place} does not answer: {type(fault).__name__}") from None
        return Reply(answer.status, _object(text, place))


    def _asked_of_program(self, program: str, path: str, wait_s: float, stop: Optional[threading.Event]) -> Reply:
        rest_s = min(self._run_again_at - time.monotonic(), wait_s, 2.0)
        if rest_s > 0:
            if (stop or threading.Event()).wait(rest_s):
                raise Stopped
            return Reply(204, {})
        self._run_again_at = time.monotonic() + RUN_EVERY_S
        return _run(program, path)


def _await_answer(sock: Any, within_s: float, stop: Optional[threading.Event]) -> None:
    end = time.monotonic() + within_s
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while True:
            if stop is not None and stop.is_set():
                raise Stopped
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if selector.select(left if stop is None else min(left, LOOK_S)):
                return


def _object(text: bytes, place: Place) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NoDaemon(f"what answers at {place} is not firstbell")
    return body


def _run(program: str, path: str) -> Reply:
    """Translates the two questions that the program can answer."""
    parts = path.split("?")[0].strip("/").split("/")
    if parts[-1] == "accounts":
        arguments = ["status", "--json"]
    else:
        arguments = ["token", "--format", "json", "--", unquote(parts[2])]
    try:
        ended = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise NoDaemon(f"{program} cannot be run: {type(fault).__name__}") from None
    if ended.returncode == 0:
        return Reply(200, _object(ended.stdout, Program(program)))
    said = ended.stderr.decode("utf-8", "replace").strip()
    reason, _, cure = said.partition("What to do:")
    body = {"error": " ".join(reason.split()), "cure": " ".join(cure.split())}
    return Reply(503, body)
