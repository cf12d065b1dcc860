"""Places for work that needs much memory, which only a few sessions have at the same time.

A message of 10,000 parts takes 10 MB while it is taken apart, and a search that reads messages holds
megabytes of text.  Others have their turn meanwhile: without places, a hundred sessions of one client would
need a gigabyte.  More of them at the same time would not be faster, because they share one thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from mailproto.connection._line import line_of
from mailproto.interfaces import IAccount
from mailproto.typing import ReactorTime

__all__ = ["MESSAGES", "Places", "Waiter"]

MESSAGES: Final = 4
"""How many large messages are taken apart at the same time, for all connections of a factory."""


class Waiter(Protocol):
    """A session that may have to wait."""

    @property
    def signed_in(self) -> IAccount:
        """Its account."""

    async def while_open(self, waiting: Deferred[None]) -> None:
        """See `EventConnection.while_open`."""


class Places:
    """A number of places; while there is none, accounts take turns, however many sessions of one wait.

    :param each: how many an account may have.
    :param all: how many there are; None for as many as all accounts may have.
    """

    def __init__(self, clock: ReactorTime, each: int, all: int | None = None) -> None:
        self._clock = clock
        self._each = each
        self._all = all
        self._taken: dict[str, int] = {}  # by account
        self._taken_by_all = 0
        self._waiting: dict[str, dict[Deferred[None], None]] = {}  # by account; the first one is next

    def is_free(self, session: Waiter) -> bool:
        """Whether `take` would not have to wait."""
        return self._has_place(session.signed_in.name)

    async def take(self, session: Waiter) -> None:
        """Take a place, and wait for one if necessary; `give_back` must follow.

        :raises ConnectionOver: the client has gone while it waited, and has left the line.
        """
        account = session.signed_in.name
        if self._has_place(account):
            self._give(account)
            return
        place: Deferred[None] = Deferred(lambda place: self._leave(account, place))
        self._waiting.setdefault(account, {})[place] = None
        await session.while_open(place)

    def give_back(self, session: Waiter) -> None:
        """Give a place back; a session that waits has it soon."""
        self._take_back(session.signed_in.name)

    @asynccontextmanager
    async def place(self, session: Waiter) -> AsyncIterator[None]:
        """Have a place during the block; see `take`."""
        await self.take(session)
        try:
            yield
        finally:
            self.give_back(session)

    def _has_place(self, account: str) -> bool:
        return self._taken.get(account, 0) < self._each and (
            self._all is None or self._taken_by_all < self._all
        )

    def _give(self, account: str) -> None:
        self._taken[account] = self._taken.get(account, 0) + 1
        self._taken_by_all += 1

    def _take_back(self, account: str) -> None:
        self._taken_by_all -= 1
        if self._taken[account] > 1:
            self._taken[account] -= 1
        else:
            del self._taken[account]
        next_one = next(filter(self._has_place, self._waiting), None)
        if next_one is not None:
            self._call(next_one)

    def _call(self, account: str) -> None:
        """Give a place to the session that has waited longest of an account."""
        waiting = self._waiting.pop(account)
        place = next(iter(waiting))
        del waiting[place]
        if waiting:
            self._waiting[account] = waiting  # after the other accounts
        self._give(account)
        # Later, because many that end at once would end within each other; and in the line, because what
        # begins then may take milliseconds, and several may have a place at once.
        line_of(self._clock).wait(partial(self._called, account, place), is_stranger=False)

    def _called(self, account: str, place: Deferred[None]) -> None:
        if place.called:  # it has gone since
            self._take_back(account)
        else:
            place.callback(None)

    def _leave(self, account: str, place: Deferred[None]) -> None:
        waiting = self._waiting.get(account, {})
        if place in waiting:
            del waiting[place]
            if not waiting:
                del self._waiting[account]
