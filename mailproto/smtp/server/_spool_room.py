"""How many octets of unfinished messages all connections of a factory hold together."""

from __future__ import annotations

import math

__all__ = ["RoomClaim", "SpoolRoom"]


class SpoolRoom:
    """The octets that all connections of a factory may hold, in memory and in files.

    :param limit: in octets; 0 for no limit.

    :ivar used: the octets that are held now.
    :ivar held: those that networks with a share hold, by network.
    """

    __slots__ = ("held", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit or math.inf
        self.used = 0
        self.held: dict[str, int] = {}


class RoomClaim:
    """The octets that one connection holds in a `SpoolRoom`.

    :param network: the client's (`Peer.network`) if it may hold only as much as is left for all others; None
        if it may have all.  So a network that takes all it can leaves half, and a second one a third: a few
        cannot use up the room.
    """

    __slots__ = ("_network", "_octets", "_room")

    def __init__(self, room: SpoolRoom, network: str | None) -> None:
        self._room = room
        self._network = network
        self._octets = 0

    def take(self, octets: int) -> bool:
        """Claim some octets; False, without claiming them, if there is no room."""
        room, network = self._room, self._network
        left = room.limit - room.used
        if network is None:
            if octets > left:
                return False
        else:
            held = room.held.get(network, 0) + octets
            if held > left:
                return False
            room.held[network] = held
        room.used += octets
        self._octets += octets
        return True

    def release(self) -> None:
        """Give all of them back; may be called again."""
        octets, self._octets = self._octets, 0
        if octets:
            room, network = self._room, self._network
            room.used -= octets
            if network is not None:
                left = room.held[network] - octets
                if left:
                    room.held[network] = left
                else:
                    del room.held[network]
