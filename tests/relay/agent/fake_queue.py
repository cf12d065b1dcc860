"""A queue in memory with the least that `IQueue` says, for the agent's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from zope.interface import implementer

from mailproto.content import Content
from mailproto.errors import LeaseLost
from mailproto.interfaces import IQueue
from mailproto.model import (
    DestinationState,
    Lease,
    NewQueued,
    QueuedMessage,
    QueuedRecipient,
    QueueState,
    RecipientResult,
)


class _Row:
    def __init__(self, message: int, recipient: QueuedRecipient) -> None:
        self.message, self.recipient = message, recipient
        self.token, self.until = 0, 0.0


@implementer(IQueue)
class FakeQueue:
    """`IQueue` without operators' methods.

    :ivar failures: exceptions that the next calls of `settle` raise.
    :ivar calls: how often each method was called.
    """

    def __init__(self) -> None:
        self._ids, self._tokens = count(1), count(1)
        self.messages: dict[int, NewQueued] = {}
        self.rows: list[_Row] = []
        self.paused: dict[str, tuple[float, int, str]] = {}
        self.listeners: list[Callable[[], None]] = []
        self.failures: list[Exception] = []
        self.calls: dict[str, int] = {}
        self.reports: list[NewQueued] = []
        self.done: list[tuple[str, RecipientResult]] = []

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    async def add(self, messages: Sequence[NewQueued]) -> Any:
        for message in messages:
            id = next(self._ids)
            self.messages[id] = message
            for number, (recipient, destination) in enumerate(
                zip(message.envelope.recipients, message.destinations, strict=True)
            ):
                if destination is not None:
                    row = QueuedRecipient(number, recipient, destination, QueueState.WAITING, message.due)
                    self.rows.append(_Row(id, row))
        self._hint()
        return [[] for _ in messages]

    def _hint(self) -> None:
        for listener in list(self.listeners):
            listener()

    async def destinations(self, *, after: str = "", limit: int = 1000) -> Sequence[DestinationState]:
        raise NotImplementedError

    async def due(self, now: float, limit: int) -> Sequence[DestinationState]:
        self._count("due")
        states: dict[str, DestinationState] = {}
        for row in self.rows:
            if row.recipient.state is not QueueState.WAITING or row.until > now:
                continue
            name = row.recipient.destination
            until, failures, reason = self.paused.get(name, (0.0, 0, ""))
            due = max(row.recipient.due, until)
            if name not in states or due < states[name].due:
                states[name] = DestinationState(name, due, 1, until, failures, reason)
        return sorted(states.values(), key=lambda each: each.due)[:limit]

    async def lease(
        self, destination: str, *, now: float, until: float, messages: int, recipients: int
    ) -> Sequence[Lease]:
        self._count("lease")
        chosen: dict[int, list[_Row]] = {}
        for row in self.rows:
            recipient = row.recipient
            if (
                recipient.destination == destination
                and recipient.state is QueueState.WAITING
                and row.until <= now
                and recipient.due <= now
                and (row.message in chosen or len(chosen) < messages)
                and len(chosen.setdefault(row.message, [])) < recipients
            ):
                chosen[row.message].append(row)
        return [self._lease(id, rows, until) for id, rows in chosen.items()]

    def _lease(self, id: int, rows: list[_Row], until: float) -> Lease:
        token = next(self._tokens)
        for row in rows:
            row.token, row.until = token, until
        message = self.messages[id]
        content = Content.of(message.content)
        queued = QueuedMessage(
            id,
            message.envelope,
            tuple(row.recipient for row in rows),
            message.arrived,
            message.expires,
            message.priority,
            len(content),
            content,
        )
        return Lease(token, queued, until)

    def _leased(self, lease: Lease) -> list[_Row]:
        return [row for row in self.rows if row.token == lease.token]

    async def renew(self, leases: Sequence[Lease], until: float) -> Sequence[Lease]:
        self._count("renew")
        kept = [lease for lease in leases if self._leased(lease)]
        for lease in kept:
            for row in self._leased(lease):
                row.until = until
        return [replace(lease, until=until) for lease in kept]

    async def release(self, leases: Sequence[Lease]) -> None:
        self._count("release")
        for lease in leases:
            for row in self._leased(lease):
                row.token, row.until = 0, 0.0
        self._hint()

    async def settle(
        self, lease: Lease, results: Sequence[RecipientResult], reports: Sequence[NewQueued] = ()
    ) -> None:
        self._count("settle")
        if self.failures:
            raise self.failures.pop(0)
        rows = {row.recipient.number: row for row in self._leased(lease)}
        if not rows:
            raise LeaseLost
        for result in results:
            row = rows[result.number]
            old = row.recipient
            self.done.append((str(old.recipient.address), result))
            row.recipient = replace(
                old,
                state=result.state,
                due=result.due,
                outcome=result.outcome,
                host=result.host,
                attempts=old.attempts + result.is_attempt,
                is_reported_late=result.is_reported_late,
            )
        for row in rows.values():
            row.token, row.until = 0, 0.0
        self.rows = [row for row in self.rows if row.recipient.state is QueueState.WAITING]
        self.reports += reports
        if reports:
            await self.add(reports)

    async def pause(self, destination: str, until: float, failures: int = 0, reason: str = "") -> None:
        self._count("pause")
        self.paused[destination] = (until, failures, reason)

    async def regroup(self, destination_of: Callable[[str], str]) -> None:
        raise NotImplementedError

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener) if listener in self.listeners else None

    async def find(self, filter: Any, *, after: int = 0, limit: int = 100) -> Any:
        raise NotImplementedError

    async def get(self, id: int) -> Any:
        raise NotImplementedError

    async def change(self, ids: Sequence[int], change: Any) -> Any:
        raise NotImplementedError

    async def counts(self, now: float) -> Any:
        raise NotImplementedError
