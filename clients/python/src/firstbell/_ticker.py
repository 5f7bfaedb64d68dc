"""The official KiteTicker, kept on today's token: the next connection is open and subscribed before the last one is closed."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Optional

from kiteconnect import KiteTicker
from twisted.internet import reactor as _reactor
from twisted.python.threadable import isInIOThread

from ._feed import Feed
from ._handover import Handover, Tick
from ._line import Line
from ._token import Token

reactor: Any = _reactor

#: Two connections live side by side for so long, in seconds: what the old one still has on its way must arrive, and an
#: instrument that is not traded must not keep it open. Zerodha allows three for each API key.
SHORTEST_OVERLAP_S, LONGEST_OVERLAP_S = 1.0, 5.0
#: How long after the change a text of the new connection may be one that the old one told.
ECHO_S = 5.0
#: A refused token is tried again this rarely, in case that the refusal was one of a bad moment.
FIRST_REFUSED_S, LONGEST_REFUSED_S = 60.0, 300.0


def on_reactor(call: Callable[[], None]) -> None:
    """Calls in the reactor's thread; before the reactor runs, when it does."""
    if isInIOThread() and reactor.running:
        call()
    else:
        reactor.callFromThread(call)


class Ticker(KiteTicker):  # type: ignore[misc]
    """KiteTicker with the same methods and callbacks, each of which gets this object."""

    def __init__(self, feed: Feed, reconnect: bool = True, **kwargs: Any) -> None:
        super().__init__("", "", reconnect=reconnect, **kwargs)
        self.factory: Any = None
        self._feed = feed
        self._options = {"debug": self.debug, "root": self.root, "connect_timeout": self.connect_timeout}
        self._reconnect = reconnect
        self._dial: Dict[str, Any] = {}
        self._wanted_open = False
        self._retries = reconnect
        self._line: Optional[Line] = None
        self._next: Optional[Line] = None
        self._leaving: Optional[Line] = None
        self._handover: Optional[Handover] = None
        self._last: Dict[int, Tick] = {}
        self._earliest = 0.0
        self._timers: Dict[str, Any] = {}
        self._tries = 0
        self._next_tries = 0
        self._told_refused = 0
        feed.listen(self._token_changed)

    # What programs call.

    def connect(
        self, threaded: bool = False, disable_ssl_verification: bool = False, proxy: Optional[Dict[str, Any]] = None
    ) -> None:
        """Opens the connection, and runs the reactor unless it runs already, as the official one does."""
        self._dial = {"disable_ssl_verification": disable_ssl_verification, "proxy": proxy}
        on_reactor(self._begin)
        if reactor.running:
            return
        if threaded:
            run = {"installSignalHandlers": False}
            self.websocket_thread = threading.Thread(target=reactor.run, kwargs=run, daemon=True)
            self.websocket_thread.start()
        else:
            reactor.run()

    def close(self, code: Optional[int] = None, reason: Optional[str] = None) -> None:
        """Closes the connection for good."""
        on_reactor(lambda: self._end(code, reason))

    def stop_retry(self) -> None:
        """Lets a connection that is lost be lost."""
        self._retries = False

    def subscribe(self, instrument_tokens: List[int]) -> bool:
        """Subscribes, now or as soon as the connection is open."""
        self.subscribed_tokens.update({token: self.MODE_QUOTE for token in instrument_tokens})
        self._tell({"a": self._message_subscribe, "v": list(instrument_tokens)})
        return True

    def unsubscribe(self, instrument_tokens: List[int]) -> bool:
        """Ends subscriptions."""
        for token in instrument_tokens:
            self.subscribed_tokens.pop(token, None)
        self._tell({"a": self._message_unsubscribe, "v": list(instrument_tokens)})
        return True

    def set_mode(self, mode: str, instrument_tokens: List[int]) -> bool:
        """Sets how much is told of these instruments."""
        self.subscribed_tokens.update({token: mode for token in instrument_tokens})
        self._tell({"a": self._message_setmode, "v": [mode, list(instrument_tokens)]})
        return True

    def resubscribe(self) -> None:
        """Sends all subscriptions and modes once more."""
        for message in self._all_wanted():
            self._tell(message)

    # From here on everything runs in the reactor's thread.

    def _tell(self, message: Dict[str, Any]) -> None:
        def send() -> None:
            for line in (self._line, self._next):
                if line is not None:
                    line.send([message])

        on_reactor(send)

    def _all_wanted(self) -> List[Dict[str, Any]]:
        by_mode: Dict[str, List[int]] = {}
        for token, mode in list(self.subscribed_tokens.items()):
            by_mode.setdefault(mode, []).append(token)
        messages: List[Dict[str, Any]] = []
        for mode, tokens in by_mode.items():
            messages.append({"a": self._message_subscribe, "v": tokens})
            messages.append({"a": self._message_setmode, "v": [mode, tokens]})
        return messages

    def _begin(self) -> None:
        self._wanted_open, self._retries, self._tries = True, self._reconnect, 0
        if self._line is None:
            self._open()

    def _end(self, code: Optional[int], reason: Optional[str]) -> None:
        self._wanted_open = False
        for name in list(self._timers):
            self._call_off(name)
        if self._next is not None:
            self._leaving, self._next = self._next, None
            self._leaving.drop()
        if self._line is not None and self._line.is_connected():
            self._line._close(code, reason)
        elif self._line is not None:
            self._line.drop()

    def _new_line(self) -> Line:
        return Line(self, self._feed.newest(), self._options)

    def _open(self) -> None:
        self._call_off("open")
        if self._wanted_open and self._line is None:
            self._line = self._new_line()
            self._line.connect(**self._dial)

    def _token_changed(self, _token: Token) -> None:
        on_reactor(self._move)

    def _move(self) -> None:
        """Goes over to the newest token."""
        newest, line = self._feed.newest().generation, self._line
        if not self._wanted_open or not self._reconnect or self._leaving is not None:
            return
        if line is None:
            if self._retries:
                self._tries = 0
                self._open()
        elif line.generation >= newest or (self._next is not None and self._next.generation >= newest):
            return
        elif not line.is_open:
            self._leaving, self._line = line, None
            line.drop()
        elif self._next is not None:
            self._leave_next()
        else:
            self._handover = Handover(self.subscribed_tokens, self._last)
            self._next = self._new_line()
            self._next.connect(**self._dial)

    def _leave_next(self) -> None:
        if self._next is not None:
            self._leaving, self._next, self._handover = self._next, None, None
            self._call_off("overlap")
            self._leaving.drop()

    def line_connected(self, line: Line, response: Any) -> None:
        if line is self._line:
            self._tries = 0
            self.factory, self.ws = line.factory, line.ws
            line.send(self._all_wanted())
            self._on_connect(line.ws, response)
        elif line is self._next:
            line.send(self._all_wanted())
            self._earliest = reactor.seconds() + SHORTEST_OVERLAP_S
            self._after("overlap", LONGEST_OVERLAP_S, self._go_over)

    def line_open(self, line: Line) -> None:
        if line is self._line:
            if self.on_open:
                self.on_open(self)
            self._move()

    def line_heard(self, line: Line, payload: bytes, is_binary: bool) -> None:
        if line is not self._line and line is not self._next:
            return
        if is_binary:
            self._heard_ticks(line, payload)
            return
        # Without a next one the line is itself the new one of the last change.
        new = line is self._next or self._next is None
        if self._handover is None or self._handover.text(payload, new=new):
            if self.on_message:
                self.on_message(self, payload, False)
            self._parse_text_message(payload)

    def _heard_ticks(self, line: Line, payload: bytes) -> None:
        if line is self._line and self.on_message:
            self.on_message(self, payload, True)
        ticks: List[Tick] = self._parse_binary(payload) if len(payload) > 4 else []
        if self._next is not None and self._handover is not None:
            ticks = self._handover.of_new(ticks) if line is self._next else self._handover.of_old(ticks)
        self._last.update({tick["instrument_token"]: tick for tick in ticks})
        if ticks and self.on_ticks:
            self.on_ticks(self, ticks)
        over = line is self._next and reactor.seconds() >= self._earliest
        if over and self._handover is not None and self._handover.complete:
            self._go_over()

    def _go_over(self) -> None:
        """The next connection is the one from now on."""
        self._call_off("overlap")
        if self._next is None:
            return
        old, self._line, self._next, self._next_tries = self._line, self._next, None, 0
        self.factory, self.ws = self._line.factory, self._line.ws
        self._after("echo", ECHO_S, self._forget_echo)
        if old is not None:
            self._leaving = old
            old.drop()

    def _forget_echo(self) -> None:
        if self._next is None:
            self._handover = None

    def line_gone(self, line: Line) -> None:
        if line is self._leaving:
            self._leaving = None
            if self._wanted_open:
                self._move()
        elif line is self._next:
            self._next = self._handover = None
            self._call_off("overlap")
            self._next_tries += 1
            self._after("move", self._pause_s(self._next_tries), self._move)
        elif line is self._line:
            self._line = None
            self._lost(line)

    def _lost(self, line: Line) -> None:
        if self._next is not None and self._next.is_open:
            # The program notices nothing: what the old one told, the new one tells.
            self._go_over()
            return
        if self._next is not None:
            self._line, self._next, self._handover = self._next, None, None
        newer = self._feed.newest().generation > line.generation
        if line.refused and not newer:
            self._refused(line)
            return
        if line.error is not None:
            self._on_error(line.ws, *line.error)
        if line.closed is not None:
            self._on_close(line.ws, *line.closed)
        if self._line is None and self._wanted_open and self._retries:
            if newer and self._tries == 0:
                self._tries = 1
                self._open()
            else:
                self._again()

    def _refused(self, line: Line) -> None:
        """The token is dead: the next one opens the connection again."""
        first = self._told_refused != line.generation
        if first:
            self._told_refused, self._tries = line.generation, 0
            code, reason = line.error or (403, "")
            self._on_error(line.ws, code, f"{reason}; firstbell waits for the token after generation {line.generation}")
            if line.closed is not None:
                self._on_close(line.ws, *line.closed)
        if self._wanted_open and self._retries:
            self._tries += 1
            self._after("open", min(FIRST_REFUSED_S * 2.0 ** (self._tries - 1), LONGEST_REFUSED_S), self._open)

    def _again(self) -> None:
        self._tries += 1
        if self._tries > self.reconnect_max_tries:
            self._on_noreconnect()
            return
        self._on_reconnect(self._tries)
        self._after("open", self._pause_s(self._tries), self._open)

    def _pause_s(self, tries: int) -> float:
        return float(min(2 ** min(tries - 1, 10), self.reconnect_max_delay))

    def _after(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._call_off(name)

        def due() -> None:
            self._timers.pop(name, None)
            call()

        self._timers[name] = reactor.callLater(seconds, due)

    def _call_off(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None and timer.active():
            timer.cancel()
