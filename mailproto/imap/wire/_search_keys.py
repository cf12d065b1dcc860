"""The search keys of SEARCH (RFC 9051 6.4.4) as a tree of values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = [
    "Address",
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


class SearchKey:
    """Any search key; extensions have classes of their own, which are hashable."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class All(SearchKey):
    """Every message."""


@dataclass(frozen=True, slots=True)
class And(SearchKey):
    """All of the keys; there are at least two."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class Or(SearchKey):
    """One of the two keys, or both."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class Not(SearchKey):
    """Not the key."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class Flagged(SearchKey):
    """Messages with or without a flag: SEEN, UNSEEN, KEYWORD and so on.

    :ivar flag: a system flag with its backslash, or a keyword as written.
    """

    flag: str
    present: bool


@dataclass(frozen=True, slots=True)
class Recent(SearchKey):
    """Messages with ``\\Recent``."""


@dataclass(frozen=True, slots=True)
class New(SearchKey):
    """Messages with ``\\Recent`` and without ``\\Seen``."""


@dataclass(frozen=True, slots=True)
class Old(SearchKey):
    """Messages without ``\\Recent``."""


@dataclass(frozen=True, slots=True)
class Header(SearchKey):
    """A header field that contains a text; also SUBJECT.

    :ivar name: the field's name in lower case.
    :ivar value: the text; "" matches any field of that name.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Address(SearchKey):
    """FROM, TO, CC and BCC: a field of addresses that contains a text, as it is or in an address.

    :ivar name: the field's name in lower case.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Body(SearchKey):
    """Text in the body."""

    value: str


@dataclass(frozen=True, slots=True)
class Text(SearchKey):
    """Text in the header or the body."""

    value: str


@dataclass(frozen=True, slots=True)
class DateKey(SearchKey):
    """BEFORE, ON, SINCE, SENTBEFORE, SENTON and SENTSINCE; times and zones do not matter.

    :ivar field: ``INTERNAL`` for the internal date, ``SENT`` for the Date field.
    """

    field: Literal["INTERNAL", "SENT"]
    op: Literal["BEFORE", "ON", "SINCE"]
    date: datetime.date


@dataclass(frozen=True, slots=True)
class Size(SearchKey):
    """Messages whose RFC822.SIZE is above (LARGER) or below (SMALLER) a number of octets."""

    op: Literal["LARGER", "SMALLER"]
    octets: int


@dataclass(frozen=True, slots=True)
class Uids(SearchKey):
    """Messages by UID."""

    sequence: SequenceSet


@dataclass(frozen=True, slots=True)
class Numbers(SearchKey):
    """Messages by sequence number."""

    sequence: SequenceSet
