"""The values that cross the contracts: immutable, without behaviour beyond their own reading.

Rows that exist once a message are `NamedTuple`s, because a mailbox of 100,000
messages makes as many; the rest are frozen dataclasses.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple, overload

from mailproto.content import Content

__all__ = [
    "ANSWERED",
    "DELETED",
    "DELIMITER",
    "DRAFT",
    "FLAGGED",
    "INBOX",
    "NO_SERVICE_EXTENSIONS",
    "NULL_PATH",
    "PERMANENT_FLAGS",
    "SEEN",
    "SYSTEM_FLAGS",
    "Address",
    "AppendedMessage",
    "Changes",
    "CheckResult",
    "Envelope",
    "FlagChange",
    "FlagColumns",
    "FlagOperation",
    "MailboxEntry",
    "MailboxStatus",
    "MessageFlags",
    "MessageInfo",
    "Metadata",
    "NewMessage",
    "Outcome",
    "Parameters",
    "Part",
    "Placement",
    "Recipient",
    "ServiceExtensions",
    "Session",
    "StoreResult",
    "TLSInfo",
    "VerifiedName",
    "canonical_mailbox_name",
]

DELIMITER = "/"
"""What separates the levels of a mailbox's name."""

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 5.1), in the one case that contracts use."""

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = SYSTEM_FLAGS = (
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Draft",
)
"""The flags that clients may set (RFC 9051 2.3.2); stores keep a bit for each, in this order."""

PERMANENT_FLAGS = frozenset({*SYSTEM_FLAGS, "\\*"})
"""`IMailbox.permanent_flags` where clients may change every flag and add keywords."""

Parameters = Mapping[str, str | None]
"""ESMTP parameters (RFC 5321 4.1.1.11): keyword in upper case, value or None."""

NO_PARAMETERS: Parameters = MappingProxyType({})

_DOT_STRING = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+(?:\.[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+)*")


def canonical_mailbox_name(name: str) -> str:
    """The one spelling of a mailbox's name: NFC (RFC 9051 5.1), and a first level INBOX in that case.

    So ``inbox/work`` is an inferior of INBOX, and never of a second one.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    first, delimiter, rest = name.partition(DELIMITER)
    return INBOX + delimiter + rest if first.upper() == INBOX else name


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox in a path (RFC 5321 4.1.2), unquoted.

    :ivar local: the local part as it is meant: quotes and backslashes taken off, case kept.
    :ivar domain: as written, without brackets taken off an address literal; "" for the
        null path and for ``<Postmaster>``.
    """

    local: str
    domain: str

    def __bool__(self) -> bool:
        """False for the null path alone."""
        return bool(self.local or self.domain)

    def __str__(self) -> str:
        """As it stands between the angle brackets of a command: quoted where it must be."""
        local = self.local
        if not local.isalnum() and not _DOT_STRING.fullmatch(local) and self:
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local


NULL_PATH = Address("", "")
"""The reverse-path ``<>`` of notifications (RFC 5321 4.5.5)."""


@dataclass(frozen=True, slots=True)
class TLSInfo:
    """What was negotiated: for trace fields and policy.

    :ivar version: such as ``TLSv1.3``.
    :ivar cipher: OpenSSL's name of the cipher suite.
    """

    version: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of an SMTP client when a delivery is asked about it.

    :ivar protocol: ``SMTP``, ``ESMTP`` or ``LMTP``, as the client greeted.
    :ivar submission: whether this is a submission service (RFC 6409), which needs `account`.
    :ivar peer: the client's IP address, without a zone; "" over a Unix socket, and where a proxy does
        not know it: then it may be anybody's.
    :ivar helo: what the client called itself, often no domain: text without control characters
        (RFC 5321 4.1.4); "" before it did.
    :ivar hostname: what this server calls itself.
    :ivar tls: None in plaintext.
    :ivar account: the name that was authenticated, here or by a proxy that is trusted; or None.
    """

    protocol: str
    hostname: str
    peer: str = ""
    helo: str = ""
    submission: bool = False
    tls: TLSInfo | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceExtensions:
    """What a delivery does for a message that asks for it, so that SMTP may offer it.

    :ivar binary_mime: content of any octets is kept or passed on as it is (RFC 3030 3): such
        a message has NULs and bare CRs and LFs, and no line ends that one could rely on.
    :ivar dsn: notifications are sent as asked for, of success too (RFC 3461).
    :ivar require_tls: the message leaves this server only through TLS to who is authenticated
        (RFC 8689).
    :ivar deliver_by: messages that are late come back, or are told of (RFC 2852): the least
        number of seconds that may be asked for, 0 for any; None for no such promise.
    :ivar mt_priority: messages wait by priority (RFC 6710): the name of the assignment policy,
        "" for one that is not told; None for no such promise.
    :ivar future_release: messages wait until their time (RFC 4865): the greatest number of
        seconds; None for no such promise.  Submission only.
    :ivar smtputf8: addresses in Unicode are compared, kept and passed on as such (RFC 6531).
    """

    binary_mime: bool = False
    dsn: bool = False
    require_tls: bool = False
    deliver_by: int | None = None
    mt_priority: str | None = None
    future_release: int | None = None
    smtputf8: bool = True


