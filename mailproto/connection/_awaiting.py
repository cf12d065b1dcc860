"""Runs the awaitables that handlers return."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from mailproto.typing import ReactorTime

__all__ = ["begin"]


def begin(awaitable: Awaitable[object], run: Callable[..., Any], clock: ReactorTime) -> Deferred[None] | None:
    """Run ``awaitable``: a coroutine, a ``Deferred`` or any other object with ``__await__``.

    It may await a ``Deferred``, or an asyncio future if the reactor runs on asyncio's loop.  If it yields
    anything else, it continues on the reactor's next turn, which is what ``asyncio.sleep(0)`` needs.

    A ``Deferred`` costs more than most handlers do, so none is made for a handler that need not wait.

    :param run: a function that calls its arguments; used for each later step of the coroutine.
    :returns: None if it is done, or else a ``Deferred`` that fires in ``run`` when it is.
    :raises Exception: any error of the awaitable before it has to wait.
    :raises TypeError: the object cannot be awaited.
    """
    coroutine: Any = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    rest = _Rest(coroutine, run, clock)
    rest.wait(waiting)
    return rest.done


async def _awaited(awaitable: Awaitable[object]) -> None:
    await awaitable


_ENDED = object()


class _Rest:
    """The remaining steps of a coroutine that has to wait.

    :ivar done: fires when the coroutine has ended.
    """

    __slots__ = ("_clock", "_coroutine", "_early", "_run", "done")

    def __init__(self, coroutine: Any, run: Callable[..., Any], clock: ReactorTime) -> None:
        self.done: Deferred[None] = Deferred()
        self._coroutine = coroutine
        self._run = run
        self._clock = clock
        self._early: list[Any] | None = None  # results that were available at once

    def wait(self, waiting: Any) -> None:
        """Continue the coroutine when ``waiting`` has a result; at once if it has one."""
        while True:
            early = self._early = []
            self._deferred(waiting).addBoth(self._fired)
            self._early = None
            if not early:
                return
            # A loop instead of recursion, because there may be thousands of such results.
            waiting = self._resume(early[0])
            if waiting is _ENDED:
                return

    def _fired(self, result: Any) -> None:
        if self._early is not None:
            self._early.append(result)
        else:
            self._run(self._go_on, result)

    def _go_on(self, result: Any) -> None:
        waiting = self._resume(result)
        if waiting is not _ENDED:
            self.wait(waiting)

    def _resume(self, result: Any) -> Any:
        """Continue the coroutine; returns the object that it awaits next, or `_ENDED`."""
        try:
            if isinstance(result, Failure):
                return result.throwExceptionIntoGenerator(self._coroutine)
            return self._coroutine.send(result)
        except StopIteration:
            failure = None
        except BaseException:  # asyncio's CancelledError is not an Exception
            failure = Failure()
        self.done.callback(failure)  # a Failure makes it an errback
        return _ENDED

    def _deferred(self, waiting: Any) -> Deferred[Any]:
        if isinstance(waiting, Deferred):
            return waiting
        if asyncio.isfuture(waiting):
            return _future(waiting)
        turn: Deferred[Any] = Deferred()
        self._clock.callLater(0, turn.callback, waiting)
        return turn


def _future(future: asyncio.Future[Any]) -> Deferred[Any]:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if future.get_loop() is running:
        return Deferred.fromFuture(future)
    return fail(
        RuntimeError(f"{future!r} is of a loop that the reactor does not run on: it would never be done")
    )
