"""An INBOX as POP3 numbers it: a snapshot, and the messages marked for deletion."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import chain, compress
from typing import TypeAlias
from weakref import WeakValueDictionary

from mailproto.awaiting import settle
from mailproto.connection import ConnectionOver
from mailproto.errors import MailError, ReadOnly, Unavailable
from mailproto.interfaces import IAccount, IMailbox, IMetadata
from mailproto.model import INBOX, FlagChange, FlagOperation, Part

__all__ = ["LINES", "Maildrop", "Others"]

LINES = 1000
"""The most lines of LIST and UIDL that are made at once."""

_BATCH = 1000
"""How many messages' sizes are asked for, and how many messages are removed, at once."""

_COLUMNS = 2000
"""How many messages' sizes are asked for at once, in columns."""

_SPARSE = 4
"""How many UIDs there may be for each message, if all are asked for."""

_INVERTED = bytes([1, 0]) + bytes(254)

_DELETE = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))


Others: TypeAlias = "WeakValueDictionary[tuple[str, str], array[int]]"
"""The latest UIDs and sizes of each account that somebody has, by its name and by "uids" or "sizes"."""


def _shared(
    others: Others, account: str, uids: array[int], sizes: array[int]
) -> tuple[array[int], array[int]]:
    """Each column that another session has, too, is its: they are compared, so that names do not matter."""
    found = []
    for kind, column in (("uids", uids), ("sizes", sizes)):
        other = others.get((account, kind))
        if other is None or other != column:
            other = others[account, kind] = column
        found.append(other)
    return found[0], found[1]


async def _candidates(mailbox: IMailbox) -> Sequence[int]:
    """The UIDs of all messages, in ascending order, and perhaps some that no message has.

    If many UIDs are in use, it takes half of the time to ask for the sizes of all in the range: the UIDs of
    all messages come with their flags and modseqs.
    """
    status = await settle(mailbox.status())
    if status.uid_next <= _SPARSE * status.messages:
        return range(1, status.uid_next)
    return (await settle(mailbox.changes_since(0))).changed.uids


