"""mailproto inside an asyncio application: Twisted's reactor on the loop that is already running.

::

    async def main():
        async with running_reactor():
            listener = Listener("tcp:0:interface=127.0.0.1", SMTPServerFactory(delivery))
            await listener.start()
            ...
            await listener.stop()

    asyncio.run(bridge(main()))

``docs/asyncio.md`` explains it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import ReactorBase
from twisted.internet.main import installReactor

from mailproto._twisted_internals import close_waker, uninstall_reactor
from mailproto.awaiting import drive

__all__ = ["bridge", "running_reactor"]

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
            f"a reactor is installed already ({type(installed).__name__}): only one can be at a time, so "
            "import twisted.internet.reactor, and make factories, listeners and portals, which use it, "
            "inside `async with running_reactor()`"
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


async def bridge(awaitable: Awaitable[T]) -> T:
    """Let a coroutine that asyncio runs await what mailproto and Twisted return.

    asyncio itself cannot await a ``Deferred``, nor a coroutine that awaits one, such as `send_mail`
    (``RuntimeError: Task got bad yield: <Deferred ...>``).  In a bridged coroutine, and in what it awaits,
    everything can be awaited: Deferreds, and whatever asyncio knows.  So either bridge a call, or a whole
    ``main``; a task of its own (`asyncio.create_task`) needs a bridge of its own.

    It runs in the current task.  If that is cancelled, as by `asyncio.timeout`, so is the work behind a
    ``Deferred`` that is awaited.

    :param awaitable: a coroutine, a ``Deferred``, or any other awaitable.
    :returns: its result; errors are raised.
    """
    return await drive(awaitable if isinstance(awaitable, Coroutine) else _awaited(awaitable))


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


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
