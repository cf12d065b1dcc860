"""The queue in the database: messages on their way to other servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from zope.interface import implementer

from mailproto.backends import _queue_arguments as given
from mailproto.backends._handover import Handover
from mailproto.backends._queue_filter import fits
from mailproto.backends.sqlite import _queue_reading as reading
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._queue_adding import UNREAD, Added, Entry, add_all, entry
from mailproto.backends.sqlite._queue_changing import change_some, pause, regroup_some
from mailproto.backends.sqlite._queue_handover import answered, offered, placed
from mailproto.backends.sqlite._queue_leasing import Token, Wanted, lease_all, release_all, renew_all
from mailproto.backends.sqlite._queue_overdue import lease_overdue
from mailproto.backends.sqlite._queue_settling import settle_all, settle_and_report_all, settlement
from mailproto.backends.sqlite._requests import REQUEST
from mailproto.backends.sqlite._schema import connect
from mailproto.domains import canonical_domain
from mailproto.errors import MailError
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
    RecipientResult,
)

__all__ = ["SQLiteQueue"]

CHANGED = 1000
"""Recipients that one transaction of `SQLiteQueue.change` changes, or those of one message if it has more."""

REGROUPED = 500
"""Recipients that are looked at, and perhaps changed, in one step of `SQLiteQueue.regroup`: some 2 ms."""

READ = 25
"""Leased messages that are read in one turn of the reactor."""

_OPERATORS = "queue"  # whose turn changes of many messages take in the writer

STEPS = 50
"""Steps of `SQLiteQueue.find` after which it returns what it has found, if that is something."""


class _Known(dict[str, str]):
    """The new destination of each spelling of a domain, asked for when it is first needed; "" for none."""

    def __init__(self, destination_of: Callable[[str], str]) -> None:
        super().__init__()
        self._destination_of = destination_of

    def __missing__(self, domain: str) -> str:
        name = canonical_domain(domain) if isinstance(domain, str) else ""
        if name == domain and name:
            self[name] = given.checked_destination(self._destination_of(name))
        else:
            self[domain] = self[name] if name else ""
        return self[domain]


@implementer(IHandover, IQueue)
class SQLiteQueue:
    """The queue of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handover = Handover()

    def add(self, messages: Sequence[NewQueued]) -> Deferred[Sequence[Sequence[AppendedMessage]]]:
        """See `IQueue.add`."""
        given.check_new("messages", messages)
        if not messages:
            return succeed([])
        if not _has_large(messages):
            # The usual case, thousands of times a second: one Deferred and no coroutine.
            try:
                entries = self._small(messages)
            except (MailError, ValueError):
                return fail()
            offer = self._handover.offer(messages)
            if offer is None:
                return self._submit(entries).addCallback(placed)
            entries = offered(entries, offer, self._database.process)
            return self._submit(entries).addBoth(answered, offer, entries)
        return self._with_files(messages, self._submit).addCallback(placed)

    def _submit(self, entries: list[Entry]) -> Deferred[Sequence[Added]]:
        return self._database.writer.submit(add_all, entries)

    def hand_over(
        self, reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]
    ) -> Callable[[], None]:
        """See `IHandover.hand_over`."""
        given.check_taker(reserve, take)
        return self._handover.begin(reserve, take)

    def settle(
        self, lease: Lease, results: Sequence[RecipientResult], reports: Sequence[NewQueued] = ()
    ) -> Deferred[None]:
        """See `IQueue.settle`."""
        given.check_results(lease, results)
        given.check_new("reports", reports)
        writer, token = self._database.writer, lease.token
        if not reports:
            return writer.submit(settle_all, settlement(token, results, ()))

        def settle(entries: Sequence[Entry]) -> Deferred[None]:
            return writer.submit(settle_and_report_all, settlement(token, results, entries))

        if _has_large(reports):
            return self._with_files(reports, settle)
        try:
            return settle(self._small(reports))
        except (MailError, ValueError):
            return fail()

    def _small(self, messages: Sequence[NewQueued]) -> list[Entry]:
        bodies, entries = self._database.bodies, []
        for message in messages:
            body = bodies.small(message.content, None if message.placements else UNREAD)
            entries.append(entry(message, body))
        return entries

    def _with_files(
        self, messages: Sequence[NewQueued], submit: Callable[[list[Entry]], Deferred[Any]]
    ) -> Deferred[Any]:
        """Write large contents to files, and remove these if the messages are not accepted."""

        async def work(is_wanted: Callable[[], bool]) -> Any:
            bodies, entries, files = self._database.bodies, [], []
            try:
                for message in messages:
                    digest = None if message.placements else UNREAD
                    if len(message.content) > LARGE:
                        body = await bodies.large(message.content, digest)
                        files.append(body.file or "")
                    else:
                        body = bodies.small(message.content, digest)
                    entries.append(entry(message, body))
                if not is_wanted():
                    raise CancelledError
                return await submit(entries)
            except BaseException:
                bodies.remove(files)
                raise

        return self._database.to_its_end(work)

    async def destinations(self, *, after: str = "", limit: int = 1000) -> Sequence[DestinationState]:
        """See `IQueue.destinations`."""
        given.check_limit(limit)
        return self._database.read(reading.destinations, after, limit)

    async def due(self, now: float, limit: int) -> Sequence[DestinationState]:
        """See `IQueue.due`."""
        given.check_limit(limit)
        return self._database.read(reading.due, limit)

    async def lease(
        self, destination: str, *, now: float, until: float, messages: int, recipients: int
    ) -> Sequence[Lease]:
        """See `IQueue.lease`."""
        given.check_lease(destination, now, until, messages, recipients)
        database = self._database
        wanted = Wanted(destination, now, until, messages, recipients, database.process)
        leased = await database.writer.submit(lease_all, wanted)
        if len(leased.batch) <= READ:  # a few messages of each of some destinations
            if not leased.read:
                leased.read.update((each.token, each) for each in self._read(leased.batch))
            return [leased.read[token] for token, _, _ in leased.leases if token in leased.read]
        return await self._read_all(leased.leases)

    async def next_deadline(self) -> float | None:
        """See `IQueue.next_deadline`."""
        return self._database.read(reading.next_deadline)

    async def lease_overdue(self, *, now: float, until: float, messages: int) -> Sequence[Lease]:
        """See `IQueue.lease_overdue`."""
        given.check_overdue(now, until, messages)
        database = self._database
        return await self._read_all(
            await database.writer.run(lease_overdue, now, until, messages, database.process)
        )

    async def _read_all(self, tokens: Sequence[Token]) -> list[Lease]:
        leases: list[Lease] = []
        for start in range(0, len(tokens), READ):
            if start:
                await self._database.pause()
            leases += self._read(tokens[start : start + READ])
        return leases

    def _read(self, leases: Sequence[tuple[int, int, float]]) -> list[Lease]:
        return self._database.read(reading.messages_of, leases, self._database.bodies.content)

    async def renew(self, leases: Sequence[Lease], until: float) -> Sequence[Lease]:
        """See `IQueue.renew`."""
        given.check_renewal(leases, until)
        asked = ([lease.token for lease in leases], until)
        left = await self._database.writer.submit(renew_all, asked)
        return [Lease(each.token, each.message, until) for each in leases if each.token in left]

    def release(self, leases: Sequence[Lease]) -> Deferred[None]:
        """See `IQueue.release`."""
        given.check_leases(leases)
        return self._database.writer.submit(release_all, [lease.token for lease in leases])

    def pause(self, destination: str, until: float, failures: int = 0, reason: str = "") -> Deferred[None]:
        """See `IQueue.pause`."""
        given.check_pause(destination, until, failures, reason)
        return self._database.writer.run(pause, destination, float(until), failures, reason)

    async def regroup(self, destination_of: Callable[[str], str]) -> None:
        """See `IQueue.regroup`."""
        given.check_destination_of(destination_of)
        database, known = self._database, _Known(destination_of)
        after = (0, -1)
        while rows := database.read(reading.unfinished, after, REGROUPED):
            after = rows[-1][:2]
            moves = [
                (message, number, old, new)
                for message, number, old, domain in rows
                if domain and (new := known[domain]) not in ("", old)
            ]
            if moves:
                await database.writer.run(regroup_some, moves, share=_OPERATORS, weight=REQUEST + len(moves))
            else:
                await database.pause()

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IQueue.watch`."""
        return self._database.hints.watch_queue(listener)

    async def find(self, filter: QueueFilter, *, after: int = 0, limit: int = 100) -> Sequence[QueuedMessage]:
        """See `IQueue.find`."""
        given.check_page(filter, after, limit)
        messages: list[QueuedMessage] = []
        upto: int | None = after
        steps = 0
        while upto is not None and len(messages) < limit and not (messages and steps >= STEPS):
            if steps:
                await self._database.pause()
            found = self._database.read(reading.find_some, filter, upto, limit - len(messages))
            messages += [message for message in found.messages if fits(message, filter)]
            upto = found.upto
            steps += 1
        return messages

    async def get(self, id: int) -> QueuedMessage:
        """See `IQueue.get`."""
        return self._database.read(reading.get, id, self._database.bodies.content)

    async def change(self, ids: Sequence[int], change: QueueChange) -> Sequence[int]:
        """See `IQueue.change`."""
        given.check_change(ids, change)
        changed: list[int] = []
        ids = sorted(set(ids))
        for start in range(0, len(ids), CHANGED):
            sizes = self._database.read(reading.sizes_of, ids[start : start + CHANGED])
            for piece in _slices(sizes):
                changed += await self._database.writer.run(
                    change_some, piece, change, share=_OPERATORS, weight=CHANGED
                )
        return changed

    async def counts(self, now: float) -> QueueCounts:
        """See `IQueue.counts`."""
        given.check_now(now)
        path = self._database.path

        def count() -> QueueCounts:
            connection = connect(path)
            try:
                return reading.counts(connection, now)
            finally:
                connection.close()

        return await self._database.bodies.in_thread(count)


_ALL = QueueFilter()


def _has_large(messages: Sequence[NewQueued]) -> bool:
    return any(len(message.content) > LARGE for message in messages)


def _slices(sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids of messages, in slices of some `CHANGED` recipients."""
    piece: list[int] = []
    recipients = 0
    for id_, size in sizes:
        if piece and recipients + size > CHANGED:
            yield piece
            piece, recipients = [], 0
        piece.append(id_)
        recipients += size
    if piece:
        yield piece
