"""The queue in memory, which remembers what it was told, and fails when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mailproto.backends._memory_queue import MemoryQueue
from mailproto.content import Content
from mailproto.model import Lease, NewQueued, RecipientResult

__all__ = ["WatchedQueue"]


class WatchedQueue(MemoryQueue):
    """A queue without mailboxes.

    :ivar failures: exceptions that the next calls of `settle` raise.
    :ivar done: recipients with their results, in the order in which they were settled.
    :ivar reports: that were added with results.
    :ivar paused: until when each destination is paused.
    :ivar renewals: how often leases were renewed.
    :ivar leased: how many messages were leased later than they were accepted; ``handed``: how many then.
    :ivar contents: what is found instead of messages' contents, by the envelope's id.
    """

    def __init__(self) -> None:
        super().__init__(self._no_places)
        self.failures: list[Exception] = []
        self.done: list[tuple[str, RecipientResult]] = []
        self.reports: list[NewQueued] = []
        self.paused: dict[str, float] = {}
        self.reasons: dict[str, str] = {}
        self.renewals = self.leased = self.handed = 0
        self.contents: dict[str, Content | None] = {}

    async def _no_places(self, messages: Sequence[NewQueued]) -> Any:
        async def put() -> Sequence[Any]:
            return [[] for _ in messages]

        return put

    async def settle(
        self, lease: Lease, results: Sequence[RecipientResult], reports: Sequence[NewQueued] = ()
    ) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await super().settle(lease, results, reports)
        names = {each.number: str(each.recipient.address) for each in lease.message.recipients}
        self.done += [(names[result.number], result) for result in results]
        self.reports += reports

    async def lease(
        self, destination: str, *, now: float, until: float, messages: int, recipients: int
    ) -> Sequence[Lease]:
        leases = await super().lease(
            destination, now=now, until=until, messages=messages, recipients=recipients
        )
        self.leased += len(leases)
        return [self._shown(lease) for lease in leases]

    def hand_over(
        self, reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]
    ) -> Callable[[], None]:
        def taken(name: str, lease: Lease | None) -> None:
            self.handed += lease is not None
            take(name, None if lease is None else self._shown(lease))

        return super().hand_over(reserve, taken)

    def _shown(self, lease: Lease) -> Lease:
        id = lease.message.envelope.id
        if id not in self.contents:
            return lease
        return replace(lease, message=replace(lease.message, content=self.contents[id]))

    async def renew(self, leases: Sequence[Lease], until: float) -> Sequence[Lease]:
        self.renewals += 1
        return await super().renew(leases, until)

    async def pause(self, destination: str, until: float, failures: int = 0, reason: str = "") -> None:
        self.paused[destination] = until
        self.reasons[destination] = reason
        await super().pause(destination, until, failures, reason)
