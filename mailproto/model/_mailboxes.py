"""The values of mailboxes and of the messages in them."""

from __future__ import annotations

import enum
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self, overload

from mailproto._arguments import (
    check_bool,
    check_flags,
    check_mapping,
    check_same_length,
    check_type,
    check_whole,
    wrong_type,
    wrong_value,
)
from mailproto.model._messages import INBOX

__all__ = [
    "ANSWERED",
    "DELETED",
    "DELIMITER",
    "DRAFT",
    "FLAGGED",
    "PERMANENT_FLAGS",
    "SEEN",
    "SYSTEM_FLAGS",
    "AccountChanges",
    "Changes",
    "CheckResult",
    "FlagChange",
    "FlagColumns",
    "FlagOperation",
    "MailboxEntry",
    "MailboxStatus",
    "MessageFlags",
    "StoreResult",
    "canonical_mailbox_name",
]

DELIMITER = "/"
"""Separates the levels of a mailbox's name."""

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


_GREATEST_UID_VALIDITY = (1 << 32) - 1


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

    def __post_init__(self) -> None:
        # A list of mailboxes has one for each: the usual types are compared without a call.
        if self.name.__class__ is not str:
            check_type("name", self.name, str, "a str")
        if not (self.selectable.__class__ is self.subscribed.__class__ is self.exists.__class__ is bool):
            for name in ("selectable", "subscribed", "exists"):
                check_bool(name, getattr(self, name))
        if self.special_use:
            check_flags("special_use", self.special_use)
        elif self.special_use.__class__ is not frozenset:
            raise wrong_type("special_use", self.special_use, "a frozenset of str")


class _MailboxStatus(NamedTuple):
    messages: int
    unseen: int
    recent: int
    uid_next: int
    uid_validity: int
    modseq: int
    size: int
    deleted: int
    mailbox_id: str | None = None


class MailboxStatus(_MailboxStatus):
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
    :raises TypeError, ValueError: a value is no such number.
    """

    __slots__ = ()

    def __new__(
        cls,
        messages: int,
        unseen: int,
        recent: int,
        uid_next: int,
        uid_validity: int,
        modseq: int,
        size: int,
        deleted: int,
        mailbox_id: str | None = None,
    ) -> Self:
        made = super().__new__(
            cls, messages, unseen, recent, uid_next, uid_validity, modseq, size, deleted, mailbox_id
        )
        # Thousands are made at once: usual values are compared without calls for each.
        numbers = made[:8]
        if not (
            set(map(type, numbers)) == {int}
            and min(numbers) >= 0
            and uid_next
            and modseq
            and 0 < uid_validity <= _GREATEST_UID_VALIDITY
        ):
            made._check()
        if mailbox_id.__class__ is not str:
            check_type("mailbox_id", mailbox_id, (str, type(None)), "a str or None")
        return made

    def _check(self) -> None:
        for name in ("messages", "unseen", "recent", "size", "deleted"):
            check_whole(name, getattr(self, name))
        for name in ("uid_next", "uid_validity", "modseq"):
            check_whole(name, getattr(self, name), 1)
        if self.uid_validity > _GREATEST_UID_VALIDITY:
            raise wrong_value("uid_validity", self.uid_validity, "from 1 to 2**32 - 1")


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
    :raises ValueError: the columns are not of the same length.
    """

    uids: Sequence[int] = ()
    flags: Sequence[frozenset[str]] = ()
    modseqs: Sequence[int] = ()

    def __post_init__(self) -> None:
        try:
            is_table = len(self.uids) == len(self.flags) == len(self.modseqs)
        except TypeError:
            is_table = False
        if not is_table:
            check_same_length(uids=self.uids, flags=self.flags, modseqs=self.modseqs)

    @classmethod
    def of(cls, messages: Iterable[MessageFlags]) -> FlagColumns:
        """The columns of some rows, by ascending UID.

        :raises TypeError: a row is no `MessageFlags`, or its flags are no frozenset.
        """
        rows = list(messages)
        for row in rows:
            if not isinstance(row, MessageFlags):
                raise wrong_type("each of messages", row, "a MessageFlags")
            if row.flags.__class__ is not frozenset:
                check_flags("flags", row.flags)
        return cls([row.uid for row in rows], [row.flags for row in rows], [row.modseq for row in rows])

    @classmethod
    def join(cls, parts: Sequence[FlagColumns]) -> FlagColumns:
        """The rows of all ``parts``, one part after another."""
        uids, modseqs = array("I"), array("Q")
        flags: list[frozenset[str]] = []
        for part in parts:
            uids.extend(part.uids)
            flags.extend(part.flags)
            modseqs.extend(part.modseqs)
        return cls(uids, flags, modseqs)

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

    def __post_init__(self) -> None:
        _check_columns("changed", self.changed)
        _check_sequence("vanished", self.vanished)
        check_whole("modseq", self.modseq)


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """The changes of an account after some modseq.

    :ivar statuses: of the mailboxes that have changed or are new, by name.
    :ivar list_changed: whether the list of mailboxes or the subscriptions have changed.
    :ivar annotations: the entries of annotations that have changed or are gone, by the mailbox's name; ``""``
        for the server's.
    :ivar modseq: the value for the next call of `IMailboxChanges.mailbox_changes`.
    """

    statuses: Mapping[str, MailboxStatus]
    list_changed: bool
    annotations: Mapping[str, Sequence[str]]
    modseq: int

    def __post_init__(self) -> None:
        check_mapping("statuses", self.statuses)
        check_bool("list_changed", self.list_changed)
        check_mapping("annotations", self.annotations)
        check_whole("modseq", self.modseq)


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

    def __post_init__(self) -> None:
        check_type("operation", self.operation, FlagOperation, "a FlagOperation", "such as FlagOperation.ADD")
        check_flags("flags", self.flags)

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

    def __post_init__(self) -> None:
        _check_columns("changed", self.changed)
        _check_sequence("refused", self.refused)


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

    def __post_init__(self) -> None:
        check_mapping("counts", self.counts)
        check_whole("faults", self.faults)
        check_whole("repaired", self.repaired)


def _check_columns(name: str, columns: object) -> None:
    """:raises TypeError: they are no `FlagColumns`."""
    check_type(name, columns, FlagColumns, "FlagColumns", "write FlagColumns.of(messages)")


def _check_sequence(name: str, numbers: object) -> None:
    """:raises TypeError: they are no sequence; a set has no order."""
    if isinstance(numbers, (list, tuple)):
        return
    if isinstance(numbers, (str, bytes)) or not isinstance(numbers, Sequence):
        raise wrong_type(name, numbers, "a sequence of ascending UIDs")
