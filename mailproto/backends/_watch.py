"""The order of changes, and who wants to hear of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from twisted.logger import Logger

__all__ = ["ModSeqs", "Watchers"]

K = TypeVar("K", bound=Hashable)

Listener = Callable[[int], None]


class Watchers(Generic[K]):
    """The listeners of many mailboxes, each known by a key; for the reactor's thread only."""

    _log = Logger()

    def __init__(self) -> None:
        self._listeners: dict[K, dict[object, Listener]] = {}

    def __iter__(self) -> Iterator[K]:
        """The mailboxes that are watched."""
        return iter(self._listeners)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, key: K, listener: Listener) -> Callable[[], None]:
        """See `IMailbox.watch`: the same listener may come twice, and leaves as often."""
        token = object()
        self._listeners.setdefault(key, {})[token] = listener

        def end() -> None:
            listeners = self._listeners.get(key, {})
            if listeners.pop(token, None) is not None and not listeners:
                del self._listeners[key]

        return end

    def notify(self, key: K, modseq: int) -> None:
        """Tell everybody who watches ``key``; one who fails does not keep the others from hearing."""
        for listener in tuple(self._listeners.get(key, {}).values()):
            try:
                listener(modseq)
            except Exception:
                self._log.failure("A mailbox's listener failed")


class ModSeqs:
    """Gives out the modseqs of one account or of several, and tells of each.

    :ivar last: the last one that was given out.
    """

    def __init__(self) -> None:
        self.last = 0
        self._watchers: Watchers[None] = Watchers()

    def next(self) -> int:
        """The modseq of a change."""
        self.last += 1
        return self.last

    def watch(self, listener: Listener) -> Callable[[], None]:
        """See `IAccount.watch`."""
        return self._watchers.add(None, listener)

    def notify(self) -> None:
        """Changes are complete."""
        self._watchers.notify(None, self.last)
