"""To wait for whatever a handler gives to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["begin"]


def begin(
    awaitable: Awaitable[object], run: Callable[..., Any], clock: IReactorTime
) -> Deferred[None] | None:
    """Wait for ``awaitable``: a coroutine, a ``Deferred`` or any other object with ``__await__``.

    What it waits for itself may be a ``Deferred``, or a future of asyncio's where the reactor
    runs on asyncio's loop.  Anything else that it yields is given back to it on the reactor's
    next turn, which is what ``asyncio.sleep(0)`` asks for.

    A ``Deferred`` costs more than most handlers do: what has nothing to wait for does not pay for it.

    :param run: calls its arguments; all that the coroutine does later is done by it.
    :returns: None if it is done; or else what fires when it is, as ``run`` has it.
    :raises Exception: what it raises before it has to wait.
    :raises TypeError: it cannot be awaited.
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
    """What is left of a coroutine that has to wait.

    :ivar done: fires when nothing is left.
    """

    __slots__ = ("_clock", "_coroutine", "_early", "_run", "done")

    def __init__(self, coroutine: Any, run: Callable[..., Any], clock: IReactorTime) -> None:
        self.done: Deferred[None] = Deferred()
        self._coroutine = coroutine
        self._run = run
        self._clock = clock
        self._early: list[Any] | None = None  # results that were there already

    def wait(self, waiting: Any) -> None:
        """Go on once what the coroutine waits for has a result; at once if it has one."""
        while True:
            early = self._early = []
            self._deferred(waiting).addBoth(self._fired)
            self._early = None
            if not early:
                return
            # In a loop: there may be thousands, and each must not go on inside the one before.
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
        """Have the coroutine go on; what it waits for next, or `_ENDED`."""
        try:
            if isinstance(result, Failure):
                return result.throwExceptionIntoGenerator(self._coroutine)
            return self._coroutine.send(result)
        except StopIteration:
            failure = None
        except BaseException:  # asyncio's CancelledError is no Exception
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