class Maildrop:
    """Messages numbered from 1, in the order of their UIDs; numbers never shift.

    Sizes are those of the stored octets, whose lines end with CRLF: what RETR sends,
    before dot-stuffing (RFC 1939 11).

    :ivar count: how many messages are not marked.
    :ivar octets: the size of those messages together.
    """

    def __init__(self, mailbox: IMailbox, uids: Sequence[int], sizes: Sequence[int]) -> None:
        self.mailbox = mailbox
        self._uids = uids
        self._sizes = sizes
        self._unmarked = bytearray(b"\1") * len(uids)  # 1 for each message that is not marked
        self._retrieved: bytearray | None = None  # 1 for each message that QUIT removes unasked
        self.count = len(uids)
        self.octets = self._all_octets = sum(sizes)

    @classmethod
    async def open(
        cls, account: IAccount, breathe: Callable[[], Awaitable[None]], others: Others | None = None
    ) -> Maildrop:
        """The INBOX as it is now.

        :param breathe: awaited often, so that others are served in between.
        :param others: where other sessions' numbers are found: if they are the same, they are shared.
        """
        mailbox = await settle(account.open(INBOX))
        known = await _candidates(mailbox)
        uids, sizes = array("I"), array("Q")
        if IMetadata.providedBy(mailbox):
            for start in range(0, len(known), _COLUMNS):
                metadata = await settle(mailbox.metadata(known[start : start + _COLUMNS]))
                uids.extend(metadata.uids)
                sizes.extend(metadata.sizes)
                await breathe()
        else:
            for start in range(0, len(known), _BATCH):
                infos = await settle(mailbox.read(known[start : start + _BATCH], Part.SIZE))
                uids.extend([info.uid for info in infos])
                sizes.extend([info.size or 0 for info in infos])
                await breathe()
        if others is not None:
            uids, sizes = _shared(others, account.name, uids, sizes)
        return cls(mailbox, uids, sizes)

    def __len__(self) -> int:
        """The highest message number, marked or not."""
        return len(self._uids)

    def number(self, argument: bytes) -> int:
        """Check and return the message number that a client named.

        :raises MailError: it is not a number, there is no such message, or the message is marked.
        """
        number = int(argument) if argument.isdigit() and len(argument) <= 10 else 0
        if not 0 < number <= len(self._uids):
            raise MailError("No such message")
        if not self._unmarked[number - 1]:
            raise MailError(f"Message {number} is deleted")
        return number

    def is_marked(self, number: int) -> bool:
        """Whether a message is marked for deletion."""
        return not self._unmarked[number - 1]

    def uid(self, number: int) -> int:
        """The UID of a message."""
        return self._uids[number - 1]

    def size(self, number: int) -> int:
        """The size of a message in octets."""
        return self._sizes[number - 1]

    def unique_id(self, number: int) -> str:
        """A message's id for UIDL; UIDVALIDITY and UID together are never used again (RFC 1939 7)."""
        return f"{self.mailbox.uid_validity}.{self._uids[number - 1]}"

    def size_lines(self, start: int) -> str:
        """The lines of LIST for the messages that are not marked, of `LINES` from the number ``start``."""
        return self._lines(start, self._sizes, "%d %d\r\n")

    def unique_id_lines(self, start: int) -> str:
        """The same for UIDL."""
        return self._lines(start, self._uids, f"%d {self.mailbox.uid_validity}.%d\r\n")

    def _lines(self, start: int, column: Sequence[int], line: str) -> str:
        # One format for all of them takes a fifth of the time of one for each.
        first, stop = start - 1, start - 1 + LINES
        unmarked = self._unmarked[first:stop]
        pairs = zip(
            compress(range(start, start + len(unmarked)), unmarked),
            compress(column[first:stop], unmarked),
            strict=True,
        )
        return line * unmarked.count(1) % tuple(chain.from_iterable(pairs))

    def mark(self, number: int) -> None:
        """Mark a message: `commit` will remove it.

        :raises ReadOnly: the mailbox cannot be changed.
        """
        if not self.mailbox.writable:
            raise ReadOnly
        self._unmarked[number - 1] = 0
        self.count -= 1
        self.octets -= self.size(number)

    def unmark_all(self) -> None:
        """Forget all marks."""
        self._unmarked = bytearray(b"\1") * len(self._uids)
        self.count = len(self._uids)
        self.octets = self._all_octets

    def remove_retrieved(self) -> None:
        """From now on, remember what is retrieved: `commit` will remove that, too (EXPIRE 0)."""
        self._retrieved = bytearray(len(self._uids))

    def was_retrieved(self, number: int) -> None:
        """A message was sent completely."""
        if self._retrieved is not None:
            self._retrieved[number - 1] = 1

    def _mark_retrieved(self) -> None:
        if self._retrieved is None or not self.mailbox.writable:
            return
        number = self._retrieved.find(1) + 1
        while number:
            if not self.is_marked(number):
                self.mark(number)
            number = self._retrieved.find(1, number) + 1

    async def commit(self, breathe: Callable[[], Awaitable[None]]) -> int:
        """Remove the marked messages, and those of `remove_retrieved`.

        No others are removed, whatever other sessions have flagged ``\\Deleted``.

        It is done in batches, as RFC 1939 6 allows: after a failure, some are removed and others are not.  It
        goes on if the client does not wait for the answer.

        :param breathe: awaited after each batch, so that others are served in between.
        :returns: how many messages were removed.
        :raises MailError: some of them are still there.
        """
        self._mark_retrieved()
        done, marked = 0, len(self) - self.count
        for start in range(0, len(self), _BATCH):
            if done == marked:
                break
            marks = self._unmarked[start : start + _BATCH].translate(_INVERTED)
            if uids := array("I", compress(self._uids[start : start + _BATCH], marks)):
                await self._remove(uids)
                done += len(uids)
            with suppress(ConnectionOver):
                await breathe()
        return done

    async def _remove(self, uids: Sequence[int]) -> None:
        await settle(self.mailbox.store(uids, _DELETE))
        gone = set(await settle(self.mailbox.expunge(uids)))
        # Messages that another session removed are gone, as they should be.  But another session may
        # have taken the flag away from some; these are still there.
        doubtful = [uid for uid in uids if uid not in gone]
        if doubtful and len(await settle(self.mailbox.read(doubtful, Part.SIZE))):
            raise Unavailable("Some deleted messages were not removed")
