"""A dialogue that nothing else may be said in: EHLO, STARTTLS, AUTH, QUIT and the like."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

__all__ = ["Exclusive"]

T = TypeVar("T")


class Exclusive(Generic[T]):
    """A coroutine that has its turn.

    :param run: makes it.
    :param done: called when it is over, before anybody hears of its result.
    """

    __slots__ = ("_done", "_run", "result")

    def __init__(self, run: Callable[[], Coroutine[Any, Any, T]], done: Callable[[], None]) -> None:
        self._run = run
        self._done = done
        self.result: Deferred[T] = Deferred()

    def begin(self) -> None:
        """Its turn has come."""
        ensureDeferred(self._run()).addBoth(self._ended)

    def fail(self, error: Exception) -> None:
        """Its turn will never come."""
        self.result.errback(error)

    def _ended(self, result: T | Failure) -> None:
        self._done()
        self.result.callback(result)
