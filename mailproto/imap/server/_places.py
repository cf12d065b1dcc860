"""Places for work that needs much memory, which only a few connections have at the same time.

A message of 10,000 parts takes 10 MB while it is taken apart, and others have their turn meanwhile: without
places, a hundred connections of one client would need a gigabyte.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from twisted.internet.defer import Deferred

from mailproto.typing import ReactorTime

__all__ = ["PLACES", "Places"]

PLACES: Final = 4
"""How many messages are taken apart at the same time, for all connections of a factory."""


class Places:
    """A number of places; while there is none, accounts take turns, however many wait for one of them."""

    def __init__(self, clock: ReactorTime, number: int = PLACES) -> None:
        self._clock = clock
        self._free = number
        self._waiting: dict[str, deque[Deferred[None]]] = {}  # by account; the first one is next

    async def take(self, account: str) -> None:
        """Take a place, and wait for one if necessary; `give_back` must follow."""
        if self._free:
            self._free -= 1
            return
        place: Deferred[None] = Deferred()
        self._waiting.setdefault(account, deque()).append(place)
        await place

    def give_back(self) -> None:
        """Give a place back; the next one who waits has it soon."""
        if not self._waiting:
            self._free += 1
            return
        account = next(iter(self._waiting))
        waiting = self._waiting.pop(account)
        place = waiting.popleft()
        if waiting:
            self._waiting[account] = waiting  # after the other accounts
        self._clock.callLater(0, place.callback, None)
