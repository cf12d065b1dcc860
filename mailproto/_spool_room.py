"""How many octets of unfinished messages all connections of a factory hold together."""

from __future__ import annotations

import math

__all__ = ["RoomClaim", "SpoolRoom"]


class SpoolRoom:
    """The octets that all connections of a factory may hold, in memory and in files.

    :param limit: in octets; 0 for no limit.

    :ivar used: the octets that are held now.
    :ivar held: those of networks or accounts with a share, by its name.
    """

    __slots__ = ("held", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit or math.inf
        self.used = 0
        self.held: dict[str, int] = {}

    def has(self, octets: int, share: str | None) -> bool:
        """Whether there is room for so many octets more; for ``share``, see `RoomClaim`."""
        left = self.limit - self.used - octets
        return left >= (0 if share is None else self.held.get(share, 0) + octets)


class RoomClaim:
    """The octets that one connection holds in a `SpoolRoom`.

    :param share: the client's network (`Peer.network`) or account if it may hold only as much as is left for
        all others; None if it may have all.  So one that takes all it can leaves half, and a second one a
        third: a few cannot use up the room.
    """

    __slots__ = ("_octets", "_room", "_share")

    def __init__(self, room: SpoolRoom, share: str | None) -> None:
        self._room = room
        self._share = share
        self._octets = 0

    def take(self, octets: int) -> bool:
        """Claim some octets; False, without claiming them, if there is no room."""
        room, share = self._room, self._share
        if not room.has(octets, share):
            return False
        if share is not None:
            room.held[share] = room.held.get(share, 0) + octets
        room.used += octets
        self._octets += octets
        return True

    def release(self) -> None:
        """Give all of them back; may be called again."""
        octets, self._octets = self._octets, 0
        if octets:
            room, share = self._room, self._share
            room.used -= octets
            if share is not None:
                left = room.held[share] - octets
                if left:
                    room.held[share] = left
                else:
                    del room.held[share]
