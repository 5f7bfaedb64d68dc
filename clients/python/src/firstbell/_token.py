"""Today's token as a program sees it: it hides its secret wherever it could be printed by accident."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Mapping, NoReturn


@dataclass(frozen=True)
class Token:
    """One access token of one account. `str`, `repr` and logs show everything but the secret."""

    account: str
    user_id: str
    api_key: str
    access_token: str = field(repr=False)
    #: Counts up with every new token of the account.
    generation: int
    #: When the broker issued it.
    issued: datetime
    #: Until when it is surely good; from then on firstbell proves it before it hands it out.
    trusted_until: datetime

    def __reduce__(self) -> NoReturn:
        # A pickle is a file or a message to another process, readable by whoever finds it.
        raise TypeError("a token is not pickled: let the other process ask firstbell for its own")

    @staticmethod
    def read(card: Mapping[str, Any]) -> "Token":
        """Reads firstbell's card; raises ValueError where it is none. No message shows what stands in it."""
        if card.get("version") != 1:
            raise ValueError("the card has another version than 1")
        texts = {name: card.get(name) for name in ("account", "user_id", "api_key", "access_token")}
        for name, text in texts.items():
            if not isinstance(text, str) or not text or not text.isprintable():
                raise ValueError(f"{name} of the card is no text")
        generation = card.get("generation")
        if isinstance(generation, bool) or not isinstance(generation, int) or generation < 1:
            raise ValueError("generation of the card is no number from 1 on")
        moments = {name: _moment(name, card.get(name)) for name in ("issued", "trusted_until")}
        return Token(generation=generation, **texts, **moments)  # type: ignore[arg-type]


def _moment(name: str, text: object) -> datetime:
    """RFC 3339; Python before 3.11 reads three or six digits of a second only, and no Z."""
    if not isinstance(text, str):
        raise ValueError(f"{name} of the card is no moment")
    short = re.sub(r"\.(\d+)", lambda m: "." + (m.group(1) + "000000")[:6], text.replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(short)
    except ValueError:
        raise ValueError(f"{name} of the card is no moment") from None
    if moment.tzinfo is None:
        raise ValueError(f"{name} of the card has no zone")
    return moment
