"""How many octets of messages all answers to FETCH have in memory, however slowly clients read them."""

from __future__ import annotations

from typing import Final

from mailproto.imap.server._reading import OCTETS_AT_ONCE

__all__ = ["FETCHED", "FETCHED_AT_LEAST", "FetchClaim", "FetchRoom"]

FETCHED: Final = 1 << 24
"""How many octets of messages the batches of all answers have together, before batches become smaller.

While a batch is rendered and sent, and the next one is read, it takes three times its octets.
"""

FETCHED_AT_LEAST: Final = 1 << 14
"""The octets of a batch when there is no more room: everybody can go on, a little slower."""


class FetchRoom:
    """The room of all connections of a factory.

    :ivar left: octets; less than none if there are very many connections.
    """

    def __init__(self, octets: int = FETCHED) -> None:
        self.left = octets


class FetchClaim:
    """What one answer to FETCH uses of the room."""

    def __init__(self, room: FetchRoom) -> None:
        self._room = room
        self.octets = 0

    def renew(self) -> int:
        """How many octets the next batch may have; it takes the place of the last one."""
        self.release()
        room = self._room
        # A quarter, so that those who come later find some room, too.
        self.octets = max(FETCHED_AT_LEAST, min(OCTETS_AT_ONCE, room.left // 4))
        room.left -= self.octets
        return self.octets

    def release(self) -> None:
        """Give it back."""
        self._room.left += self.octets
        self.octets = 0
