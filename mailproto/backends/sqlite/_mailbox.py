"""Implements `IMailbox`: reads directly, and changes through the writer."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._shared_mailbox import SharedMailbox
from mailproto.backends._uid_runs import UidPairs
from mailproto.backends.sqlite import _changing, _long_changes, _reading, _rendering
from mailproto.backends.sqlite._bodies import LARGE, Body, Digesting
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._flagbits import columns_of
from mailproto.backends.sqlite._long_changes import LongChange
from mailproto.backends.sqlite._placing import Append, Arrival, append_all
from mailproto.backends.sqlite._replacing import replace
from mailproto.backends.sqlite._requests import REQUEST
from mailproto.errors import InvalidMailboxName, Unavailable
from mailproto.interfaces import IBoundedReading, IMailbox, IMetadata, IObjectIds, IRecent
from mailproto.interfaces.add_ons import IFinding, INearWords, IReplacing, ISaveDates
from mailproto.model import (
    PERMANENT_FLAGS,
    SYSTEM_FLAGS,
    AppendedMessage,
    Changes,
    ContentTest,
    FlagChange,
    FlagColumns,
    FlagOperation,
    Found,
    MailboxStatus,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    SortOrder,
    StoreResult,
    ThreadAlgorithm,
    Threads,
)

__all__ = ["SQLiteMailbox", "arrival"]

T = TypeVar("T")

_SYSTEM_FLAGS = frozenset(SYSTEM_FLAGS)

_OCTETS = 4096
"""So many octets of an appended message have the weight 1 for the writer."""

_AT_ONCE = 0.002
"""Seconds of work on the messages of one command, after which others have their turn."""


@implementer(
    IMailbox, IBoundedReading, IFinding, IMetadata, INearWords, IObjectIds, IRecent, IReplacing, ISaveDates
)
class SQLiteMailbox:
    """A mailbox by its id, also after it was renamed."""

    writable = True
    permanent_flags = PERMANENT_FLAGS

    def __init__(self, database: Database, account: int, id_: int, name: str, uid_validity: int) -> None:
        self.name = name
        self.uid_validity = uid_validity
        self.mailbox_id = _reading.MAILBOX_ID.format(id_)
        self._database = database
        self._account = account
        self._id = id_

    def __eq__(self, other: object) -> bool:
        return type(other) is SQLiteMailbox and other._id == self._id and other._database is self._database

    def __hash__(self) -> int:
        return hash(self._id)

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        return self._database.known.status(self._id)

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        return await self._database.changes.changes_since(self._id, modseq)

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        found = self._read(list(uids), parts)
        if _rendering.has_stale(found, parts):
            return await _rendering.summarised(self._database, self._id, found, parts)
        return found

    async def read_some(self, uids: Sequence[int], parts: Part, octets: int) -> Sequence[MessageInfo]:
        """See `IBoundedReading.read_some`."""
        uids = list(uids)
        while True:
            found = self._read(uids, parts, octets)
            if not _rendering.has_stale(found, parts):
                return found
            if anew := await _rendering.summarised(self._database, self._id, found, parts, octets):
                return anew
            uids = uids[bisect_right(uids, found[-1].uid) :]  # those that were found have been removed

    def _read(self, uids: list[int], parts: Part, most: int | None = None) -> list[MessageInfo]:
        database = self._database
        return database.read(_reading.read, self._id, uids, parts, database.bodies.content, most)

    async def metadata(self, uids: Sequence[int]) -> Metadata:
        """See `IMetadata.metadata`."""
        return await _reading.metadata(self._database.read, self._database.pause, self._id, uids)

    async def find(self, uids: Sequence[int], tests: Sequence[ContentTest]) -> Sequence[Found]:
        """See `IFinding.find`."""
        return await self._search(self._database.search.find(self._id, uids, tests))

    async def sort(self, uids: Sequence[int], orders: Sequence[SortOrder]) -> Sequence[int]:
        """See `IFinding.sort`."""
        return await self._search(self._database.search.sort(self._id, uids, orders))

    async def thread(self, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Threads:
        """See `IFinding.thread`."""
        return await self._search(self._database.search.thread(self._id, uids, algorithm))

    async def near_words(self, uids: Sequence[int], words: Sequence[str]) -> Sequence[Sequence[str]]:
        """See `INearWords.near_words`."""
        return await self._search(self._database.search.near_words(self._id, uids, words))

    async def _search(self, search: Coroutine[Any, Any, T]) -> T:
        database = self._database
        found = await database.underway(Deferred.fromCoroutine(search))
        database.read(_reading.check_exists, self._id)
        return found

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        """See `IMailbox.append`."""
        return await self._put(self._id, messages, self._append)

    async def replace(self, uid: int, message: NewMessage, target: IMailbox) -> AppendedMessage:
        """See `IReplacing.replace`."""
        if isinstance(target, SharedMailbox):
            message, target = target.given(message)
        run, share = self._database.writer.run, self._account
        return await self._put(
            self._other(target),
            [message],
            lambda append, weight: run(replace, self._id, uid, append, share=share, weight=weight),
        )

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        """See `IMailbox.store`."""
        change = FlagChange(change.operation, kept_flags(change.flags))
        adds_keywords = change.operation is not FlagOperation.REMOVE and not change.flags <= _SYSTEM_FLAGS
        if adds_keywords and _long_changes.is_long(uids):  # a single slice fails as a whole anyway
            database = self._database
            await _reading.check_flags(database.read, database.pause, self._id, uids, change)
        stored = await self._change(_long_changes.storing(self._id, change, unchanged_since), uids)
        if len(stored) == 1:
            return cast(StoreResult, stored[0])
        refused = list(chain.from_iterable(part.refused for part in stored))
        return StoreResult(FlagColumns.join([part.changed for part in stored]), refused)

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`."""
        if isinstance(target, SharedMailbox):
            return await target.take(lambda mailbox: self.copy(uids, mailbox))
        copied = await self._change(_long_changes.copying(self._id, self._other(target)), uids)
        return UidPairs.join(copied)

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`."""
        if isinstance(target, SharedMailbox):
            return await target.take(lambda mailbox: self.move(uids, mailbox))
        moved = await self._change(_long_changes.moving(self._id, self._other(target)), uids)
        return UidPairs.join(moved)

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        if uids is None:
            uids = await _reading.marked_deleted(self._database.read, self._database.pause, self._id)
            if not uids:
                return ()
        gone = array("I")
        for part in await self._change(_long_changes.expunging(self._id), uids):
            gone += part
        return gone

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        return self._database.hints.watch_mailbox(self._id, listener)

    async def claim_recent(self) -> range:
        """See `IRecent.claim_recent`."""
        database = self._database
        claimed, is_change = database.read(_reading.claim_recent, self._id)
        if not is_change:
            return claimed
        # There may be messages of a commit that the reactor has not heard of yet.
        database.known.forget()
        # Nobody else in this process gets them.  Another process may claim the same at the same time: then
        # the transaction says whose they are.
        kept = database.underway(
            database.writer.run(_changing.keep_claim, self._id, claimed, share=self._account)
        )
        kept.addCallbacks(self._claim_kept, lambda failure: failure.trap(Unavailable) and claimed)
        if database.is_only_process:  # SELECT does not wait for the writer
            return claimed
        mine: Deferred[range] = Deferred()  # who goes away while it waits does not end the claim
        kept.addCallbacks(mine.callback, mine.errback)
        return await mine

    def _claim_kept(self, claimed: range) -> range:
        with suppress(Unavailable):  # the claim stays in memory
            self._database.read(_reading.claim_kept, self._id, claimed.stop)
        return claimed

    async def _change(self, change: LongChange, uids: Sequence[int]) -> list[Any]:
        doing = self._database.long_changes.do(change, uids, self._account)
        return await self._database.underway(Deferred.fromCoroutine(doing))

    def _append(self, append: Append, weight: int) -> Deferred[Sequence[AppendedMessage]]:
        return self._database.writer.submit(append_all, append, share=self._account, weight=weight)

    async def _put(
        self,
        mailbox: int,
        messages: Sequence[NewMessage],
        put: Callable[[Append, int], Deferred[T]],
    ) -> T:
        """Call ``put`` with new messages for a mailbox, and their weight for the writer."""
        database = self._database
        if len(messages) == 1 and len(messages[0].content) <= LARGE:  # as nearly always
            [message] = messages
            body = await database.digested(Digesting(database.bodies.small(message.content)))
            one = arrival(body, message.flags, message.internal_date, message.zone)
            return await put(*_request(mailbox, [one]))
        if any(len(message.content) > LARGE for message in messages):
            return await database.to_its_end(
                lambda is_wanted: self._put_all(mailbox, messages, put, is_wanted)
            )
        return await database.underway(Deferred.fromCoroutine(self._put_all(mailbox, messages, put)))

    async def _put_all(
        self,
        mailbox: int,
        messages: Sequence[NewMessage],
        put: Callable[[Append, int], Deferred[T]],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        database, bodies = self._database, self._database.bodies
        arrivals: list[Arrival] = []
        end = time.monotonic() + _AT_ONCE
        try:
            for message in messages:
                if time.monotonic() > end:
                    await database.pause()
                    end = time.monotonic() + _AT_ONCE
                if len(message.content) > LARGE:
                    body = await bodies.large(message.content)
                else:
                    body = await database.digested(Digesting(bodies.small(message.content)))
                arrivals.append(arrival(body, message.flags, message.internal_date, message.zone))
            if not is_wanted():
                raise CancelledError
            return await put(*_request(mailbox, arrivals))
        except BaseException:
            bodies.remove([one.body.file for one in arrivals if one.body.file])
            raise

    def _other(self, target: IMailbox) -> int:
        if isinstance(target, SQLiteMailbox) and target._database is self._database:
            return target._id
        raise InvalidMailboxName("Messages cannot be copied there")


def _request(mailbox: int, arrivals: Sequence[Arrival]) -> tuple[Append, int]:
    """What the writer is to do, and its weight."""
    octets = sum(arrival.body.size for arrival in arrivals if arrival.body.file is None)
    return Append(mailbox, arrivals), REQUEST * len(arrivals) + octets // _OCTETS


def arrival(body: Body, flags: frozenset[str], internal_date: int | None, zone: int = 0) -> Arrival:
    """Make the writer's input for a new message.

    :raises MailError: the flags are not allowed.
    """
    columns = columns_of(check_keywords(kept_flags(flags))) if flags else (0, "")
    return Arrival(body, columns, int(time.time()) if internal_date is None else internal_date, zone)
