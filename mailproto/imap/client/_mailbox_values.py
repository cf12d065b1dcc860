"""The values of mailboxes, and of what a server tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._uid_set import UidSet

__all__ = [
    "Alert",
    "AppendedTo",
    "Copied",
    "Exists",
    "Expunged",
    "FlagsChanged",
    "IMAPEvent",
    "MailboxCounts",
    "MailboxInfo",
    "MailboxListed",
    "MetadataChanged",
    "Missed",
    "Namespace",
    "Namespaces",
    "QuotaRoot",
    "SearchResult",
    "SelectedMailbox",
    "StatusChanged",
    "ThreadNode",
    "Vanished",
]


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """What STATUS tells of a mailbox (RFC 9051 6.3.11); None for what was not asked for, or not told.

    :ivar size: octets of all messages together.
    :ivar modseq: of the latest change (RFC 7162).
    :ivar append_limit: octets of the largest message that may be appended.
    :ivar mailbox_id: RFC 8474.
    """

    messages: int | None = None
    recent: int | None = None
    unseen: int | None = None
    uid_next: int | None = None
    uid_validity: int | None = None
    modseq: int | None = None
    size: int | None = None
    deleted: int | None = None
    append_limit: int | None = None
    mailbox_id: str | None = None


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """One name in a server's list of mailboxes.

    :ivar name: in Unicode; levels are separated by ``delimiter``, which is ``""`` in a flat list.
    :ivar attributes: with their backslash, as the server spells them.
    :ivar counts: if LIST was asked for it (RFC 5819).
    :ivar old_name: its former name, if the server tells that it was renamed.
    :ivar rights: the user's own rights, if LIST was asked for them (RFC 8440).
    :ivar metadata: entries, if LIST was asked for them (RFC 9590).
    """

    name: str
    delimiter: str = "/"
    attributes: frozenset[str] = frozenset()
    counts: MailboxCounts | None = None
    old_name: str = ""
    rights: str | None = None
    metadata: Mapping[str, bytes | None] = field(default_factory=dict)

    def has(self, attribute: str) -> bool:
        """Whether it has an attribute, such as ``\\Sent``, in any case."""
        wanted = attribute.lower()
        return any(each.lower() == wanted for each in self.attributes)

    @property
    def is_selectable(self) -> bool:
        """Whether messages can be in it."""
        return not (self.has("\\Noselect") or self.has("\\NonExistent"))

    @property
    def is_subscribed(self) -> bool:
        """Whether the server says that it is subscribed."""
        return self.has("\\Subscribed")

    @property
    def special_use(self) -> frozenset[str]:
        """Its uses in their usual spelling (RFC 6154), such as ``\\Sent``."""
        return frozenset(use for use in _USES if self.has(use))


_USES = (
    "\\All",
    "\\Archive",
    "\\Drafts",
    "\\Flagged",
    "\\Important",
    "\\Inbox",
    "\\Junk",
    "\\Sent",
    "\\Trash",
)


@dataclass(frozen=True, slots=True)
class SelectedMailbox:
    """A mailbox at the moment when it was selected.

    :ivar uid_validity: 0 if the server does not say; then its UIDs mean nothing later.
    :ivar uid_next: None if the server does not say.
    :ivar permanent_flags: with ``\\*`` if new keywords can be made.
    :ivar modseq: of the latest change; None if the server keeps none (RFC 7162).
    :ivar vanished: UIDs that are gone, of those that the client knew (QRESYNC).
    :ivar changed: messages whose flags have changed since then.
    """

    name: str
    exists: int = 0
    recent: int = 0
    uid_validity: int = 0
    uid_next: int | None = None
    flags: frozenset[str] = frozenset()
    permanent_flags: frozenset[str] = frozenset()
    is_read_only: bool = False
    modseq: int | None = None
    mailbox_id: str | None = None
    vanished: UidSet = field(default_factory=UidSet)
    changed: Sequence[FetchedMessage] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The messages that SEARCH has found.

    :ivar uids: all of them, in ascending order.
    :ivar modseq: the greatest of theirs, if the keys had MODSEQ (RFC 7162).
    :ivar uid_validity: of the mailbox, in results of `search_in`; else 0.
    """

    uids: UidSet = field(default_factory=UidSet)
    modseq: int | None = None
    uid_validity: int = 0

    def __len__(self) -> int:
        return len(self.uids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.uids)

    def __contains__(self, uid: object) -> bool:
        return uid in self.uids


@dataclass(frozen=True, slots=True)
class ThreadNode:
    """A message with the answers to it.

    :ivar uid: None for a message that is not there, or is not known.
    """

    uid: int | None
    answers: tuple[ThreadNode, ...] = ()


@dataclass(frozen=True, slots=True)
class AppendedTo:
    """Where new messages are (RFC 4315 APPENDUID); empty if the server does not say.

    :ivar uids: in the order of the messages.
    """

    uid_validity: int = 0
    uids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Copied:
    """Where copies are (RFC 4315 COPYUID); empty if the server does not say.

    :ivar source: UIDs in the mailbox that was copied from.
    :ivar target: UIDs of the copies, in the same order.
    """

    uid_validity: int = 0
    source: tuple[int, ...] = ()
    target: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs of both UIDs."""
        return zip(self.source, self.target, strict=False)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A prefix of names, and what separates their levels."""

    prefix: str
    delimiter: str


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The namespaces of an account (RFC 2342)."""

    personal: tuple[Namespace, ...] = ()
    others: tuple[Namespace, ...] = ()
    shared: tuple[Namespace, ...] = ()


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    """What is used and allowed (RFC 9208).

    :ivar resources: pairs of what is used and what is allowed, by the resource's name: ``STORAGE`` in units
        of 1024 octets, ``MESSAGE`` in messages.
    """

    name: str
    resources: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Exists:
    """The selected mailbox has this many messages, which is more than before."""

    count: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """A message is gone.

    :ivar uid: None if it is not known.
    :ivar number: its sequence number.
    """

    uid: int | None
    number: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """Messages are gone (RFC 7162)."""

    uids: UidSet


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """A message has these flags now.

    :ivar uid: None if it is not known.
    """

    uid: int | None
    number: int
    flags: frozenset[str]
    modseq: int | None = None


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """Another mailbox has changed (NOTIFY)."""

    name: str
    counts: MailboxCounts


@dataclass(frozen=True, slots=True)
class MailboxListed:
    """A mailbox was made, renamed, deleted or subscribed (NOTIFY)."""

    mailbox: MailboxInfo


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """Annotations have changed (RFC 5464).

    :ivar mailbox: ``""`` for the server's own.
    """

    mailbox: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A text that the server wants people to see."""

    text: str


@dataclass(frozen=True, slots=True)
class Missed:
    """So many events were left out, because nobody took them: look at the mailbox anew."""

    count: int


IMAPEvent: TypeAlias = (
    Exists
    | Expunged
    | Vanished
    | FlagsChanged
    | StatusChanged
    | MailboxListed
    | MetadataChanged
    | Alert
    | Missed
)
"""What a server tells unasked."""
