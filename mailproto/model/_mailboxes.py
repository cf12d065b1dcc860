"""The values of mailboxes and of the messages in them."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, overload

from mailproto.content import Content, Octets

__all__ = [
    "ANSWERED",
    "DELETED",
    "DELIMITER",
    "DRAFT",
    "FLAGGED",
    "INBOX",
    "PERMANENT_FLAGS",
    "SEEN",
    "SYSTEM_FLAGS",
    "AppendedMessage",
    "Changes",
    "CheckResult",
    "FlagChange",
    "FlagColumns",
    "FlagOperation",
    "MailboxEntry",
    "MailboxStatus",
    "MessageFlags",
    "MessageInfo",
    "Metadata",
    "NewMessage",
    "Part",
    "Placement",
    "StoreResult",
    "canonical_mailbox_name",
]

DELIMITER = "/"
"""Separates the levels of a mailbox's name."""

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 5.1), always spelled in upper case here."""

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = SYSTEM_FLAGS = (
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Draft",
)
"""The system flags that clients may set (RFC 9051 2.3.2), in the order of the bits that stores keep."""

PERMANENT_FLAGS = frozenset({*SYSTEM_FLAGS, "\\*"})
"""The value of `IMailbox.permanent_flags` if clients may change every flag and add keywords."""


def canonical_mailbox_name(name: str) -> str:
    """The canonical spelling of a mailbox's name: NFC (RFC 9051 5.1), with INBOX in upper case.

    So ``inbox/work`` is an inferior of INBOX.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    first, delimiter, rest = name.partition(DELIMITER)
    return INBOX + delimiter + rest if first.upper() == INBOX else name


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    """One name in an account's list of mailboxes.

    :ivar name: the full name in Unicode, levels separated by `DELIMITER`; ``INBOX`` in upper case.
    :ivar selectable: False for a name that only holds inferiors, or that is only subscribed.
    :ivar exists: False for a subscription to a mailbox that does not exist.
    :ivar special_use: attributes of RFC 6154 with their backslash, such as ``\\Sent``.
    """

    name: str
    selectable: bool = True
    subscribed: bool = False
    exists: bool = True
    special_use: frozenset[str] = frozenset()


class MailboxStatus(NamedTuple):
    """A mailbox at one instant (RFC 9051 6.3.11).

    :ivar messages: the number of messages.
    :ivar unseen: the number of messages without ``\\Seen``.
    :ivar recent: the number of messages that no session has claimed as recent yet; 0 in a mailbox that is not
        `mailproto.interfaces.IRecent`.
    :ivar uid_next: greater than every UID so far; it never decreases.
    :ivar uid_validity: 1 to 2**32 - 1.
    :ivar modseq: of the latest change, at least 1.
    :ivar size: octets of all messages together.
    :ivar deleted: the number of messages with ``\\Deleted``.
    :ivar mailbox_id: the mailbox's id (`mailproto.interfaces.IObjectIds`), or None.
    """

    messages: int
    unseen: int
    recent: int
    uid_next: int
    uid_validity: int
    modseq: int
    size: int
    deleted: int
    mailbox_id: str | None = None


class MessageFlags(NamedTuple):
    """The parts of a message that can change.

    :ivar flags: system flags with their backslash (``\\Seen``) and keywords as first written, compared
        without case.  Never ``\\Recent``.
    :ivar modseq: of the last change to this message.
    """

    uid: int
    flags: frozenset[str]
    modseq: int


