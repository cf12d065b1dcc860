"""`RelayLimits`: how much the relay does at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from mailproto._arguments import check_fields, check_mapping, check_seconds

__all__ = ["RelayLimits"]


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How much the relay does at a time; times are in seconds.

    :ivar leased: the most messages that are leased, and so in memory, at a time.
    :ivar destination_leased: the most of these for one destination; it never gets more than half of what is
        left for all.
    :ivar connections: the most connections, including unused ones that are kept.
    :ivar slow_connections: the most connections that have been opened for over 5 seconds without success;
        they do not count among ``connections``, so that servers that never answer keep nobody waiting.
    :ivar destination_connections: the most of these for one destination at a time.
    :ivar first_connections: how many a destination gets at first; the number grows while messages are taken,
        and shrinks when they are not.
    :ivar recipients: the most recipients of a transaction.
    :ivar exchanges: the most servers that are tried for a destination in one attempt.
    :ivar connection_messages: the most messages over one connection.
    :ivar connection_age: how long a connection is used.
    :ivar connection_idle: how long an unused connection is kept.
    :ivar rate: the most messages to one destination in a second; 0 for any number.
    :ivar rates: the same for single destinations, by their names.
    :ivar lease: how long a lease lasts; it is renewed while a message is sent.  If the process dies, its
        messages are tried again after this time, or as soon as another process of an SQLite store starts or
        sees that.
    :ivar stop_within: how long stopping waits for the messages that are being sent.
    :raises TypeError, ValueError: a value is of the wrong type, or nothing could be sent with it.
    """

    ABOVE_0: ClassVar[frozenset[str]] = frozenset(
        {
            "leased",
            "destination_leased",
            "connections",
            "destination_connections",
            "first_connections",
            "recipients",
            "exchanges",
            "connection_messages",
            "connection_age",
            "lease",
        }
    )

    leased: int = 2000
    destination_leased: int = 250
    connections: int = 100
    slow_connections: int = 400
    destination_connections: int = 20
    first_connections: int = 5
    recipients: int = 50
    exchanges: int = 5
    connection_messages: int = 1000
    connection_age: float = 300
    connection_idle: float = 5
    rate: float = 0
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    lease: float = 120
    stop_within: float = 20

    def __post_init__(self) -> None:
        check_fields(self)
        check_mapping("rates", self.rates)
        for destination, rate in self.rates.items():
            check_seconds(f"the rate of {destination}", rate)

    def rate_of(self, destination: str) -> float:
        """The most messages to a destination in a second; 0 for any number."""
        return self.rates.get(destination, self.rate)
