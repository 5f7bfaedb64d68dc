"""Two connections that tell the same: decides, instrument by instrument, which one is listened to."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List

Tick = Dict[str, Any]


class Handover:
    """From an old connection to a new one.

    Each instrument belongs to the old one until the new one has told of it in the wanted mode, and to the new one from then
    on; so nothing is lost, and nothing older comes after something newer. Texts come from both; each as often as the one that
    tells it oftener.
    """

    def __init__(self, wanted: Dict[int, str], last: Dict[int, Tick]) -> None:
        #: The modes that are wanted, by instrument; may change meanwhile.
        self._wanted = wanted
        self._last = last
        self._new: Dict[int, bool] = {}
        self._told = (Counter[Any](), Counter[Any]())
        self._passed: "Counter[Any]" = Counter()

    def of_old(self, ticks: List[Tick]) -> List[Tick]:
        """What goes on to the program of the old connection's ticks."""
        return [tick for tick in ticks if tick["instrument_token"] not in self._new]

    def of_new(self, ticks: List[Tick]) -> List[Tick]:
        """The same for the new one."""
        return [tick for tick in ticks if self._takes(tick)]

    def _takes(self, tick: Tick) -> bool:
        token = tick["instrument_token"]
        if token in self._new:
            return True
        # Between subscription and mode a tick of the usual mode may come; the old connection tells more.
        if self._wanted.get(token) not in (None, tick["mode"]):
            return False
        self._new[token] = True
        # The first one is a picture of now, which the old connection may have told already.
        return bool(self._last.get(token) != tick)

    def text(self, text: Any, *, new: bool) -> bool:
        """Whether this text goes on to the program."""
        told = self._told[int(new)]
        told[text] += 1
        if told[text] <= self._passed[text]:
            return False
        self._passed[text] += 1
        return True

    @property
    def complete(self) -> bool:
        """Whether the new connection has told of all that is wanted."""
        # A copy: the program may subscribe in another thread.
        return all(token in self._new for token in list(self._wanted))
