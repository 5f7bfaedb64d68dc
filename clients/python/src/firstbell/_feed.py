"""Holds the newest token of one account in the background, for objects that outlive many tokens."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Callable, List, Optional

from ._token import Token
from ._watch import newer
from .errors import Refused

#: How long to wait after firstbell refused us: a person has to change something first.
REFUSED_PAUSE_S = 30.0


class Feed:
    """The newest token. Its thread ends with this object; after a fork the child gets a thread of its own."""

    def __init__(self, first: Token) -> None:
        self._token = first
        self._listeners: List["weakref.WeakMethod[Callable[[Token], None]]"] = []
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        stop = threading.Event()
        arguments = (weakref.ref(self), self._token.account, self._token.generation, stop)
        threading.Thread(target=_follow, args=arguments, name="firstbell", daemon=True).start()
        self._ended = weakref.finalize(self, stop.set)

    def newest(self) -> Token:
        """The newest token that is known."""
        if self._process != os.getpid():
            # Threads do not survive a fork, and a lock may have been held in that moment.
            self._ended.detach()
            self._begin()
        return self._token

    def newer(self, generation: int, within_s: float) -> Optional[Token]:
        """One that is newer than this, if there is one or comes in time."""
        self.newest()
        end = time.monotonic() + within_s
        with self._changed:
            while self._token.generation <= generation:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            return self._token

    def listen(self, method: Callable[[Token], None]) -> None:
        """Calls a bound method with each newer token, in the feed's thread, for as long as its object lives."""
        self._listeners.append(weakref.WeakMethod(method))

    def take(self, token: Token) -> None:
        """Takes a newer token; an older one is ignored."""
        with self._changed:
            if token.generation <= self._token.generation:
                return
            self._token = token
            self._changed.notify_all()
        for listener in [reference() for reference in self._listeners]:
            if listener is not None:
                listener(token)


def _follow(reference: "weakref.ref[Feed]", account: str, since: int, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            for token in newer(account, since, stop):
                since = token.generation
                feed = reference()
                if feed is None:
                    return
                feed.take(token)
                del feed
        except Refused:
            stop.wait(REFUSED_PAUSE_S)
