"""What waits in a client's session until the session is free for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from mailproto.client._errors import ClientError

__all__ = ["CoroutineTurn", "Turn"]

T = TypeVar("T")


class Turn(ABC):
    """Something that is to be said, and waits for its turn."""

    @abstractmethod
    def fail(self, error: ClientError) -> None:
        """Its turn will never come."""


class CoroutineTurn(Turn, Generic[T]):
    """A coroutine that has the server to itself.

    :param run: makes it.
    :param done: called when it is over, before anything hears of its result.
    """

    __slots__ = ("_done", "_run", "result")

    def __init__(self, run: Callable[[], Coroutine[Any, Any, T]], done: Callable[[], None]) -> None:
        self._run = run
        self._done = done
        self.result: Deferred[T] = Deferred()

    def begin(self) -> None:
        """Its turn has come."""
        ensureDeferred(self._run()).addBoth(self._ended)

    def fail(self, error: ClientError) -> None:
        """Its turn will never come."""
        self.result.errback(error)

    def _ended(self, result: T | Failure) -> None:
        self._done()
        self.result.callback(result)
