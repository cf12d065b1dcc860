"""The requests that wait for their turn in a client's session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from mailproto.client.errors import ClientError

__all__ = ["CoroutineTurn", "Turn"]

T = TypeVar("T")


class Turn(ABC):
    """A request that waits for its turn."""

    @abstractmethod
    def fail(self, error: ClientError) -> None:
        """The connection ended before its turn."""


class CoroutineTurn(Turn, Generic[T]):
    """A turn that is a coroutine; no other turn runs at the same time.

    :param run: makes the coroutine.
    :param done: called when the coroutine has ended, before its result is delivered.
    :param cancel: called if the result is cancelled.
    """

    __slots__ = ("_done", "_run", "result")

    def __init__(
        self,
        run: Callable[[], Coroutine[Any, Any, T]],
        done: Callable[[], None],
        cancel: Callable[[Deferred[T]], None] | None = None,
    ) -> None:
        self._run = run
        self._done = done
        self.result: Deferred[T] = Deferred(cancel)

    def begin(self) -> None:
        """Start the coroutine."""
        ensureDeferred(self._run()).addBoth(self._ended)

    def fail(self, error: ClientError) -> None:
        """The connection ended before its turn."""
        self.result.errback(error)

    def _ended(self, result: T | Failure) -> None:
        self._done()
        if not self.result.called:  # it was cancelled
            self.result.callback(result)
