"""Places for searches of content: an account has only a few, so that its sessions do not fill the memory.

A search that reads messages holds megabytes of text, and up to ten thousand parts of one message.  More of
them at the same time would not be faster, because they share one thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from twisted.internet.defer import Deferred

from mailproto.imap.server._errors import SessionOver
from mailproto.typing import ReactorTime

__all__ = ["SearchPlaces", "Searcher"]


class Searcher(Protocol):
    """A session that searches."""

    clock: ReactorTime

    @property
    def account_name(self) -> str | None:
        """Whose messages they are."""

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""


class SearchPlaces:
    """The places of all accounts.

    :param places: how many searches of one account may read messages at a time.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._searching: dict[str, int] = {}  # by the account's name
        self._waiting: dict[str, list[tuple[Searcher, Deferred[None]]]] = {}

    @asynccontextmanager
    async def place(self, server: Searcher) -> AsyncIterator[None]:
        """Wait for a place of the session's account, and have it during the block.

        :raises SessionOver: the client is gone.
        """
        account = server.account_name or ""
        while self._searching.get(account, 0) >= self._places:
            waiting = self._waiting.setdefault(account, [])
            _let_go(waiting)
            turn: Deferred[None] = Deferred()
            waiting.append((server, turn))
            await turn
            if not server.is_open:
                self._call_next(account)
                raise SessionOver
        self._searching[account] = self._searching.get(account, 0) + 1
        try:
            yield
        finally:
            left = self._searching.pop(account) - 1
            if left:
                self._searching[account] = left
            self._call_next(account)

    def _call_next(self, account: str) -> None:
        """Let the next search go on, if there is a place."""
        waiting = self._waiting.get(account)
        if waiting and self._searching.get(account, 0) < self._places:
            server, turn = waiting.pop(0)
            # Later, because many that end at once would end within each other.
            server.clock.callLater(0, turn.callback, None)
        if not waiting:
            self._waiting.pop(account, None)


def _let_go(waiting: list[tuple[Searcher, Deferred[None]]]) -> None:
    """Let searches go on whose clients are gone, so that they end."""
    gone = [(server, turn) for server, turn in waiting if not server.is_open]
    waiting[:] = [(server, turn) for server, turn in waiting if server.is_open]
    for server, turn in gone:
        server.clock.callLater(0, turn.callback, None)
