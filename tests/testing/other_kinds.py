"""Stores whose methods are plain functions, or return Deferreds, instead of coroutines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from zope.interface import directlyProvides, providedBy

from mailproto.backends import MemoryStore
from mailproto.interfaces import IStore

__all__ = ["KINDS", "store_of"]


def plain(coroutine: Any) -> Any:
    """The result itself: a `MemoryStore` waits for nothing but its turns, and here it has them at once."""
    while True:
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            return end.value
        if waits_for is not None:  # as for a turn
            raise AssertionError(f"it waits for {waits_for!r}")


def later(coroutine: Any) -> Deferred[Any]:
    """A Deferred that fires in a later turn of the reactor."""
    from twisted.internet import reactor

    clock: Any = reactor
    return deferLater(clock, 0, plain, coroutine)


KINDS: dict[str, Callable[[Any], Any]] = {
    "plain": plain,
    "deferred": lambda coroutine: Deferred.fromCoroutine(coroutine),
    "later": later,
}


class _OfKind:
    """An object of a contract, whose methods give another kind of result."""

    def __init__(self, wrapped: Any, kind: Callable[[Any], Any]) -> None:
        self._wrapped = wrapped
        self._kind = kind
        directlyProvides(self, providedBy(wrapped))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._wrapped, name)
        if name == "watch" or not callable(value):
            return self._of_kind(value)

        def call(*arguments: Any, **options: Any) -> Any:
            arguments = tuple(each._wrapped if isinstance(each, _OfKind) else each for each in arguments)

            async def result() -> Any:
                return self._of_kind(await value(*arguments, **options))

            return self._kind(result())

        return call

    def _of_kind(self, value: Any) -> Any:
        return _OfKind(value, self._kind) if any(True for _ in providedBy(value)) else value


def store_of(kind: Callable[[Any], Any]) -> IStore:
    """A store in memory, whose methods give that kind of result."""
    store: Any = _OfKind(MemoryStore(), kind)
    return store  # type: ignore[no-any-return]
