"""Modseqs, and the listeners for changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from mailproto._logger import PackageLogger

__all__ = ["ModSeqs", "Watchers"]

K = TypeVar("K", bound=Hashable)

Listener = Callable[[int], None]


class Watchers(Generic[K]):
    """The listeners of many mailboxes, by key; only for the reactor's thread."""

    _log = PackageLogger()

    def __init__(self) -> None:
        self._listeners: dict[K, dict[object, Listener]] = {}

    def __iter__(self) -> Iterator[K]:
        """The keys of the watched mailboxes."""
        return iter(self._listeners)

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, key: K, listener: Listener) -> Callable[[], None]:
        """See `IMailbox.watch`; a listener may be added twice, and is then removed twice."""
        token = object()
        self._listeners.setdefault(key, {})[token] = listener

        def end() -> None:
            listeners = self._listeners.get(key, {})
            if listeners.pop(token, None) is not None and not listeners:
                del self._listeners[key]

        return end

    def notify(self, key: K, modseq: int) -> None:
        """Call all listeners for ``key``; if one raises, the others are still called."""
        for listener in tuple(self._listeners.get(key, {}).values()):
            try:
                listener(modseq)
            except Exception:
                self._log.failure("A mailbox's listener failed")


class ModSeqs:
    """Gives the modseqs of one or several accounts, and calls the accounts' listeners.

    :ivar last: the last modseq that was given.
    """

    def __init__(self) -> None:
        self.last = 0
        self._watchers: Watchers[None] = Watchers()

    def next(self) -> int:
        """Return the modseq for a new change."""
        self.last += 1
        return self.last

    def watch(self, listener: Listener) -> Callable[[], None]:
        """See `IAccount.watch`."""
        return self._watchers.add(None, listener)

    def notify(self) -> None:
        """Call the listeners after changes."""
        self._watchers.notify(None, self.last)
