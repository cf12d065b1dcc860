"""Answers that are kept for their time, in a limited room; questions that are asked already are not asked
again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Final, Generic, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.python.failure import Failure

from mailproto.typing import ReactorTime

__all__ = ["CACHE_LIMIT", "Cache"]

CACHE_LIMIT: Final = 16 << 20
"""Octets of all kept answers, more or less; those that were used long ago are forgotten first."""

T = TypeVar("T")
KeyT = TypeVar("KeyT", bound=Hashable)


class Cache(Generic[KeyT, T]):
    """Keeps the results of a coroutine function by key.

    :param ask: gives the result for a key, the seconds for which it may be kept (0 for not at all), and its
        size in octets.
    :param limit: octets of all results.
    """

    def __init__(
        self,
        clock: ReactorTime,
        ask: Callable[[KeyT], Coroutine[Any, Any, tuple[T, float, int]]],
        limit: int = CACHE_LIMIT,
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._limit = self._left = limit
        self._kept: OrderedDict[KeyT, tuple[float, int, T]] = OrderedDict()
        self._asked: dict[KeyT, list[Deferred[T]]] = {}

    def get(self, key: KeyT) -> Deferred[T]:
        """The result for a key.  Cancelling the Deferred does not stop what others may wait for, too."""
        kept = self._kept.get(key)
        if kept is not None:
            if self._clock.seconds() < kept[0]:
                self._kept.move_to_end(key)
                return succeed(kept[2])
            self._forget(key)
        waiter: Deferred[T] = Deferred()
        waiters = self._asked.get(key)
        if waiters is None:
            self._asked[key] = [waiter]
            ensureDeferred(self._ask(key)).addBoth(self._answered, key)
        else:
            waiters.append(waiter)
        return waiter

    def _answered(self, result: tuple[T, float, int] | Failure, key: KeyT) -> None:
        waiters = self._asked.pop(key)
        if isinstance(result, Failure):
            for waiter in waiters:
                waiter.errback(result.value or RuntimeError())
            return
        value, seconds, size = result
        if seconds > 0:
            self._keep(key, value, seconds, size)
        for waiter in waiters:
            waiter.callback(value)

    def _keep(self, key: KeyT, value: T, seconds: float, size: int) -> None:
        if size > self._limit:
            return
        self._kept[key] = (self._clock.seconds() + seconds, size, value)
        self._left -= size
        while self._left < 0:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: KeyT) -> None:
        self._left += self._kept.pop(key)[1]
