"""mailproto inside an asyncio application: Twisted's reactor on the loop that is already running.

::

    async def main():
        async with running_reactor():
            listener = Listener("tcp:0:interface=127.0.0.1", SMTPServerFactory(delivery))
            await as_future(listener.start())
            ...
            await as_future(listener.stop())

    asyncio.run(main())

``docs/asyncio.md`` explains it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.main import installReactor

from mailproto._twisted_internals import close_waker, uninstall_reactor

__all__ = ["as_future", "running_reactor"]

T = TypeVar("T")


@asynccontextmanager
async def running_reactor() -> AsyncIterator[AsyncioSelectorReactor]:
    """Make Twisted run on the asyncio loop that is running, for as long as the ``async with`` lasts.

    ``from twisted.internet import reactor`` then gives this reactor, and so do the defaults of mailproto's
    servers and clients: make them inside.  No signal handlers are installed.

    At the end, the reactor shuts down as at ``reactor.stop()``: its shutdown triggers are called and
    awaited, its threads end, remaining connections are closed, and remaining timers cancelled.  The loop
    runs on, and leaves nothing of Twisted behind; another loop may then do the same.

    :raises RuntimeError: a reactor is installed already, or no loop is running.
    """
    loop = asyncio.get_running_loop()
    installed = sys.modules.get("twisted.internet.reactor")
    if installed is not None:
        raise RuntimeError(
            f"a reactor is installed already ({type(installed).__name__}): import twisted.internet.reactor, "
            "and what imports it, only inside `async with running_reactor()`, which can be used once at a time"
        )
    reactor = _LoopReactor(loop)
    installReactor(reactor)
    try:
        reactor.startRunning(installSignalHandlers=False)
        try:
            yield reactor
        finally:
            await _shut_down(reactor, loop)
    finally:
        uninstall_reactor(reactor)


def as_future(awaitable: Awaitable[T]) -> asyncio.Future[T]:
    """What a coroutine that asyncio runs can await, for what mailproto and Twisted return.

    asyncio itself cannot await a ``Deferred``, nor a coroutine that awaits one, such as `send_mail`
    (``RuntimeError: Task got bad yield``).  If the future is cancelled, as by `asyncio.timeout`, so is the
    work behind it.

    :param awaitable: a ``Deferred``, or a coroutine.
    :raises RuntimeError: no loop is running.
    :raises TypeError: it is neither.
    """
    loop = asyncio.get_running_loop()
    if isinstance(awaitable, Deferred):
        return awaitable.asFuture(loop)
    return ensureDeferred(awaitable).asFuture(loop)  # type: ignore[arg-type]


class _LoopReactor(AsyncioSelectorReactor):
    """A reactor whose end is not the end of its loop."""

    def crash(self) -> None:
        """End the reactor; `AsyncioSelectorReactor` also stops the loop, which is not ours."""
        ReactorBase.crash(self)


async def _shut_down(reactor: AsyncioSelectorReactor, loop: asyncio.AbstractEventLoop) -> None:
    over: asyncio.Future[None] = loop.create_future()
    reactor.addSystemEventTrigger("after", "shutdown", _finish, over)
    reactor.fireSystemEvent("shutdown")
    try:
        await over
        await asyncio.sleep(0)  # for what the last connections did at their end
    finally:
        for call in reactor.getDelayedCalls():
            call.cancel()
        close_waker(reactor)


def _finish(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)