NO_SERVICE_EXTENSIONS = ServiceExtensions()
"""Mail is delivered, and that is all."""


@dataclass(frozen=True, slots=True)
class VerifiedName:
    """One answer to VRFY or EXPN (RFC 5321 3.5.2): an address, and perhaps whose it is."""

    address: Address
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else f"<{self.address}>"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted forward-path and its ESMTP parameters."""

    address: Address
    parameters: Parameters = field(default_factory=lambda: NO_PARAMETERS)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail transaction (RFC 5321 2.3.1).

    :ivar id: this server's name for the transaction, also in its Received field and its reply.
    :ivar sender: the reverse-path; `NULL_PATH` for notifications.
    :ivar recipients: at least one, in the order they were given, duplicates kept.
    :ivar session: of the client that sent it.
    """

    id: str
    sender: Address
    recipients: tuple[Recipient, ...]
    session: Session
    parameters: Parameters = field(default_factory=lambda: NO_PARAMETERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message for one recipient: an SMTP reply (RFC 5321 4.2).

    :ivar code: 250 for taken, 4yz for later, 5yz for never.
    :ivar enhanced: RFC 3463 code of the same class.
    :ivar detail: for the log only: where the message was put, or why it was not; no part of the
        outcome's identity.
    """

    code: int
    enhanced: str
    text: str
    detail: str = field(default="", compare=False)

    @property
    def accepted(self) -> bool:
        """Whether the recipient's copy is now the receiver's responsibility."""
        return 200 <= self.code < 300


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    """One name of an account's list.

    :ivar name: the full name, levels separated by `DELIMITER`, Unicode; ``INBOX`` in that case.
    :ivar selectable: False for a name that only holds inferiors, or that is only subscribed.
    :ivar exists: False for a subscription to a mailbox that is gone.
    :ivar special_use: attributes of RFC 6154 with their backslash, such as ``\\Sent``.
    """

    name: str
    selectable: bool = True
    subscribed: bool = False
    exists: bool = True
    special_use: frozenset[str] = frozenset()


class MailboxStatus(NamedTuple):
    """A mailbox at one instant (RFC 9051 6.3.11).

    :ivar messages: how many.
    :ivar unseen: how many lack ``\\Seen``.
    :ivar recent: how many have UIDs that no session has claimed yet.
    :ivar uid_next: greater than every UID given so far, and never less than before.
    :ivar uid_validity: 1 to 2**32 - 1.
    :ivar modseq: of the latest change, at least 1.
    :ivar size: octets of all messages together.
    :ivar deleted: how many have ``\\Deleted``.
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
    """The part of a message that changes.

    :ivar flags: system flags with their backslash (``\\Seen``), keywords as first written;
        compared without case.  Never ``\\Recent``.
    :ivar modseq: of the last change to this message.
    """

    uid: int
    flags: frozenset[str]
    modseq: int


@dataclass(frozen=True, slots=True, eq=False)
class FlagColumns(Sequence[MessageFlags]):
    """The flags of many messages, by ascending UID: a sequence of `MessageFlags`, kept in columns.

    A mailbox may have 300,000 messages: an object for each of them would hold the reactor up.

    :ivar uids: ascending.
    :ivar flags: of the same messages; equal sets are best one object.
    :ivar modseqs: of the same messages.
    """

    uids: Sequence[int] = ()
    flags: Sequence[frozenset[str]] = ()
    modseqs: Sequence[int] = ()

    @classmethod
    def of(cls, messages: Iterable[MessageFlags]) -> FlagColumns:
        """From rows, by ascending UID."""
        rows = list(messages)
        return cls([row.uid for row in rows], [row.flags for row in rows], [row.modseq for row in rows])

    @classmethod
    def join(cls, parts: Sequence[FlagColumns]) -> FlagColumns:
        """One after another."""
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
    """What happened to a mailbox since some modseq.

    :ivar changed: messages that came or whose flags changed.
    :ivar vanished: UIDs that are gone, ascending; may name UIDs that the asker never saw.
    :ivar modseq: ask again from here.
    """

    changed: FlagColumns
    vanished: Sequence[int]
    modseq: int


class Part(enum.Flag):
    """What is to be read of each message; what is not asked for may be None in the answer."""

    INTERNAL_DATE = enum.auto()
    SIZE = enum.auto()
    ENVELOPE = enum.auto()
    BODY_STRUCTURE = enum.auto()
    OFFSETS = enum.auto()
    CONTENT = enum.auto()
    IDS = enum.auto()


class MessageInfo(NamedTuple):
    """The part of a message that never changes.

    :ivar internal_date: seconds since the epoch, UTC.
    :ivar size: octets of the content (RFC 9051 2.3.4).
    :ivar envelope: as IMAP sends it (``mailproto.message.summarise``).
    :ivar body_structure: as IMAP sends it.
    :ivar offsets: where its parts are (`mailproto.message.Index.dump`).
    :ivar content: the octets themselves.
    :ivar email_id: of the content (`mailproto.interfaces.IObjectIds`).
    :ivar thread_id: of the thread that it belongs to.
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
    """Sizes and internal dates of many messages, in columns as in `FlagColumns`.

    :ivar uids: ascending.
    :ivar sizes: octets of each.
    :ivar internal_dates: of each, in seconds since the epoch, UTC.
    """

    uids: Sequence[int] = ()
    sizes: Sequence[int] = ()
    internal_dates: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be kept.

    :ivar content: octets with CRLF line ends.
    :ivar internal_date: seconds since the epoch; None for now.
    """

    content: Content
    flags: frozenset[str] = frozenset()
    internal_date: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """One place for a message that is delivered.

    :ivar account: an account's name, in any spelling.
    :ivar mailbox: the name of one of its mailboxes.
    :ivar flags: that the message has there.
    """

    account: str
    mailbox: str = INBOX
    flags: frozenset[str] = frozenset()


class AppendedMessage(NamedTuple):
    """Where a new message was put (RFC 4315 APPENDUID)."""

    uid: int
    modseq: int


class FlagOperation(enum.Enum):
    """How STORE changes flags (RFC 9051 6.4.6)."""

    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class FlagChange:
    """One STORE: the operation and its flags."""

    operation: FlagOperation
    flags: frozenset[str]

    def apply(self, flags: frozenset[str]) -> frozenset[str]:
        """The flags after the change; names are compared without case, a known spelling is kept."""
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
    """What STORE did.

    :ivar changed: the flags of every message asked for that is there and was not refused,
        changed or not, by ascending UID.
    :ivar refused: UIDs whose modseq was above ``unchanged_since`` (RFC 7162 3.1.3).
    """

    changed: FlagColumns
    refused: Sequence[int] = field(default=())


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What `mailproto.interfaces.ICheckable.check` found.

    :ivar counts: what was looked at, for people: such as ``{"messages": 120}``.
    :ivar faults: how many there were.
    :ivar repaired: how many of them were mended.
    """

    counts: Mapping[str, int]
    faults: int = 0
    repaired: int = 0
