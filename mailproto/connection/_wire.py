"""The interface between a connection and a sans-IO wire."""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["PlaintextWire", "Wire"]

EventT_co = TypeVar("EventT_co", covariant=True)


class Wire(Protocol[EventT_co]):
    """Parses the server's side of a protocol: octets in, events out (sans-IO)."""

    @property
    def pending(self) -> int:
        """The number of received octets that are not yet part of an event."""

    def receive(self, data: bytes) -> None:
        """Add received octets; never raises."""

    def next_event(self) -> EventT_co | None:
        """The next event, or None if it needs more octets.

        :raises WireError: the octets break the protocol; the next call continues after them.
        """


class PlaintextWire(Wire[EventT_co], Protocol[EventT_co]):
    """The wire of a connection that may start TLS later."""

    def take_pending(self) -> bytes:
        """Remove and return the octets that `pending` counts; called between two events."""
