"""What a mailbox is searched for by content, and how it is sorted and put into threads."""

from __future__ import annotations

import datetime
import enum
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from mailproto._arguments import check_bool, check_same_length, check_type

__all__ = [
    "ContentTest",
    "Found",
    "InAddresses",
    "InField",
    "InText",
    "IndexState",
    "SentOn",
    "SortKey",
    "SortOrder",
    "ThreadAlgorithm",
    "Threads",
]


@dataclass(frozen=True, slots=True)
class InText:
    """The text of the body, or also of the header, contains a key (SEARCH BODY and TEXT).

    :ivar key: mapped by `mailproto.message.search_key`.
    :ivar headers: whether the header is searched, too.
    """

    key: str
    headers: bool

    def __post_init__(self) -> None:
        check_type("key", self.key, str, "a str")
        check_bool("headers", self.headers)


def _check_name_and_key(test: InField | InAddresses) -> None:
    check_type("name", test.name, str, "a str")
    check_type("key", test.key, str, "a str")


@dataclass(frozen=True, slots=True)
class InField:
    """A header field contains a key (SEARCH HEADER and SUBJECT); "" is in every field.

    :ivar name: the field's name in lower case.
    :ivar key: mapped by `mailproto.message.search_key`.
    """

    name: str
    key: str

    def __post_init__(self) -> None:
        _check_name_and_key(self)


@dataclass(frozen=True, slots=True)
class InAddresses:
    """A field of addresses, or a name or an address in it, contains a key (SEARCH FROM, TO, CC and BCC).

    :ivar name: ``from``, ``to``, ``cc`` or ``bcc``.
    :ivar key: mapped by `mailproto.message.search_key`.
    """

    name: str
    key: str

    def __post_init__(self) -> None:
        _check_name_and_key(self)


@dataclass(frozen=True, slots=True)
class SentOn:
    """The day in the Date field, whatever its time and zone (SEARCH SENTBEFORE, SENTON and SENTSINCE)."""

    op: Literal["BEFORE", "ON", "SINCE"]
    date: datetime.date

    def __post_init__(self) -> None:
        check_type("date", self.date, datetime.date, "a date")


ContentTest: TypeAlias = InText | InField | InAddresses | SentOn
"""A test of a message's content."""


class Found(NamedTuple):
    """The answer to a `ContentTest` for some messages; those in neither sequence do not pass.

    :ivar passing: the UIDs of messages that pass, ascending.
    :ivar unknown: the UIDs of messages that must be read to know, ascending.
    """

    passing: Sequence[int]
    unknown: Sequence[int] = ()


class SortKey(enum.Enum):
    """What SORT compares (RFC 5256 3, RFC 5957 3)."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"


class SortOrder(NamedTuple):
    """A sort criterion: a key, and whether its order is reversed."""

    key: SortKey
    reverse: bool = False


class ThreadAlgorithm(enum.Enum):
    """How messages are put into threads (RFC 5256 3, and draft-ietf-morg-inthread for REFS)."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"
    REFS = "REFS"


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads, in depth-first order: `mailproto.message.forest_pieces` writes them.

    :ivar numbers: UIDs; 0 stands for a message that is not there.
    :ivar depths: of the same; 0 begins a thread.
    """

    numbers: array[int]
    depths: array[int]

    def __post_init__(self) -> None:
        check_same_length(numbers=self.numbers, depths=self.depths)


@dataclass(frozen=True, slots=True)
class IndexState:
    """How far a search index is, and how large.

    :ivar messages: different messages in the store.
    :ivar indexed: how many of them are indexed, or looked at and left out.
    :ivar left_out: how many have too much text, or cannot be read.
    :ivar text_octets: of the decoded texts of those that are indexed.
    :ivar index_octets: of the index's files.
    :ivar has_texts: False if only header values are indexed.
    """

    messages: int
    indexed: int
    left_out: int
    text_octets: int
    index_octets: int
    has_texts: bool
