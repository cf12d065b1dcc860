"""A mailbox of a store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from mailproto.awaiting import settle
from mailproto.content import Content
from mailproto.imap.values import UidSet
from mailproto.interfaces import IBoundedReading, IMailbox, IMetadata, IObjectIds
from mailproto.mirroring._flags import Flags
from mailproto.mirroring._sides import BATCH, ReadMessage, Row
from mailproto.model import DELETED, FlagChange, FlagColumns, FlagOperation, NewMessage, Part

__all__ = ["LocalSide"]

_READ_AT_ONCE = 1 << 22
"""Octets of messages that a store reads at a time, if it can limit that."""

_READ_MESSAGES = 10
"""Messages that any other store reads at a time."""


class LocalSide:
    """An `IMailbox` as a `Side`."""

    def __init__(self, mailbox: IMailbox) -> None:
        self._mailbox = mailbox
        self.name = mailbox.name
        self.mailbox_id = ""
        if IObjectIds.providedBy(mailbox):
            identified: IObjectIds = mailbox
            self.mailbox_id = identified.mailbox_id
        self.uid_validity = mailbox.uid_validity
        self.permanent_flags = mailbox.permanent_flags
        self.is_writable = mailbox.writable
        self.uid_next = 1
        self.modseq = 0
        self.present: UidSet | None = None
        self.vanished = UidSet()

    async def open(self) -> None:
        """Learn its numbers."""
        status = await settle(self._mailbox.status())
        self.uid_next = status.uid_next
        self.modseq = status.modseq

    async def changes(self, since: int) -> AsyncIterator[Sequence[Row]]:
        """See `Side`."""
        known = since if since <= self.modseq else 0
        found = await settle(self._mailbox.changes_since(known))
        self.modseq = found.modseq
        if known:
            self.present, self.vanished = None, UidSet(found.vanished)
        else:
            self.present, self.vanished = UidSet(found.changed.uids), UidSet()
        for rows in _pages(found.changed, 0):
            yield rows

    async def listed_from(self, uid: int) -> AsyncIterator[Sequence[Row]]:
        """See `Side`."""
        found = (await settle(self._mailbox.changes_since(0))).changed
        for rows in _pages(found, bisect_left(found.uids, uid)):
            yield rows

    async def sizes(self, uids: Sequence[int]) -> AsyncIterator[tuple[int, int]]:
        """See `Side`."""
        if IMetadata.providedBy(self._mailbox):
            columns = await settle(self._mailbox.metadata(uids))
            for uid, size in zip(columns.uids, columns.sizes, strict=True):
                yield uid, size
            return
        for info in await settle(self._mailbox.read(uids, Part.SIZE)):
            yield info.uid, info.size or 0

    async def read(self, uids: Sequence[int]) -> AsyncIterator[ReadMessage]:
        """See `Side`."""
        parts = Part.CONTENT | Part.INTERNAL_DATE
        wanted = list(uids)
        while wanted:
            if IBoundedReading.providedBy(self._mailbox):
                found = await settle(self._mailbox.read_some(wanted, parts, _READ_AT_ONCE))
                last = found[-1].uid if found else wanted[-1]
            else:
                last = wanted[:_READ_MESSAGES][-1]
                found = await settle(self._mailbox.read(wanted[:_READ_MESSAGES], parts))
            wanted = wanted[bisect_left(wanted, last + 1) :]
            for info in found:
                content = info.content if info.content is not None else Content()
                yield ReadMessage(info.uid, content, frozenset(), info.internal_date, info.zone or 0)

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        """See `Side`."""
        return [appended.uid for appended in await settle(self._mailbox.append(messages))]

    async def flags(self, uids: Sequence[int]) -> Mapping[int, Flags]:
        """A store keeps the flags that it is given."""
        return {}

    async def change(self, uids: Sequence[int], add: Flags, remove: Flags) -> Mapping[int, Flags]:
        """See `Side`."""
        told: dict[int, Flags] = {}
        for operation, flags in ((FlagOperation.ADD, add), (FlagOperation.REMOVE, remove)):
            if flags:
                stored = await settle(self._mailbox.store(uids, FlagChange(operation, flags)))
                told.update(zip(stored.changed.uids, stored.changed.flags, strict=True))
        return told

    async def remove(self, uids: Sequence[int]) -> None:
        """See `Side`."""
        await settle(self._mailbox.store(uids, FlagChange(FlagOperation.ADD, frozenset({DELETED}))))
        await settle(self._mailbox.expunge(uids))


def _pages(columns: FlagColumns, start: int) -> Iterator[Sequence[Row]]:
    uids, flags = columns.uids, columns.flags
    for at in range(start, len(uids), BATCH):
        yield list(zip(uids[at : at + BATCH], flags[at : at + BATCH], strict=True))