@dataclass(frozen=True, slots=True, eq=False)
class FlagColumns(Sequence[MessageFlags]):
    """The flags of many messages, by ascending UID: a sequence of `MessageFlags`, kept in columns.

    A mailbox may have 300,000 messages: making an object for each would block the reactor.

    :ivar uids: ascending.
    :ivar flags: of the same messages; equal sets should share one object.
    :ivar modseqs: of the same messages.
    """

    uids: Sequence[int] = ()
    flags: Sequence[frozenset[str]] = ()
    modseqs: Sequence[int] = ()

    @classmethod
    def of(cls, messages: Iterable[MessageFlags]) -> FlagColumns:
        """The columns of some rows, by ascending UID."""
        rows = list(messages)
        return cls([row.uid for row in rows], [row.flags for row in rows], [row.modseq for row in rows])

    @classmethod
    def join(cls, parts: Sequence[FlagColumns]) -> FlagColumns:
        """The rows of all ``parts``, one part after another."""
        return cls(
            list(chain.from_iterable(part.uids for part in parts)),
            list(chain.from_iterable(part.flags for part in parts)),
            list(chain.from_iterable(part.modseqs for part in parts)),
        )

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, FlagColumns) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # lists have none, either

    def __len__(self) -> int:
        return len(self.uids)

    @overload
    def __getitem__(self, at: int) -> MessageFlags: ...
    @overload
    def __getitem__(self, at: slice) -> FlagColumns: ...
    def __getitem__(self, at: int | slice) -> MessageFlags | FlagColumns:
        if isinstance(at, slice):
            return FlagColumns(self.uids[at], self.flags[at], self.modseqs[at])
        return MessageFlags(self.uids[at], self.flags[at], self.modseqs[at])

    def __iter__(self) -> Iterator[MessageFlags]:
        return map(MessageFlags, self.uids, self.flags, self.modseqs)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a mailbox after some modseq.

    :ivar changed: messages that were added or whose flags changed.
    :ivar vanished: UIDs that were removed, ascending; they may include UIDs that the caller never saw.
    :ivar modseq: the value for the next call of `IMailbox.changes_since`.
    """

    changed: FlagColumns
    vanished: Sequence[int]
    modseq: int


class Part(enum.Flag):
    """The parts of a message to be read; parts that are not requested may be None in the answer."""

    INTERNAL_DATE = enum.auto()
    SIZE = enum.auto()
    ENVELOPE = enum.auto()
    BODY_STRUCTURE = enum.auto()
    OFFSETS = enum.auto()
    CONTENT = enum.auto()
    IDS = enum.auto()


class MessageInfo(NamedTuple):
    """The parts of a message that never change.

    :ivar internal_date: seconds since the epoch, UTC.
    :ivar size: octets of the content (RFC 9051 2.3.4).
    :ivar envelope: ENVELOPE as IMAP sends it (``mailproto.message.summarise``).
    :ivar body_structure: BODYSTRUCTURE as IMAP sends it.
    :ivar offsets: the positions of its MIME parts (`mailproto.message.Index.dump`).
    :ivar content: the octets themselves.
    :ivar email_id: of the content (`mailproto.interfaces.IObjectIds`).
    :ivar thread_id: of the message's thread.
    """

    uid: int
    internal_date: int | None = None
    size: int | None = None
    envelope: bytes | None = None
    body_structure: bytes | None = None
    offsets: bytes | None = None
    content: Content | None = None
    email_id: str | None = None
    thread_id: str | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """The sizes and internal dates of many messages, in columns like those of `FlagColumns`.

    :ivar uids: ascending.
    :ivar sizes: octets of each.
    :ivar internal_dates: of each, in seconds since the epoch, UTC.
    """

    uids: Sequence[int] = ()
    sizes: Sequence[int] = ()
    internal_dates: Sequence[int] = ()


@dataclass(frozen=True, slots=True, init=False)
class NewMessage:
    """A message to be stored.

    :ivar content: with CRLF line ends; `Content.of` makes it of ``bytes``.
    :ivar internal_date: seconds since the epoch; None for now.
    :raises TypeError: ``content`` is neither ``bytes`` nor a `Content`.
    """

    content: Content
    flags: frozenset[str]
    internal_date: int | None

    def __init__(
        self, content: Octets, flags: frozenset[str] = frozenset(), internal_date: int | None = None
    ) -> None:
        # The class is frozen: its own attributes cannot be set in the usual way.
        object.__setattr__(self, "content", Content.of(content))
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "internal_date", internal_date)


@dataclass(frozen=True, slots=True)
class Placement:
    """One mailbox into which a message is delivered.

    :ivar account: an account's name, in any spelling.
    :ivar mailbox: the name of one of its mailboxes.
    :ivar flags: the flags of the message there.
    """

    account: str
    mailbox: str = INBOX
    flags: frozenset[str] = frozenset()


class AppendedMessage(NamedTuple):
    """Where a new message was put (RFC 4315 APPENDUID)."""

    uid: int
    modseq: int


class FlagOperation(enum.Enum):
    """The ways in which STORE changes flags (RFC 9051 6.4.6)."""

    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One STORE: the operation and its flags."""

    operation: FlagOperation
    flags: frozenset[str]

    def apply(self, flags: frozenset[str]) -> frozenset[str]:
        """The flags after the change; names are compared without case, and the older spelling stays."""
        folded = {flag.casefold() for flag in self.flags}
        if self.operation is FlagOperation.REMOVE:
            return frozenset(flag for flag in flags if flag.casefold() not in folded)
        kept = (
            flags
            if self.operation is FlagOperation.ADD
            else frozenset(flag for flag in flags if flag.casefold() in folded)
        )
        known = {flag.casefold() for flag in kept}
        return kept | {flag for flag in self.flags if flag.casefold() not in known}


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The result of a STORE.

    :ivar changed: the flags of every requested message that exists and was not refused, by ascending UID;
        also of those whose flags stayed the same.
    :ivar refused: UIDs whose modseq was above ``unchanged_since`` (RFC 7162 3.1.3).
    """

    changed: FlagColumns
    refused: Sequence[int] = field(default=())


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of `mailproto.interfaces.ICheckable.check`.

    :ivar counts: how many objects of each kind were checked, such as ``{"messages": 120}``.
    :ivar faults: how many faults there were.
    :ivar repaired: how many of them were repaired.
    """

    counts: Mapping[str, int]
    faults: int = 0
    repaired: int = 0
