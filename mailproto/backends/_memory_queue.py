"""The reference queue: keeps everything in memory, and is small enough to be read.

It defines what `mailproto.interfaces.IQueue` means in doubtful cases.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from zope.interface import implementer

from mailproto.backends import _queue_arguments as given
from mailproto.backends._handover import Handover
from mailproto.backends._memory_turns import Destinations, QueuedFor
from mailproto.backends._queue_filter import fits, is_deferred
from mailproto.backends._queue_rules import later_deadline
from mailproto.backends._watch import Watchers
from mailproto.content import Content
from mailproto.domains import canonical_domain
from mailproto.errors import LeaseLost, NoSuchQueued
from mailproto.interfaces import IHandover, IQueue
from mailproto.model import (
    AppendedMessage,
    DestinationState,
    Lease,
    NewQueued,
    QueueChange,
    QueueCounts,
    QueuedMessage,
    QueueFilter,
    QueueState,
    RecipientResult,
)

__all__ = ["MemoryQueue"]

Placed = Sequence[Sequence[AppendedMessage]]

_UNFINISHED = (QueueState.WAITING, QueueState.HELD)


@dataclass(slots=True)
class _Message:
    """A message, with those recipients that need another server."""

    id: int
    new: NewQueued
    content: Content
    deadline: float
    recipients: list[QueuedFor] = field(default_factory=list)

    def shown(self, *, recipients: Iterable[QueuedFor] | None = None, whole: bool = False) -> QueuedMessage:
        new = self.new
        return QueuedMessage(
            self.id,
            new.envelope,
            tuple([each.shown() for each in (self.recipients if recipients is None else recipients)]),
            new.arrived,
            new.expires,
            new.priority,
            len(self.content),
            self.content if whole else None,
        )


@dataclass(slots=True)
class _Lease:
    message: _Message
    leased: float
    until: float
    recipients: list[QueuedFor]


@implementer(IHandover, IQueue)
class MemoryQueue:
    """A queue in memory.

    :param find_places: looks for the mailboxes of all placements, and returns a function that puts the
        messages there.
    """

    def __init__(
        self, find_places: Callable[[Sequence[NewQueued]], Awaitable[Callable[[], Awaitable[Placed]]]]
    ) -> None:
        self._find_places = find_places
        self._ids, self._tokens = count(1), count(1)
        self._messages: dict[int, _Message] = {}
        self._leases: dict[int, _Lease] = {}
        self._destinations = Destinations()
        self._watchers: Watchers[None] = Watchers()
        self._is_sooner = False  # whether something may have become due earlier
        self._handover = Handover()

    async def add(self, messages: Sequence[NewQueued]) -> Placed:
        """See `IQueue.add`."""
        given.check_new("messages", messages)
        contents = [bytes(message.content) for message in messages]
        offer = self._handover.offer(messages)
        leases: Sequence[Lease | None] = ()
        try:
            put = await self._find_places(messages)
            placed = await put()
            leases = self._accept(messages, contents, None if offer is None else offer.until)
        finally:
            if offer is not None:
                offer.answer(leases)
        self._finish()
        return placed

    def hand_over(
        self, reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]
    ) -> Callable[[], None]:
        """See `IHandover.hand_over`."""
        given.check_taker(reserve, take)
        return self._handover.begin(reserve, take)

    def _accept(
        self, messages: Sequence[NewQueued], contents: Sequence[bytes], until: Sequence[float] | None = None
    ) -> list[Lease | None]:
        """:param until: of each message, until when it is leased if it is next; 0.0 not to lease it.
        :returns: the lease of each.
        """
        leases: list[Lease | None] = []
        ends = until or [0.0] * len(messages)
        for at, (new, octets, end) in enumerate(zip(messages, contents, ends, strict=True)):
            deadline = min(new.notice, new.expires) if new.notice else new.expires
            message = _Message(next(self._ids), new, Content(octets[new.skip :]), deadline)
            due = max(new.due, new.arrived)
            for number, name in enumerate(new.destinations):
                if name is None:
                    continue
                each = QueuedFor(
                    message.id, number, new.envelope.recipients[number], name, new.share, new.priority, due
                )
                message.recipients.append(each)
                destination = self._destinations[name]
                if new.due > new.arrived:
                    destination.wait(each, due)
                elif end and destination.is_free(due):
                    leases.append(self._lease(message, [each], due, end))
                else:
                    destination.make_ready(each, due)
            if message.recipients:
                self._messages[message.id] = message
            if len(leases) <= at:
                leases.append(None)
                self._is_sooner = self._is_sooner or bool(message.recipients)
        return leases

    # -- leases

    async def destinations(self, *, after: str = "", limit: int = 1000) -> Sequence[DestinationState]:
        """See `IQueue.destinations`."""
        given.check_limit(limit)
        found = sorted(self._destinations.states(), key=lambda state: state.destination)
        return [state for state in found if state.destination > after][:limit]

    async def due(self, now: float, limit: int) -> Sequence[DestinationState]:
        """See `IQueue.due`."""
        given.check_limit(limit)
        waiting = [state for state in self._destinations.states() if state.waiting]
        return sorted(waiting, key=lambda state: (state.due, state.destination))[:limit]

    async def lease(
        self, destination: str, *, now: float, until: float, messages: int, recipients: int
    ) -> Sequence[Lease]:
        """See `IQueue.lease`."""
        given.check_lease(destination, now, until, messages, recipients)
        self._destinations.forget(now)
        chosen = self._destinations[destination].choose(now, messages, recipients)
        self._end_leases(each for found in chosen.values() for each in found)
        leases = [self._lease(self._messages[id_], found, now, until) for id_, found in chosen.items()]
        self._destinations[destination].leased(now)
        self._finish()
        return leases

    async def next_deadline(self) -> float | None:
        """See `IQueue.next_deadline`."""
        return min((message.deadline for message in self._messages.values()), default=None)

    async def lease_overdue(self, *, now: float, until: float, messages: int) -> Sequence[Lease]:
        """See `IQueue.lease_overdue`."""
        given.check_overdue(now, until, messages)
        over = sorted((each.deadline, each.id) for each in self._messages.values() if each.deadline <= now)
        leases = []
        for _, id_ in over[:messages]:
            message, chosen = self._messages[id_], dict[str, list[QueuedFor]]()
            message.deadline = later_deadline(now, until, message.new.arrived, message.new.expires)
            for each in message.recipients:
                destination = self._destinations[each.destination]
                if destination.paused_until > now and destination.is_unleased(each, now):
                    chosen.setdefault(each.destination, []).append(each)
            self._end_leases(each for found in chosen.values() for each in found)
            leases += [self._lease(message, found, now, until) for found in chosen.values()]
        self._finish()
        return leases

    def _end_leases(self, taken_over: Iterable[QueuedFor]) -> None:  # also for their other recipients
        for old in {each.token for each in taken_over if each.token is not None}:
            for each in self._leases.pop(old).recipients:
                each.token = None

    def _lease(self, message: _Message, found: list[QueuedFor], now: float, until: float) -> Lease:
        token = next(self._tokens)
        self._leases[token] = _Lease(message, now, until, found)
        for each in found:
            each.token = token
            self._destinations[each.destination].wait(each, until)
        return Lease(token, message.shown(recipients=found, whole=True), until)

    def _held(self, leases: Sequence[Lease]) -> Iterator[tuple[Lease, _Lease]]:
        for lease in leases:
            if lease.token in self._leases:
                yield lease, self._leases[lease.token]

    async def renew(self, leases: Sequence[Lease], until: float) -> Sequence[Lease]:
        """See `IQueue.renew`."""
        given.check_renewal(leases, until)
        renewed = []
        for lease, held in self._held(leases):
            held.until = until
            for each in held.recipients:
                each.time = until
                if each.state is QueueState.WAITING:
                    self._destinations[each.destination].wait(each, until)
            renewed.append(Lease(lease.token, lease.message, until))
        self._finish()
        return renewed

    async def release(self, leases: Sequence[Lease]) -> None:
        """See `IQueue.release`."""
        given.check_leases(leases)
        for lease, held in self._held(leases):
            del self._leases[lease.token]
            for each in held.recipients:
                self._give_back(each)
        self._finish()

    def _give_back(self, each: QueuedFor) -> None:
        each.token = None
        if each.state is QueueState.WAITING:
            self._destinations[each.destination].give_back(each)
            self._is_sooner = True

    async def settle(
        self, lease: Lease, results: Sequence[RecipientResult], reports: Sequence[NewQueued] = ()
    ) -> None:
        """See `IQueue.settle`."""
        given.check_results(lease, results)
        given.check_new("reports", reports)
        contents = [bytes(report.content) for report in reports]
        if lease.token not in self._leases:
            raise LeaseLost
        put = await self._find_places(reports)
        held = self._leases.pop(lease.token, None)  # looked for again, because something was awaited
        if held is None:
            raise LeaseLost
        await put()
        noted = {result.number: result for result in results}
        for each in held.recipients:
            if each.number in noted:
                self._note(each, noted[each.number], held.leased)
                if noted[each.number].is_reported_late:
                    held.message.deadline = held.message.new.expires
            else:
                self._give_back(each)
        if not any(each.state in _UNFINISHED for each in held.message.recipients):
            del self._messages[held.message.id]
        self._accept(reports, contents)
        self._finish()

    def _note(self, each: QueuedFor, result: RecipientResult, leased: float) -> None:
        each.token = None
        each.outcome, each.host, each.due = result.outcome, result.host, result.due
        each.is_reported_late = each.is_reported_late or result.is_reported_late
        if result.is_attempt:
            each.attempts += 1
            each.attempted = leased
        destination = self._destinations[each.destination]
        if result.state is not QueueState.WAITING:
            destination.leave(each)
            each.state = result.state
        elif each.state is QueueState.WAITING:
            destination.wait(each, result.due)
        if result.state is QueueState.WAITING:
            self._is_sooner = True

    async def pause(self, destination: str, until: float, failures: int = 0, reason: str = "") -> None:
        """See `IQueue.pause`."""
        given.check_pause(destination, until, failures, reason)
        there = self._destinations[destination]
        if until < there.paused_until:
            self._is_sooner = True
        there.paused_until, there.failures, there.reason = float(until), failures, reason
        self._finish()

    async def regroup(self, destination_of: Callable[[str], str]) -> None:
        """See `IQueue.regroup`."""
        given.check_destination_of(destination_of)
        known: dict[str, str] = {}
        for message in self._messages.values():
            for each in message.recipients:
                domain = canonical_domain(each.recipient.address.domain)
                if not domain or each.state not in _UNFINISHED:
                    continue
                if domain not in known:
                    known[domain] = given.checked_destination(destination_of(domain))
                if known[domain] != each.destination:
                    self._destinations.move(each, known[domain])
                    self._is_sooner = True
        self._finish()

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IQueue.watch`."""
        return self._watchers.add(None, lambda revision: listener())

    def _finish(self) -> None:
        """End a change."""
        self._destinations.tidy()
        if self._is_sooner:
            self._is_sooner = False
            self._watchers.notify(None, 0)

    # -- for operators

    async def find(self, filter: QueueFilter, *, after: int = 0, limit: int = 100) -> Sequence[QueuedMessage]:
        """See `IQueue.find`."""
        given.check_page(filter, after, limit)
        shown = (message.shown() for message in self._messages.values() if message.id > after)
        return [message for message in shown if fits(message, filter)][:limit]

    async def get(self, id: int) -> QueuedMessage:
        """See `IQueue.get`."""
        try:
            return self._messages[id].shown(whole=True)
        except KeyError:
            raise NoSuchQueued from None

    async def change(self, ids: Sequence[int], change: QueueChange) -> Sequence[int]:
        """See `IQueue.change`."""
        given.check_change(ids, change)
        changed = [
            id_
            for id_ in sorted(set(ids))
            if id_ in self._messages and self._change(self._messages[id_], change)
        ]
        self._finish()
        return changed

    def _change(self, message: _Message, change: QueueChange) -> bool:
        if change is QueueChange.DELETE:
            del self._messages[message.id]
        is_changed = False
        for each in message.recipients:
            destination = self._destinations[each.destination]
            if change is QueueChange.DELETE:
                is_changed = True
                destination.leave(each)
                if each.token is not None:
                    self._leases.pop(each.token, None)
            elif change is QueueChange.HOLD and each.state is QueueState.WAITING:
                is_changed = True
                destination.leave(each)
                each.state = QueueState.HELD
            elif change is QueueChange.RELEASE and each.state is QueueState.HELD:
                is_changed = True
                each.state = QueueState.WAITING
                if each.token is None:
                    self._try_now(message, each)
                else:  # it is still being tried
                    destination.wait(each, each.time)
                self._is_sooner = True
            elif change is QueueChange.RETRY and each.state is QueueState.WAITING and each.token is None:
                is_changed = True
                destination.paused_until = 0.0
                self._try_now(message, each)
                self._is_sooner = True
        return is_changed

    def _try_now(self, message: _Message, each: QueuedFor) -> None:
        each.due = message.new.arrived
        self._destinations[each.destination].make_ready(each, each.due)

    async def counts(self, now: float) -> QueueCounts:
        """See `IQueue.counts`."""
        given.check_now(now)
        all_ = [each for message in self._messages.values() for each in message.recipients]
        waiting = [each for each in all_ if each.state is QueueState.WAITING]
        return QueueCounts(
            messages=len(self._messages),
            waiting=len(waiting),
            due=sum(destination.due(now) for destination in self._destinations),
            deferred=sum(is_deferred(each.shown()) for each in waiting),
            held=sum(each.state is QueueState.HELD for each in all_),
            leased=sum(len(lease.recipients) for lease in self._leases.values() if lease.until > now),
            octets=sum(len(message.content) for message in self._messages.values()),
            oldest=next((message.new.arrived for message in self._messages.values()), None),
        )
