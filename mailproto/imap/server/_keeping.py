"""What extensions remember, by session or by server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mailproto.imap.server._resources import Resources
from mailproto.imap.server._session import Session

__all__ = ["PerServer", "PerSession"]

T = TypeVar("T")


class PerSession(Generic[T]):
    """Something that each session has one of, such as the result that SEARCHRES keeps.

    Write ``SAVED = PerSession(SavedResult)`` in a module, and ``SAVED.of(session)`` where it is needed.

    :param make: called for a session when it is needed first.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def of(self, session: Session) -> T:
        """The session's own."""
        try:
            found: T = session.kept[self]
        except KeyError:
            found = session.kept[self] = self._make()
        return found


class PerServer(Generic[T]):
    """Something that all sessions of a factory share.

    :param make: called with the factory when it is needed first.
    """

    def __init__(self, make: Callable[[Resources], T]) -> None:
        self._make = make

    def of(self, session: Session) -> T:
        """The one of the session's server."""
        kept = session.factory.kept
        try:
            found: T = kept[self]
        except KeyError:
            found = kept[self] = self._make(session.factory)
        return found
