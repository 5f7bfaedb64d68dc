"""Asks for the token, once or for as long as a program runs, whatever happens to the daemon meanwhile."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Iterator, Optional
from urllib.parse import quote

from ._token import Token
from ._wire import Reply, Stopped, Wire
from .errors import FirstbellError, NoDaemon, NoToken, Refused

#: How long one question waits for the next token.
WAIT_S = 25
#: After a failure, and at most, in seconds.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0


def token(account: Optional[str] = None, *, wait_s: float = 0, min_generation: Optional[int] = None) -> Token:
    """Today's token.

    `account` may be left out where firstbell keeps one only. With `wait_s` it waits up to that many seconds for a token, also
    for the daemon; with `min_generation` for one that is no older than that. Raises NoToken, NoDaemon, Refused.
    """
    return ask(account, wait_s, min_generation, None)


def ask(account: Optional[str], wait_s: float, min_generation: Optional[int], stop: Optional[threading.Event]) -> Token:
    """The same, until `stop` is set."""
    end = time.monotonic() + wait_s
    since = (min_generation or 1) - 1
    pauses = Pauses(stop)
    wire = Wire()
    try:
        while True:
            left = end - time.monotonic()
            try:
                account = account or _only(wire, stop)
                if left < 1:
                    return _enough(_now(wire, account, stop), since)
                found = _next(wire, account, since, min(WAIT_S, int(left)), stop)
                if found:
                    return found
            except (NoDaemon, NoToken):
                if end - time.monotonic() <= pauses.next_s:
                    raise
                pauses.rest()
    finally:
        wire.close()


def watch(account: Optional[str] = None, *, stop: Optional[threading.Event] = None) -> Iterator[Token]:
    """The present token at once, if there is one, and then each newer one, for as long as `stop` is not set.

    Never gives a generation twice, or an older one after a newer. Outlives restarts of the daemon. Raises Refused.
    """
    return newer(account, 0, stop)


def newer(account: Optional[str], since: int, stop: Optional[threading.Event]) -> Iterator[Token]:
    """Each token that is newer than generation `since`."""
    pauses = Pauses(stop)
    wire = Wire()
    try:
        while True:
            began = time.monotonic()
            try:
                account = account or _only(wire, stop)
                found = _next(wire, account, since, WAIT_S, stop)
            except (NoDaemon, NoToken):
                pauses.rest()
                continue
            if found:
                since = found.generation
                pauses.over()
                yield found
            elif time.monotonic() - began < 1:
                # Who answers at once that there is nothing yet is not to be asked in a circle.
                pauses.rest()
            else:
                pauses.over()
    except Stopped:
        return
    finally:
        wire.close()


class Pauses:
    """Pauses between tries, each twice as long as the one before."""

    def __init__(self, stop: Optional[threading.Event] = None) -> None:
        self._stop = stop or threading.Event()
        self.next_s = FIRST_PAUSE_S

    def over(self) -> None:
        """It worked: the next pause is a short one again."""
        self.next_s = FIRST_PAUSE_S

    def rest(self) -> None:
        """Rests; raises Stopped when that is called off."""
        if self._stop.wait(self.next_s):
            raise Stopped
        self.next_s = min(self.next_s * 2, LONGEST_PAUSE_S)


def _only(wire: Wire, stop: Optional[threading.Event]) -> str:
    """The name of the only account."""
    reply = wire.ask("/v1/accounts", stop=stop)
    if reply.status != 200:
        raise _refusal(reply)
    accounts = reply.body.get("accounts")
    try:
        names = [str(one["account"]) for one in accounts] if isinstance(accounts, list) else None
    except (KeyError, TypeError):
        names = None
    if names is None:
        raise NoDaemon("what answers is not firstbell: it has no list of accounts")
    if len(names) != 1:
        raise Refused(f"firstbell keeps {len(names)} accounts; name one of: {', '.join(names)}")
    return names[0]


def _now(wire: Wire, account: str, stop: Optional[threading.Event]) -> Token:
    reply = wire.ask(f"/v1/accounts/{quote(account, safe='')}/token", stop=stop)
    if reply.status != 200:
        raise _refusal(reply)
    return _card(reply, account)


def _next(wire: Wire, account: str, since: int, wait_s: int, stop: Optional[threading.Event]) -> Optional[Token]:
    """A token newer than `since`; none where the time is over, or where an older one came."""
    path = f"/v1/accounts/{quote(account, safe='')}/token?wait={since}&timeout_s={max(1, wait_s)}"
    reply = wire.ask(path, wait_s=wait_s, stop=stop)
    if reply.status == 204:
        return None
    if reply.status != 200:
        raise _refusal(reply)
    found = _card(reply, account)
    return found if found.generation > since else None


def _enough(found: Token, since: int) -> Token:
    if found.generation > since:
        return found
    raise NoToken(f"The newest token is generation {found.generation}.", "wait for the next login.")


def _card(reply: Reply, account: str) -> Token:
    try:
        found = Token.read(reply.body)
    except ValueError as fault:
        raise NoDaemon(f"what answers is not firstbell: {fault}") from None
    if found.account != account:
        raise NoDaemon("what answers is not firstbell: it gave the token of another account")
    return found


def _refusal(reply: Reply) -> FirstbellError:
    error, cure, after = (reply.body.get(key) for key in ("error", "cure", "retry_after_s"))
    reason = error if isinstance(error, str) else f"status {reply.status}"
    cure = cure if isinstance(cure, str) else ""
    if reply.status == 503:
        after_s = after if isinstance(after, int) and not isinstance(after, bool) else None
        again = None if after_s is None else datetime.now(timezone.utc) + timedelta(seconds=after_s)
        return NoToken(reason, cure, after_s, again)
    if reply.status in (429, 500, 502, 504):
        return NoDaemon(f"firstbell cannot answer now: {reason}")
    return Refused(f"{reason} What to do: {cure}" if cure else reason)
