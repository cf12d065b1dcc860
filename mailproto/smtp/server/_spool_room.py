"""How many octets of unfinished messages all connections of a factory hold together."""

from __future__ import annotations

__all__ = ["RoomClaim", "SpoolRoom"]


class SpoolRoom:
    """The octets that all connections of a factory may hold, in memory and in files.

    :param limit: in octets; 0 for no limit.

    :ivar used: the octets that are held now.
    """

    __slots__ = ("_held", "_limit", "used")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, int] = {}
        self.used = 0

    def take(self, network: str, octets: int, *, shares: bool) -> bool:
        """Claim some octets; False, without claiming them, if there is no room.

        :param network: the client's (`Peer.network`).
        :param shares: whether the network may hold only as much as is left for all others.  So one that takes
            all it can leaves half, and a second one a third; the limit cannot be used up by a few.
        """
        held = self._held.get(network, 0)
        if self._limit and octets + (held if shares else 0) > self._limit - self.used:
            return False
        self._held[network] = held + octets
        self.used += octets
        return True

    def give(self, network: str, octets: int) -> None:
        """Give claimed octets back."""
        left = self._held[network] - octets
        if left:
            self._held[network] = left
        else:
            del self._held[network]
        self.used -= octets


class RoomClaim:
    """The octets that one message holds in a `SpoolRoom`.

    :param shares: see `SpoolRoom.take`.
    """

    __slots__ = ("_network", "_octets", "_room", "_shares")

    def __init__(self, room: SpoolRoom, network: str, *, shares: bool) -> None:
        self._room = room
        self._network = network
        self._shares = shares
        self._octets = 0

    def take(self, octets: int) -> bool:
        """Claim more octets; False if there is no room."""
        if not self._room.take(self._network, octets, shares=self._shares):
            return False
        self._octets += octets
        return True

    def release(self) -> None:
        """Give all of them back; may be called again."""
        octets, self._octets = self._octets, 0
        if octets:
            self._room.give(self._network, octets)
