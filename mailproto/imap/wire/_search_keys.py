"""The search keys of SEARCH (RFC 9051 6.4.4) as a tree of values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = [
    "All",
    "And",
    "Body",
    "DateKey",
    "Flagged",
    "Header",
    "New",
    "Not",
    "Numbers",
    "Old",
    "Or",
    "Recent",
    "SearchKey",
    "Size",
    "Text",
    "Uids",
]


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the keys; there are at least two."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the two keys, or both."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class Not:
    """Not the key."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class Flagged:
    """Messages that have a flag, or lack it: SEEN, UNSEEN, KEYWORD and so on.

    :ivar flag: a system flag with its backslash, or a keyword as written.
    """

    flag: str
    present: bool


@dataclass(frozen=True, slots=True)
class Recent:
    """Messages that have ``\\Recent``."""


@dataclass(frozen=True, slots=True)
class New:
    """Messages that have ``\\Recent`` and lack ``\\Seen``."""


@dataclass(frozen=True, slots=True)
class Old:
    """Messages that lack ``\\Recent``."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header field that contains a text; FROM, TO, CC, BCC and SUBJECT are this too.

    :ivar name: of the field, in lower case.
    :ivar value: "" asks only that the field is there.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Body:
    """Text in the body."""

    value: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text in the header or the body."""

    value: str


@dataclass(frozen=True, slots=True)
class DateKey:
    """BEFORE, ON, SINCE, and with SENT before it: times and zones do not matter.

    :ivar field: ``INTERNAL`` for the internal date, ``SENT`` for the Date field.
    """

    field: Literal["INTERNAL", "SENT"]
    op: Literal["BEFORE", "ON", "SINCE"]
    date: datetime.date


@dataclass(frozen=True, slots=True)
class Size:
    """RFC822.SIZE above (LARGER) or below (SMALLER) so many octets."""

    op: Literal["LARGER", "SMALLER"]
    octets: int


@dataclass(frozen=True, slots=True)
class Uids:
    """Messages by UID."""

    sequence: SequenceSet


@dataclass(frozen=True, slots=True)
class Numbers:
    """Messages by sequence number."""

    sequence: SequenceSet


SearchKey: TypeAlias = (
    All
    | And
    | Or
    | Not
    | Flagged
    | Recent
    | New
    | Old
    | Header
    | Body
    | Text
    | DateKey
    | Size
    | Uids
    | Numbers
)
"""Any search key."""
