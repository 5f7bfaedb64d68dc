"""The same questions for programs with an asyncio loop: `token` and `watch`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, AsyncIterator, Optional

from ._token import Token
from ._watch import ask, newer
from ._wire import Stopped

__all__ = ["token", "watch"]


async def token(account: Optional[str] = None, *, wait_s: float = 0, min_generation: Optional[int] = None) -> Token:
    """`firstbell.token`, without keeping the loop waiting; may be cancelled."""
    stop = threading.Event()
    loop = asyncio.get_running_loop()
    done: "asyncio.Future[Token]" = loop.create_future()

    def run() -> None:
        try:
            found: Any = ask(account, wait_s, min_generation, stop)
        except Stopped:
            return
        except BaseException as fault:
            found = fault
        _tell(loop, _settle, done, found)

    threading.Thread(target=run, name="firstbell", daemon=True).start()
    try:
        return await done
    finally:
        stop.set()


async def watch(account: Optional[str] = None) -> AsyncIterator[Token]:
    """`firstbell.watch`; ends when the iteration ends or is cancelled."""
    stop = threading.Event()
    loop = asyncio.get_running_loop()
    queue: "asyncio.Queue[Any]" = asyncio.Queue()

    def run() -> None:
        try:
            for found in newer(account, 0, stop):
                _tell(loop, queue.put_nowait, found)
        except BaseException as fault:
            _tell(loop, queue.put_nowait, fault)

    threading.Thread(target=run, name="firstbell", daemon=True).start()
    try:
        while True:
            found = await queue.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()


def _settle(done: "asyncio.Future[Token]", found: Any) -> None:
    if done.done():
        return
    if isinstance(found, BaseException):
        done.set_exception(found)
    else:
        done.set_result(found)


def _tell(loop: asyncio.AbstractEventLoop, call: Any, *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return
