"""One connection of the official ticker, with one token: tells its owner what comes, and never opens itself again."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Protocol, Tuple

from kiteconnect import KiteTicker

from ._token import Token

#: Code and reason.
Why = Tuple[Any, str]


class Owner(Protocol):
    """Who hears of a line; all calls come in the reactor's thread."""

    def line_connected(self, line: "Line", response: Any) -> None:
        """The handshake is done."""

    def line_open(self, line: "Line") -> None:
        """It is open."""

    def line_heard(self, line: "Line", payload: bytes, is_binary: bool) -> None:
        """A message came."""

    def line_gone(self, line: "Line") -> None:
        """It ended, or never opened."""


class Line(KiteTicker):  # type: ignore[misc]
    """A connection that is used once."""

    def __init__(self, owner: Owner, token: Token, options: Dict[str, Any]) -> None:
        super().__init__(token.api_key, token.access_token, **options)
        self.generation = token.generation
        self.is_open = False
        #: Why it ended uncleanly, and how it was closed, as far as that is known.
        self.error: Optional[Why] = None
        self.closed: Optional[Why] = None
        self._owner = owner
        self._connector: Any = None

    @property
    def refused(self) -> bool:
        """Whether the handshake was answered with 403, as it is for a token that is dead or not yet known."""
        return not self.is_open and self.error is not None and "403" in self.error[1]

    def send(self, messages: List[Dict[str, Any]]) -> None:
        """Sends, where it is open; else whoever opens it sends all that is wanted."""
        if self.is_connected():
            for message in messages:
                self.ws.sendMessage(json.dumps(message).encode())

    def drop(self) -> None:
        """Ends it, in whatever state it is."""
        if self.is_connected():
            self.ws.sendClose()
        elif self._connector is not None:
            self._connector.disconnect()

    def _create_connection(self, url: str, **kwargs: Any) -> None:
        super()._create_connection(url, **kwargs)
        # The factory would open it again with the same token, for hours; its owner knows better.
        self.factory.startedConnecting = self._started
        self.factory.clientConnectionFailed = self._failed
        self.factory.clientConnectionLost = self._lost

    def _started(self, connector: Any) -> None:
        self._connector = connector

    def _failed(self, _connector: Any, reason: Any) -> None:
        self.error = (1006, reason.getErrorMessage())
        self._owner.line_gone(self)

    def _lost(self, _connector: Any, _reason: Any) -> None:
        self._owner.line_gone(self)

    def _on_connect(self, ws: Any, response: Any) -> None:
        self.ws, self.is_open = ws, True
        self._owner.line_connected(self, response)

    def _on_open(self, ws: Any) -> None:
        self._owner.line_open(self)

    def _on_message(self, ws: Any, payload: bytes, is_binary: bool) -> None:
        self._owner.line_heard(self, payload, is_binary)

    def _on_error(self, ws: Any, code: Any, reason: Any) -> None:
        self.error = (code, str(reason))

    def _on_close(self, ws: Any, code: Any, reason: Any) -> None:
        self.closed = (code, str(reason))
