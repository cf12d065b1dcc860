"""What a connection asks of a sans-IO wire."""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["PlaintextWire", "Wire"]

EventT_co = TypeVar("EventT_co", covariant=True)


class Wire(Protocol[EventT_co]):
    """The server's side of a protocol as octets in, events out (sans-IO)."""

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""

    def receive(self, data: bytes) -> None:
        """Take octets; never raises."""

    def next_event(self) -> EventT_co | None:
        """The next event, or None for "more octets".

        :raises WireError: for what is not the protocol; the next call goes on behind it.
        """


class PlaintextWire(Wire[EventT_co], Protocol[EventT_co]):
    """Of a connection that may begin TLS later."""

    def take_pending(self) -> bytes:
        """Give up what `pending` counts, between two events: it is no longer the wire's."""
