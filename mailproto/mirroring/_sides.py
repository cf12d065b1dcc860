"""One of the two mailboxes, as mirroring sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailproto.content import Content
from mailproto.imap.values import UidSet
from mailproto.mirroring._flags import Flags
from mailproto.model import NewMessage

__all__ = ["BATCH", "MirrorError", "ReadMessage", "Row", "Side"]

BATCH = 500
"""Messages whose flags are handled at a time."""

Row = tuple[int, Flags]
"""A message's UID, and its flags."""


class MirrorError(Exception):
    """Mirroring cannot go on; the text says why.  Nothing is lost: it may be run again."""


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message that was read in order to be copied; without a content if it cannot be read."""

    uid: int
    content: Content | None
    flags: Flags = frozenset()
    internal_date: int | None = None
    zone: int = 0


class Side(Protocol):
    """A mailbox, open.

    :ivar mailbox_id: which it keeps when it is renamed (RFC 8474); "" if it has none.
    :ivar uid_validity: 0 if the UIDs mean nothing later.
    :ivar uid_next: greater than all UIDs when it was opened.
    :ivar modseq: up to which `changes` tells everything; 0 if there are no modseqs.
    :ivar present: after `changes`, all UIDs that there are; or None, and then
    :ivar vanished: has those that are gone since then.
    """

    name: str
    mailbox_id: str
    uid_validity: int
    uid_next: int
    modseq: int
    permanent_flags: Flags
    is_writable: bool
    present: UidSet | None
    vanished: UidSet

    async def open(self) -> None:
        """Open it, and learn its numbers.  :raises MailError: there is none, or it cannot be opened."""

    def changes(self, since: int) -> AsyncIterator[Sequence[Row]]:
        """The messages that are new or whose flags have changed after a modseq; 0 for all messages."""

    def listed_from(self, uid: int) -> AsyncIterator[Sequence[Row]]:
        """All messages from a UID on."""

    def sizes(self, uids: Sequence[int]) -> AsyncIterator[tuple[int, int]]:
        """UID and octets of each message."""

    def read(self, uids: Sequence[int]) -> AsyncIterator[ReadMessage]:
        """Messages with their octets, one after the other."""

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[int]:
        """Append messages; their UIDs, or nothing if they are not known."""

    async def flags(self, uids: Sequence[int]) -> Mapping[int, Flags]:
        """The flags of messages, as far as they may not be as they were given to `append`."""

    async def change(self, uids: Sequence[int], add: Flags, remove: Flags) -> Mapping[int, Flags]:
        """Change flags; what the messages have now, as far as it is told."""

    async def remove(self, uids: Sequence[int]) -> None:
        """Remove messages for good."""
