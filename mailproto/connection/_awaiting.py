"""Runs the awaitables that handlers and contracts return."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import CoroutineType
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.awaiting import deferred_of
from mailproto.typing import ReactorTime

__all__ = ["begin", "rest_of", "run"]

T = TypeVar("T")


def begin(awaitable: Awaitable[object], step: Callable[..., Any], clock: ReactorTime) -> Deferred[Any] | None:
    """`run` for an awaitable without a result: None if it is done."""
    coroutine: Any = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    return rest_of(coroutine, waiting, step, clock)


def run(awaitable: Awaitable[T], step: Callable[..., Any], clock: ReactorTime) -> T | Deferred[T]:
    """Run ``awaitable``: a coroutine, a ``Deferred`` or any other object with ``__await__``.

    It may await a ``Deferred``, or an asyncio future if the reactor runs on asyncio's loop.  If it yields
    anything else, it continues on the reactor's next turn, which is what ``asyncio.sleep(0)`` needs.

    A ``Deferred`` costs more than most handlers do, so none is made for a handler that need not wait.

    :param step: a function that calls its arguments; used for each later step of the coroutine.
    :returns: the result if it is there, or else a ``Deferred`` that fires in ``step`` when it is.  To cancel
        the Deferred cancels what the coroutine waits for; if the coroutine goes on waiting, the Deferred
        fails without it.
    :raises Exception: any error of the awaitable before it has to wait.
    :raises TypeError: the object cannot be awaited.
    """
    coroutine: Any = awaitable if type(awaitable) is CoroutineType else _awaited(awaitable)
    try:
        waiting = coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return rest_of(coroutine, waiting, step, clock)


def rest_of(
    coroutine: Coroutine[Any, Any, T], waiting: Any, step: Callable[..., Any], clock: ReactorTime
) -> Deferred[T]:
    """`run` for a coroutine that waits for ``waiting`` already."""
    rest = _Rest(coroutine, step, clock)
    rest.wait(waiting)
    return rest.done


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


_ENDED = object()


class _Rest:
    """The remaining steps of a coroutine that has to wait.

    :ivar done: fires with the result when the coroutine has ended.
    """

    __slots__ = ("_clock", "_coroutine", "_early", "_step", "_waiting", "done")

    _log = PackageLogger()

    def __init__(self, coroutine: Any, step: Callable[..., Any], clock: ReactorTime) -> None:
        self.done: Deferred[Any] = Deferred(self._cancel)
        self._coroutine = coroutine
        self._step = step
        self._clock = clock
        self._waiting: Deferred[Any] | None = None
        self._early: list[Any] | None = None  # results that were available at once

    def wait(self, waiting: Any) -> None:
        """Continue the coroutine when ``waiting`` has a result; at once if it has one."""
        while True:
            early = self._early = []
            self._waiting = self._deferred(waiting)
            self._waiting.addBoth(self._fired)
            self._early = None
            if not early:
                return
            # A loop instead of recursion, because there may be thousands of such results.
            waiting = self._resume(early[0])
            if waiting is _ENDED:
                return

    def _cancel(self, _: Deferred[Any]) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    def _fired(self, result: Any) -> None:
        if self._early is not None:
            self._early.append(result)
        else:
            self._step(self._go_on, result)

    def _go_on(self, result: Any) -> None:
        waiting = self._resume(result)
        if waiting is not _ENDED:
            self.wait(waiting)

    def _resume(self, result: Any) -> Any:
        """Continue the coroutine; returns the object that it awaits next, or `_ENDED`."""
        self._waiting = None
        try:
            if isinstance(result, Failure):
                return result.throwExceptionIntoGenerator(self._coroutine)
            return self._coroutine.send(result)
        except StopIteration as end:
            if not self.done.called:
                self.done.callback(end.value)
        except BaseException as error:  # asyncio's CancelledError is not an Exception
            if not self.done.called:
                self.done.errback(Failure())
            elif not isinstance(error, CancelledError | asyncio.CancelledError):
                self._log.failure("error after the call was given up")
        return _ENDED

    def _deferred(self, waiting: Any) -> Deferred[Any]:
        if isinstance(waiting, Deferred):
            return waiting
        if asyncio.isfuture(waiting):
            return deferred_of(waiting)
        turn: Deferred[Any] = Deferred()
        self._clock.callLater(0, turn.callback, waiting)
        return turn
