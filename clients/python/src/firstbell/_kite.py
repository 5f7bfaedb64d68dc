"""The official KiteConnect, kept on today's token: a read that meets a dead token is asked once more, an order never."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Optional

from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

from ._feed import Feed
from ._token import Token

#: How long reads with a token that was refused are not sent again. A refusal may be one of a bad moment, so it is not for ever.
REFUSED_S = 60.0


class Kite(KiteConnect):  # type: ignore[misc]
    """KiteConnect whose access token is always the newest one that firstbell hands out."""

    def __init__(self, feed: Feed, patience_s: float, **kwargs: Any) -> None:
        self._feed = feed
        self._patience_s = patience_s
        self._state = threading.Lock()
        self._refused = (0, 0.0)
        self._expiry_hook: Optional[Callable[[], Any]] = None
        #: The token of the call that this thread makes just now, from which the official client builds its header.
        self._sending = threading.local()
        self._set = feed.newest()
        super().__init__(self._set.api_key, access_token=self._set.access_token, **kwargs)

    @property
    def api_key(self) -> Any:
        """The API key; during a call, that of the token which the call is made with."""
        return getattr(self._sending, "api_key", self._api_key)

    @api_key.setter
    def api_key(self, value: Any) -> None:
        self._api_key = value

    @property
    def access_token(self) -> Any:
        """The newest access token; during a call, the one which the call is made with."""
        return getattr(self._sending, "access_token", self._access_token)

    @access_token.setter
    def access_token(self, value: Any) -> None:
        self._access_token = value

    def set_session_expiry_hook(self, method: Callable[[], Any]) -> None:
        """The hook is called when a refusal goes out to the program, not for one that the next token mended."""
        super().set_session_expiry_hook(method)
        self._expiry_hook, self.session_expiry_hook = method, None

    def _request(self, route: str, method: str, *args: Any, **kwargs: Any) -> Any:
        # Those calls carry tokens of their own, and what they are refused for is not today's.
        if route.startswith("api.token"):
            return super()._request(route, method, *args, **kwargs)
        reads = method == "GET"
        used = self._freshen(self._feed.newest())
        if reads:
            used = self._not_the_refused(used)
        try:
            return self._send(used, route, method, *args, **kwargs)
        except TokenException:
            self._remember(used.generation)
            newer = self._feed.newer(used.generation, self._patience_s if reads else 0)
            if newer is not None:
                newer = self._freshen(newer)
            if newer is None or not reads:
                self._expired()
                raise
        try:
            return self._send(newer, route, method, *args, **kwargs)
        except TokenException:
            self._remember(newer.generation)
            self._expired()
            raise

    def _send(self, token: Token, *args: Any, **kwargs: Any) -> Any:
        """Sends with this token and no other one, whatever other threads do meanwhile: who is refused must know for which."""
        self._sending.api_key, self._sending.access_token = token.api_key, token.access_token
        try:
            return super()._request(*args, **kwargs)
        finally:
            del self._sending.api_key, self._sending.access_token

    def _freshen(self, token: Token) -> Token:
        """Sets this token, unless another thread has set a newer one; gives the one that is set."""
        with self._state:
            if token.generation >= self._set.generation:
                self._set = token
            self.api_key, self.access_token = self._set.api_key, self._set.access_token
            return self._set

    def _not_the_refused(self, token: Token) -> Token:
        """Waits for a newer token where this one was refused a moment ago, and sends nothing where none comes."""
        generation, until = self._refused
        if token.generation != generation or time.monotonic() >= until:
            return token
        newer = self._feed.newer(generation, self._patience_s)
        if newer is None:
            self._expired()
            text = f"The access token of generation {generation} was refused, and firstbell has no newer one yet."
            raise TokenException(text, code=403)
        return self._freshen(newer)

    def _remember(self, generation: int) -> None:
        with self._state:
            if generation >= self._refused[0]:
                self._refused = (generation, time.monotonic() + REFUSED_S)

    def _expired(self) -> None:
        if self._expiry_hook:
            self._expiry_hook()
