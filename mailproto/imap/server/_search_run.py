"""Finding the messages that meet a compiled search."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import compress

from mailproto.awaiting import settle
from mailproto.errors import Unavailable
from mailproto.imap.server._conditions import Batch, Column, Cost, Mask
from mailproto.imap.server._matching import Search
from mailproto.imap.server._progress import Progress
from mailproto.imap.server._reading import MESSAGES_AT_ONCE, read_in_batches
from mailproto.imap.server._search_message import Message
from mailproto.imap.server._session import Session
from mailproto.interfaces import IMailbox, IMetadata
from mailproto.interfaces.add_ons import IFinding
from mailproto.message import Working
from mailproto.model import MessageInfo, Metadata, Part

__all__ = ["find"]

_METADATA = Part.INTERNAL_DATE | Part.SIZE
_CONTENT = Part.CONTENT | Part.OFFSETS

_FOUND_AT_ONCE = 10_000
"""Messages among which a mailbox that is `IFinding` finds some at a time: a column takes 1 ms for them."""

_FEW = 16
"""After so many columns, the search looks whether the others are needed; then after twice as many."""


async def find(
    server: Session, search: Search, *, uid: bool, within: Sequence[int] | None = None
) -> array[int]:
    """The sequence numbers, or UIDs, of the messages that match, in ascending order.

    :param within: the indexes of the messages that are tested, ascending; None for all of the view.
    """
    for prepare in search.before:
        await prepare(server)
    return await _Finder(server, search).find(uid=uid, within=within)


class _Finder:
    """Goes through the mailbox in batches; costly conditions test only what cheaper ones leave open."""

    def __init__(self, server: Session, search: Search) -> None:
        self._server = server
        self._search = search
        self._view = search.view
        columns = search.columns
        self._known = [column for column in columns if column.cost < Cost.METADATA]
        self._metadata = [column for column in columns if column.cost is Cost.METADATA]
        self._reads_metadata = any(not column.parts for column in self._metadata)
        self._parts = Part(0)
        for column in self._metadata:
            self._parts |= column.parts
        mailbox = search.view.mailbox
        self._finding = mailbox if search.contents and IFinding.providedBy(mailbox) else None

    async def find(self, *, uid: bool, within: Sequence[int] | None) -> array[int]:
        found = array("I")
        view = self._view
        size = MESSAGES_AT_ONCE if self._finding is None else _FOUND_AT_ONCE
        self._progress = Progress(self._server, len(view.uids))
        for start, here in _batches(len(view.uids), size, within):
            stop = start + size
            batch = Batch(start, view.uids[start:stop], view.flags[start:stop])
            matching = await self._matching(batch, batch.everything if here is None else _mask(here))
            if matching:
                numbers = batch.uids if uid else range(start + 1, start + 1 + batch.size)
                if matching != batch.everything:
                    numbers = array("I", compress(numbers, batch.chosen(matching)))
                found.extend(numbers)
            await self._server.yield_turn()
            await self._progress.reached(stop)
        return found

    async def _matching(self, batch: Batch, here: Mask) -> Mask:
        """Those of the messages ``here`` in a batch that match."""
        if self._view.any_gone:
            there = bytearray(batch.size)
            for at in self._view.there(range(batch.start, batch.start + batch.size)):
                there[at - batch.start] = 1
            here &= _mask(there)
        surely, is_open = await self._learn(batch, self._known, here)
        if is_open and self._metadata:
            if self._reads_metadata:
                is_open &= await self._read_metadata(batch, is_open)
            if self._parts:
                is_open &= await self._read_parts(batch, is_open)
            surely, is_open = await self._learn(batch, self._metadata, surely | is_open)
        if is_open and self._finding is not None:
            surely, is_open = await self._find_content(self._finding, batch, surely, is_open)
        if is_open:
            surely |= await self._read_content(batch, is_open)
        return surely

    async def _find_content(
        self, finding: IFinding, batch: Batch, surely: Mask, is_open: Mask
    ) -> tuple[Mask, Mask]:
        """Let the mailbox find messages: by all tests of headers at once, and then by more and more texts.

        :returns: those that match, and those of which it is still open.
        """
        condition, contents = self._search.condition, self._search.contents
        headers = [test for test in contents if test.cost is Cost.HEADER]
        texts = contents[len(headers) :]
        rounds = [headers] if headers else []
        # The first texts often show that the others do not matter.
        rounds += [texts[(1 << at) - 1 : (2 << at) - 1] for at in range((len(texts) + 1).bit_length())]
        for tests in filter(None, rounds):
            uids = list(compress(batch.uids, batch.chosen(is_open)))
            answers = await settle(finding.find(uids, [test.test for test in tests]))
            for test, found in zip(tests, answers, strict=True):
                test.learn(batch, is_open, found)
                await self._server.yield_turn()
            now_surely, possibly = condition.bounds(batch)
            surely |= now_surely & is_open
            is_open &= now_surely ^ possibly
            if not is_open:
                break
        return surely, is_open

    async def _learn(self, batch: Batch, columns: Sequence[Column], here: Mask) -> tuple[Mask, Mask]:
        """Test columns, as far as needed.

        :param here: the messages that are tested.
        :returns: those that match, and those of which it is still open.
        """
        condition = self._search.condition
        at, count = 0, _FEW
        while True:
            surely, possibly = condition.bounds(batch)
            is_open = (surely ^ possibly) & here
            if at >= len(columns) or not is_open:
                return surely & here, is_open
            for column in columns[at : at + count]:
                column.learn(batch)
                await self._server.yield_turn()
            at, count = at + count, 2 * count

    async def _read_metadata(self, batch: Batch, chosen: Mask) -> Mask:
        """Read sizes and dates; returns which of the ``chosen`` messages still exist."""
        metadata = await _metadata(self._view.mailbox, list(compress(batch.uids, batch.chosen(chosen))))
        local: Sequence[int] = metadata.internal_dates
        if any(metadata.zones):
            local = [date + 60 * zone for date, zone in zip(local, metadata.zones, strict=True)]
        if len(metadata.uids) == batch.size:
            batch.sizes, batch.dates, batch.local_dates = metadata.sizes, metadata.internal_dates, local
            return batch.everything
        sizes, dates, days = ([0] * batch.size for _ in range(3))
        exist = bytearray(batch.size)
        rows = zip(metadata.uids, metadata.sizes, metadata.internal_dates, local, strict=True)
        for uid, *row in rows:
            at = bisect_left(batch.uids, uid)
            sizes[at], dates[at], days[at] = row
            exist[at] = 1
        batch.sizes, batch.dates, batch.local_dates = sizes, dates, days
        return int.from_bytes(exist, "little")

    async def _read_parts(self, batch: Batch, chosen: Mask) -> Mask:
        """Read what else columns need; returns which of the ``chosen`` messages still exist."""
        found: list[MessageInfo | None] = [None] * batch.size
        exist = bytearray(batch.size)
        uids = list(compress(batch.uids, batch.chosen(chosen)))
        async for infos in read_in_batches(self._view.mailbox, uids, self._parts):
            for info in infos:
                at = bisect_left(batch.uids, info.uid)
                found[at], exist[at] = info, 1
            await self._server.yield_turn()
        batch.infos = found
        return int.from_bytes(exist, "little")

    async def _read_content(self, batch: Batch, chosen: Mask) -> Mask:
        """Read messages; returns which of the ``chosen`` ones match."""
        columns = {column: batch.chosen(mask) for column, mask in batch.known.items()}
        uids = list(compress(batch.uids, batch.chosen(chosen)))
        matching = bytearray(batch.size)
        async for infos in read_in_batches(self._view.mailbox, uids, _CONTENT):
            for info in infos:
                at = bisect_left(batch.uids, info.uid)
                await self._progress.reached(batch.start + at)
                matching[at] = await self._matches(at, Message(info, columns, self._search.texts))
                await self._server.yield_turn()
        return int.from_bytes(matching, "little")

    async def _matches(self, at: int, message: Message) -> bool:
        """Whether a message matches, whose content was read."""
        work = Working(self._search.condition.decide(at, message))
        try:
            for _ in work:
                await self._server.yield_turn()
        except OSError as error:
            # A file is missing or damaged: the search goes on without this message.
            detail = f"cannot read message {message.info.uid} of {self._view.mailbox.name}: {error}"
            told = Unavailable("A message is left out", detail=detail)
            self._server.tell_failed("SEARCH", told)
            return False
        return work.result


def _mask(octets: bytearray) -> Mask:
    return int.from_bytes(octets, "little")


def _batches(count: int, size: int, within: Sequence[int] | None) -> Iterator[tuple[int, bytearray | None]]:
    """Where batches begin, and which of their messages are tested: an octet for each, or None for all."""
    if within is None:
        yield from ((start, None) for start in range(0, count, size))
        return
    at = 0
    while at < len(within):
        start = within[at]
        here = bytearray(min(size, count - start))
        while at < len(within) and within[at] < start + size:
            here[within[at] - start] = 1
            at += 1
        yield start, here


async def _metadata(mailbox: IMailbox, uids: Sequence[int]) -> Metadata:
    if IMetadata.providedBy(mailbox):
        return await settle(mailbox.metadata(uids))
    infos = await settle(mailbox.read(uids, _METADATA))
    return Metadata(
        [info.uid for info in infos],
        [info.size or 0 for info in infos],
        [info.internal_date or 0 for info in infos],
        [info.zone or 0 for info in infos],
    )
