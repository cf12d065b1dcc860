"""The values of messages: one that is to be stored, where to, and what is read of it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, cast

from mailproto._arguments import (
    check_flags,
    check_same_length,
    check_type,
    check_whole,
    wrong_type,
    wrong_value,
)
from mailproto.content import Content, Octets

__all__ = [
    "INBOX",
    "AppendedMessage",
    "MessageInfo",
    "Metadata",
    "NewMessage",
    "Part",
    "Placement",
]

INBOX = "INBOX"
"""The mailbox that every account has (RFC 9051 5.1), always spelled in upper case here."""


_MOST_ZONE = 100 * 60
"""Minutes; IMAP writes zones with two digits for the hours."""


class Part(enum.Flag):
    """The parts of a message to be read; parts that are not requested may be None in the answer."""

    INTERNAL_DATE = enum.auto()
    SIZE = enum.auto()
    ENVELOPE = enum.auto()
    BODY_STRUCTURE = enum.auto()
    OFFSETS = enum.auto()
    CONTENT = enum.auto()
    IDS = enum.auto()
    SAVE_DATE = enum.auto()


class _MessageInfo(NamedTuple):
    uid: int
    internal_date: int | None = None
    size: int | None = None
    envelope: bytes | None = None
    body_structure: bytes | None = None
    offsets: bytes | None = None
    content: Content | None = None
    email_id: str | None = None
    thread_id: str | None = None
    save_date: int | None = None
    zone: int | None = None


class MessageInfo(_MessageInfo):
    """The parts of a message that never change.

    :ivar internal_date: seconds since the epoch, UTC.
    :ivar size: octets of the content (RFC 9051 2.3.4).
    :ivar envelope: ENVELOPE as IMAP sends it (``mailproto.message.summarise``).
    :ivar body_structure: BODYSTRUCTURE as IMAP sends it.
    :ivar offsets: the positions of its MIME parts (`mailproto.message.Index.dump`).
    :ivar content: the octets themselves.
    :ivar email_id: of the content (`mailproto.interfaces.IObjectIds`).
    :ivar thread_id: of the message's thread.
    :ivar save_date: when it was put into this mailbox (`mailproto.interfaces.add_ons.ISaveDates`), in seconds
        since the epoch.
    :ivar zone: of the clock that ``internal_date`` was read from, in minutes east of UTC, with
        ``Part.INTERNAL_DATE``; None or 0 for UTC.

    :raises TypeError, ValueError: a value is of the wrong type, or negative.
    """

    __slots__ = ()

    # Stores that read many messages at once make them as tuples, without this.
    def __new__(
        cls,
        uid: int,
        internal_date: int | None = None,
        size: int | None = None,
        envelope: bytes | None = None,
        body_structure: bytes | None = None,
        offsets: bytes | None = None,
        content: Content | None = None,
        email_id: str | None = None,
        thread_id: str | None = None,
        save_date: int | None = None,
        zone: int | None = None,
    ) -> Self:
        check_whole("uid", uid)
        _check_date(internal_date)
        if save_date is not None:
            check_whole("save_date", save_date)
        if zone is not None:
            _check_zone(zone)
        if size is not None:
            check_whole("size", size)
        for name, octets in (
            ("envelope", envelope),
            ("body_structure", body_structure),
            ("offsets", offsets),
        ):
            check_type(name, octets, (bytes, type(None)), "bytes or None")
        hint = "write Content(octets)" if isinstance(content, (bytes, bytearray)) else ""
        check_type("content", content, (Content, type(None)), "a Content or None", hint)
        check_type("email_id", email_id, (str, type(None)), "a str or None")
        check_type("thread_id", thread_id, (str, type(None)), "a str or None")
        return super().__new__(
            cls,
            uid,
            internal_date,
            size,
            envelope,
            body_structure,
            offsets,
            content,
            email_id,
            thread_id,
            save_date,
            zone,
        )


@dataclass(frozen=True, slots=True)
class Metadata:
    """The sizes and internal dates of many messages, in columns like those of `FlagColumns`.

    :ivar uids: ascending.
    :ivar sizes: octets of each.
    :ivar internal_dates: of each, in seconds since the epoch, UTC.
    :ivar zones: of each, as in `MessageInfo`; empty if all are UTC.
    """

    uids: Sequence[int] = ()
    sizes: Sequence[int] = ()
    internal_dates: Sequence[int] = ()
    zones: Sequence[int] = ()

    def __post_init__(self) -> None:
        if len(self.zones):
            check_same_length(uids=self.uids, zones=self.zones)
        try:
            is_table = len(self.uids) == len(self.sizes) == len(self.internal_dates)
        except TypeError:
            is_table = False
        if not is_table:
            check_same_length(uids=self.uids, sizes=self.sizes, internal_dates=self.internal_dates)


@dataclass(frozen=True, slots=True, init=False)
class NewMessage:
    """A message to be stored.

    :ivar content: with CRLF line ends; `Content.of` makes it of ``bytes``.
    :ivar internal_date: seconds since the epoch; None for now.
    :ivar zone: of the clock that ``internal_date`` was read from, in minutes east of UTC (RFC 9051 6.3.12).
    :raises TypeError: ``content`` is neither ``bytes`` nor a `Content`, ``flags`` are no frozenset of str, or
        ``internal_date`` is neither an int nor None, or ``zone`` is no int.
    :raises ValueError: ``zone`` is not less than 100 hours from UTC.
    """

    content: Content
    flags: frozenset[str]
    internal_date: int | None
    zone: int

    def __init__(
        self,
        content: Octets,
        flags: frozenset[str] = frozenset(),
        internal_date: int | None = None,
        zone: int = 0,
    ) -> None:
        check_flags("flags", flags)
        _check_date(internal_date)
        _check_zone(zone)
        # The class is frozen: its own attributes cannot be set in the usual way.
        object.__setattr__(self, "content", Content.of(content))
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "internal_date", internal_date)
        object.__setattr__(self, "zone", zone)


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

    def __post_init__(self) -> None:
        check_type("account", self.account, str, "an account's name, a str")
        check_type("mailbox", self.mailbox, str, "a mailbox's name, a str")
        check_flags("flags", self.flags)


class AppendedMessage(NamedTuple):
    """Where a new message was put (RFC 4315 APPENDUID)."""

    uid: int
    modseq: int


def _check_zone(zone: object) -> None:
    """:raises TypeError, ValueError: it is no number of minutes less than `_MOST_ZONE`."""
    check_type("zone", zone, int, "minutes east of UTC")
    if not -_MOST_ZONE < cast(int, zone) < _MOST_ZONE:
        raise wrong_value("zone", zone, "minutes east of UTC, less than 100 hours")


def _check_date(internal_date: object) -> None:
    """:raises TypeError: it is neither an int nor None."""
    if internal_date is not None and (not isinstance(internal_date, int) or isinstance(internal_date, bool)):
        hint = "write int(date.timestamp())" if hasattr(internal_date, "timestamp") else ""
        raise wrong_type("internal_date", internal_date, "whole seconds since the epoch, or None", hint)
