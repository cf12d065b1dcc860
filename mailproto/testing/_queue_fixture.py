"""The base of all parts of the conformance suite for queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest import SkipTest

from mailproto.content import Octets
from mailproto.interfaces import IQueueStore
from mailproto.model import (
    Address,
    Envelope,
    Lease,
    NewQueued,
    Outcome,
    Placement,
    QueueCounts,
    QueuedMessage,
    QueueFilter,
    QueueState,
    Recipient,
    RecipientResult,
    Session,
)
from mailproto.testing._fixture import TEXT, StoreFixture, deferred, provides
from mailproto.testing._settled import Settled

__all__ = [
    "BUSY",
    "DOMAIN",
    "NEVER",
    "NOW",
    "REFUSED",
    "SENT",
    "QueueFixture",
    "failed",
    "message",
    "numbers",
    "octets_of",
    "sent",
    "waiting",
]

NOW = 1_700_000_000.0
"""When the tests begin; times are passed to the queue, so that no test has to wait."""

NEVER = NOW + 1e6

DOMAIN = "y.example"

SENT = Outcome(250, "2.0.0", "OK")
BUSY = Outcome(451, "4.3.0", "Busy")
REFUSED = Outcome(550, "5.1.1", "No such user")


def message(
    *to: str,
    sender: str = "ann@x.example",
    content: Octets = TEXT,
    destinations: Sequence[str | None] | None = None,
    placements: Sequence[Placement] = (),
    skip: int = 0,
    arrived: float = NOW,
    due: float = 0.0,
    priority: int = 0,
    share: str = "",
    expires: float = 0.0,
    notice: float = 0.0,
) -> NewQueued:
    """A message for the queue.

    :param to: addresses; `DOMAIN` is that of those without one.
    :param destinations: by default, the domains.
    :param expires: by default, five days after it has arrived.
    """
    addresses = [Address.parse(each if "@" in each else f"{each}@{DOMAIN}") for each in to or ("bob",)]
    envelope = Envelope(
        "T1",
        Address.parse(sender),
        tuple(map(Recipient, addresses)),
        Session("ESMTP", "mx.example", "192.0.2.1", "client.example"),
    )
    return NewQueued(
        content,
        envelope,
        tuple(each.domain for each in addresses) if destinations is None else tuple(destinations),
        arrived,
        expires or arrived + 432_000,
        tuple(placements),
        skip,
        due,
        priority,
        share,
        notice,
    )


def octets_of(lease: Lease) -> bytes:
    """The leased message's octets."""
    assert lease.message.content is not None
    return bytes(lease.message.content)


def numbers(lease: Lease) -> list[int]:
    """The leased recipients' numbers."""
    return [recipient.number for recipient in lease.message.recipients]


def sent(lease: Lease) -> list[RecipientResult]:
    """Results: all leased recipients were sent."""
    return [RecipientResult(number, QueueState.SENT, SENT, "mx.y.example") for number in numbers(lease)]


def failed(lease: Lease) -> list[RecipientResult]:
    """Results: all leased recipients were refused."""
    return [RecipientResult(number, QueueState.FAILED, REFUSED, "mx.y.example") for number in numbers(lease)]


def waiting(lease: Lease, due: float, *, is_attempt: bool = True) -> list[RecipientResult]:
    """Results: all leased recipients are tried again later."""
    return [
        RecipientResult(number, QueueState.WAITING, BUSY, "mx.y.example", due, is_attempt)
        for number in numbers(lease)
    ]


class QueueFixture(StoreFixture):
    """Starts a store with a queue and one account; a mixin for ``twisted.trial.unittest.TestCase``."""

    def make_second_store(self, store: IQueueStore) -> IQueueStore:
        """Another object, not started, for what ``store`` has opened; override it if there can be one.

        It is what another process, or another machine, would use.
        """
        raise SkipTest("Not offered: make_second_store")

    async def setUp(self) -> None:  # type: ignore[override]  # trial awaits it
        """Start the store; it is stopped after the test."""
        await super().setUp()
        if not provides(IQueueStore, self.store):
            raise SkipTest("Not offered: the store is no IQueueStore")
        self.queue: Any = self.store.queue

    async def second_queue(self) -> Any:
        """A second queue on the same data."""
        store: Any = Settled(self.make_second_store(self.store._wrapped))
        await store.start()
        self.addCleanup(lambda: deferred(store.stop()))
        return store.queue

    async def lease(
        self,
        destination: str = DOMAIN,
        *,
        now: float = NOW,
        until: float | None = None,
        messages: int = 100,
        recipients: int = 100,
        queue: Any = None,
    ) -> Sequence[Lease]:
        """Lease, by default all that is due for a minute."""
        leases: Sequence[Lease] = await (queue or self.queue).lease(
            destination,
            now=now,
            until=now + 60 if until is None else until,
            messages=messages,
            recipients=recipients,
        )
        return leases

    async def lease_one(self, destination: str = DOMAIN, **options: Any) -> Lease:
        """Lease, and check that it is one message."""
        [lease] = await self.lease(destination, **options)
        return lease

    async def pages(self, filter: QueueFilter, *, limit: int = 100) -> list[QueuedMessage]:
        """All messages that fit, read page by page."""
        found: list[QueuedMessage] = []
        while page := await self.queue.find(filter, after=found[-1].id if found else 0, limit=limit):
            self.assertLessEqual(len(page), limit)
            found += page
        return found

    async def due(self) -> list[tuple[str, float]]:
        """The destinations for which something waits, each with the time at which it should be tried."""
        return [(state.destination, state.due) for state in await self.queue.due(NOW, 100)]

    async def locals(self, destination: str = DOMAIN, **options: Any) -> list[list[str]]:
        """Lease; the local parts of the leased recipients, by message."""
        return [
            [recipient.recipient.address.local for recipient in lease.message.recipients]
            for lease in await self.lease(destination, **options)
        ]

    async def assert_counts(self, now: float = NOW, **expected: Any) -> None:
        """Check how much is in the queue; what is not named must be 0."""
        counts = await self.queue.counts(now)
        nothing = QueueCounts(0, 0, 0, 0, 0, 0, 0, None)
        self.assertEqual(counts, replace(nothing, **expected))

    async def watched(self) -> tuple[list[None], Callable[[], None]]:
        """A list that gets an element with each hint, and the function that ends this."""
        hints: list[None] = []
        return hints, self.queue.watch(lambda: hints.append(None))
