"""Today's Kite Connect access token from firstbell, and the official clients kept on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from . import aio
from ._token import Token
from ._watch import token, watch
from .errors import FirstbellError, NoDaemon, NoToken, Refused

if TYPE_CHECKING:
    from ._kite import Kite
    from ._ticker import Ticker

__all__ = [
    "FirstbellError",
    "NoDaemon",
    "NoToken",
    "Refused",
    "Token",
    "aio",
    "kite",
    "ticker",
    "token",
    "watch",
]
__version__ = "0.1.0"


def kite(account: Optional[str] = None, *, wait_s: float = 0, patience_s: float = 15, **kwargs: Any) -> "Kite":
    """The official KiteConnect, on today's token and on each later one.

    A read (GET) that the broker refuses for its token waits up to `patience_s` seconds for a newer one and is asked once more.
    An order, and whatever else is no read, is never sent twice: the exception goes out, and the next call has the new token.
    `wait_s` is how long to wait for the first token; all else goes to KiteConnect. Raises NoToken, NoDaemon, Refused.
    """
    _needs_official()
    from ._feed import Feed
    from ._kite import Kite

    return Kite(Feed(token(account, wait_s=wait_s)), patience_s, **kwargs)


def ticker(account: Optional[str] = None, *, wait_s: float = 0, **kwargs: Any) -> "Ticker":
    """The official KiteTicker, on today's token and on each later one.

    At a change the next connection is opened with the same subscriptions before the last one is closed. A refused token is not
    tried again and again: `on_error` says so once, and the next token opens the connection. `wait_s` is how long to wait for
    the first token; all else goes to KiteTicker. Raises NoToken, NoDaemon, Refused.
    """
    _needs_official()
    from ._feed import Feed
    from ._ticker import Ticker

    return Ticker(Feed(token(account, wait_s=wait_s)), **kwargs)


def _needs_official() -> None:
    try:
        import kiteconnect  # noqa: F401
    except ImportError as fault:
        raise ImportError("the official client is missing: pip install 'firstbell[kite]'") from fault
