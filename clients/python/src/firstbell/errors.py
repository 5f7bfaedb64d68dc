"""What can go wrong between a program and firstbell; each says what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Optional


class FirstbellError(Exception):
    """Anything that this package raises by itself."""


class NoDaemon(FirstbellError):
    """Nobody answers as firstbell does: it is not started, it is just restarting, or something else has its place."""


class Refused(FirstbellError):
    """firstbell answers, and does not give this to this program: key, scope, account, or owner of the socket."""


class NoToken(FirstbellError):
    """There is no token to hand out now."""

    def __init__(
        self,
        reason: str,
        cure: str = "",
        retry_after_s: Optional[int] = None,
        again_at: Optional[datetime] = None,
    ) -> None:
        super().__init__(f"{reason} What to do: {cure}" if cure else reason)
        #: Why, as a sentence.
        self.reason = reason
        #: What a person can do, as a sentence; empty where there is nothing.
        self.cure = cure
        #: In how many seconds it may be otherwise, if that is known.
        self.retry_after_s = retry_after_s
        #: The same as a moment.
        self.again_at = again_at
