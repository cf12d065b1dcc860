"""An INBOX as POP3 numbers it: a snapshot, and what is marked for deletion in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailproto.errors import MailError, ReadOnly, Unavailable
from mailproto.interfaces import IAccount, IMailbox, IMetadata
from mailproto.model import INBOX, FlagChange, FlagOperation, Part

__all__ = ["Maildrop"]

_BATCH = 2000
"""Messages whose sizes are asked for at once."""

_DELETE = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))


class Maildrop:
    """Messages numbered from 1, in the order of their UIDs; numbers never shift.

    Sizes are those of the stored octets, whose lines end with CRLF: what RETR sends,
    before dot-stuffing (RFC 1939 11).

    :ivar count: how many are not marked.
    :ivar octets: of those together.
    """

    def __init__(self, mailbox: IMailbox, uids: Sequence[int], sizes: Sequence[int]) -> None:
        self.mailbox = mailbox
        self._uids = uids
        self._sizes = sizes
        self._marked: set[int] = set()
        self.count = len(uids)
        self.octets = sum(sizes)

    @classmethod
    async def open(cls, account: IAccount) -> Maildrop:
        """The INBOX as it is now."""
        mailbox = await account.open(INBOX)
        changes = await mailbox.changes_since(0)
        known = changes.changed.uids
        if IMetadata.providedBy(mailbox):
            metadata = await IMetadata(mailbox).metadata(known)
            return cls(mailbox, metadata.uids, metadata.sizes)
        uids, sizes = [], []
        for start in range(0, len(known), _BATCH):
            for info in await mailbox.read(known[start : start + _BATCH], Part.SIZE):
                uids.append(info.uid)
                sizes.append(info.size or 0)
        return cls(mailbox, uids, sizes)

    def __len__(self) -> int:
        """The highest number, marked or not."""
        return len(self._uids)

    def __iter__(self) -> Iterator[int]:
        """The numbers of those that are not marked."""
        if not self._marked:
            return iter(range(1, len(self._uids) + 1))
        return (number for number in range(1, len(self._uids) + 1) if number not in self._marked)

    def number(self, argument: bytes) -> int:
        """The number that a client named.

        :raises MailError: if it is none, or of no message, or of a marked one.
        """
        number = int(argument) if argument.isdigit() and len(argument) <= 10 else 0
        if not 0 < number <= len(self._uids):
            raise MailError("No such message")
        if number in self._marked:
            raise MailError(f"Message {number} is deleted")
        return number

    def is_marked(self, number: int) -> bool:
        """Whether it is to be removed."""
        return number in self._marked

    def uid(self, number: int) -> int:
        """The UID of a message."""
        return self._uids[number - 1]

    def size(self, number: int) -> int:
        """The octets of a message."""
        return self._sizes[number - 1]

    def unique_id(self, number: int) -> str:
        """For UIDL: never another message's, as no UID under one UIDVALIDITY is (RFC 1939 7)."""
        return f"{self.mailbox.uid_validity}.{self._uids[number - 1]}"

    def mark(self, number: int) -> None:
        """Have it removed by `commit`.

        :raises ReadOnly: if that cannot be.
        """
        if not self.mailbox.writable:
            raise ReadOnly
        self._marked.add(number)
        self.count -= 1
        self.octets -= self.size(number)

    def unmark_all(self) -> None:
        """Forget all marks."""
        self._marked.clear()
        self.count = len(self._uids)
        self.octets = sum(self._sizes)

    async def commit(self) -> int:
        """Remove what is marked, and nothing else, whatever other sessions have flagged.

        :returns: how many were marked.
        :raises MailError: if some are still there.
        """
        if not self._marked:
            return 0
        uids = sorted(map(self.uid, self._marked))
        await self.mailbox.store(uids, _DELETE)
        gone = set(await self.mailbox.expunge(uids))
        # Those that another session removed are gone, too; but it may have taken a flag away.
        doubtful = [uid for uid in uids if uid not in gone]
        if doubtful and await self.mailbox.read(doubtful, Part.SIZE):
            raise Unavailable("Some deleted messages were not removed")
        return len(uids)
