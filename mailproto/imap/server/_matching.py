"""Search keys compiled into tests of messages, each with its cost (RFC 9051 6.4.4)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from mailproto.content import unwrapped
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import (
    And,
    Body,
    DateKey,
    Flagged,
    Header,
    New,
    Not,
    Numbers,
    Old,
    Or,
    Recent,
    SearchKey,
    SequenceSet,
    Size,
    Text,
    Uids,
)
from mailproto.message import Index, Searchable, casemap, header_fields, parse_date
from mailproto.model import SEEN, SYSTEM_FLAGS, MessageInfo

__all__ = ["Condition", "Cost", "SearchContext", "compile_key"]

_EPOCH_ORDINAL = 719_163
"""``datetime.date(1970, 1, 1).toordinal()``"""

_DAY = 86_400

Test = Callable[[int], bool]
"""Called with a message's index in the view; whether the message matches."""


class Cost(enum.IntEnum):
    """What must be read for a test."""

    KNOWN = 0
    METADATA = 1
    CONTENT = 2


class Condition(NamedTuple):
    """A test and its cost."""

    cost: Cost
    test: Test


class SearchContext:
    """What tests read their data from.

    :ivar sizes: the sizes of the messages that are tested, by index.
    :ivar dates: the internal dates of these messages, by index.
    """

    __slots__ = ("_header", "_info", "_text", "dates", "sizes", "view")

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.sizes: Mapping[int, int] = {}
        self.dates: Mapping[int, int] = {}
        self.set_message(MessageInfo(0))

    def set_message(self, info: MessageInfo) -> None:
        """Set the message that tests of content read."""
        self._info = info
        self._text: Searchable | None = None
        self._header: bytes | None = None

    @property
    def text(self) -> Searchable:
        """The text of the current message."""
        if self._text is None:
            content = unwrapped(self._info.content)
            self._text = Searchable(content, Index.load(self._info.offsets or b""))
        return self._text

    def may_contain(self, word: bytes) -> bool:
        """Whether the header may contain ``word`` (ASCII, in upper case, without white space).

        A search in the octets is enough for nearly every header.  Where nothing is encoded, a word
        that is not in the octets is not in the text, and the header need not be parsed.
        """
        content = unwrapped(self._info.content)
        if not isinstance(content, bytes):
            return True
        if self._header is None:
            self._header = _plain_header(content)
        return self._header is _ANYTHING or word in self._header


_ANYTHING = b"?"
"""Stands for a header that must be decoded before it can be searched."""


def _plain_header(content: bytes) -> bytes:
    """The header, or a little more, in upper case; `_ANYTHING` if some of it is encoded."""
    header = content.partition(b"\n\r\n")[0].partition(b"\n\n")[0]
    # The CR at the end belongs to the line end that was cut off.
    if b"=?" in header or not header.isascii() or b"\r" in header[:-1].replace(b"\r\n", b""):
        return _ANYTHING
    return header.upper()


def compile_key(key: SearchKey, context: SearchContext) -> list[Condition]:
    """Compile a search key into conditions that must all be met, the cheapest first.

    :raises IMAPWireError: for a sequence number of no message.
    """
    keys = key.keys if isinstance(key, And) else (key,)
    return sorted((_compile(key, context) for key in keys), key=lambda condition: condition.cost)


def _compile(key: SearchKey, context: SearchContext) -> Condition:
    match key:
        case And(keys):
            return _all([_compile(key, context) for key in keys])
        case Or(left, right):
            # The cheaper test comes first: if it matches, the other need not be made.
            first, second = sorted((_compile(left, context), _compile(right, context)), key=lambda c: c.cost)
            return Condition(second.cost, lambda at: first.test(at) or second.test(at))
        case Not(inner):
            cost, test = _compile(inner, context)
            return Condition(cost, lambda at: not test(at))
        case Uids(sequence) | Numbers(sequence):
            return Condition(Cost.KNOWN, _members(context.view, sequence, uid=isinstance(key, Uids)))
        case Flagged(flag, present):
            return Condition(Cost.KNOWN, _flagged(context.view, flag, present))
        case Recent() | New() | Old():
            return Condition(Cost.KNOWN, _recent(context.view, key))
        case Size(op, octets):
            return Condition(Cost.METADATA, _sized(context, op, octets))
        case DateKey(field, op, date):
            day = date.toordinal() - _EPOCH_ORDINAL
            if field == "INTERNAL":
                return Condition(Cost.METADATA, _dated(_internal_day(context), op, day))
            return Condition(Cost.CONTENT, _dated(_sent_day(context), op, day))
        case Header(name, value):
            return Condition(Cost.CONTENT, _in_header(context, name.encode("utf-8"), casemap(value)))
        case Body(value):
            mapped = casemap(value)
            return Condition(Cost.CONTENT, lambda at: context.text.in_body(mapped))
        case Text(value):
            mapped = casemap(value)
            return Condition(Cost.CONTENT, lambda at: context.text.in_text(mapped))
    return Condition(Cost.KNOWN, lambda at: True)  # ALL


def _all(conditions: Sequence[Condition]) -> Condition:
    ordered = sorted(conditions, key=lambda condition: condition.cost)
    tests = [condition.test for condition in ordered]
    return Condition(ordered[-1].cost, lambda at: all(test(at) for test in tests))


def _members(view: MailboxView, sequence: SequenceSet, *, uid: bool) -> Test:
    indexes: Collection[int] = view.indexes(sequence, uid=uid)
    members = indexes if isinstance(indexes, range) else frozenset(indexes)
    return lambda at: at in members


def _flagged(view: MailboxView, flag: str, present: bool) -> Test:
    flags = view.flags
    if flag in SYSTEM_FLAGS:
        return (lambda at: flag in flags[at]) if present else (lambda at: flag not in flags[at])
    # Keywords are compared without case; messages share few sets of flags.
    folded = flag.casefold()
    answers: dict[frozenset[str], bool] = {}

    def test(at: int) -> bool:
        answer = answers.get(flags[at])
        if answer is None:
            answer = (folded in {name.casefold() for name in flags[at]}) is present
            answers[flags[at]] = answer
        return answer

    return test


def _recent(view: MailboxView, key: Recent | New | Old) -> Test:
    uids, flags = view.uids, view.flags
    if isinstance(key, Recent):
        return lambda at: view.is_recent(uids[at])
    if isinstance(key, Old):
        return lambda at: not view.is_recent(uids[at])
    return lambda at: SEEN not in flags[at] and view.is_recent(uids[at])


def _sized(context: SearchContext, op: str, octets: int) -> Test:
    if op == "LARGER":
        return lambda at: context.sizes[at] > octets
    return lambda at: context.sizes[at] < octets


def _in_header(context: SearchContext, name: bytes, mapped: str) -> Test:
    if not mapped or not mapped.isascii():
        return lambda at: context.text.in_header(name, mapped)
    # A text with white space may be folded in the header.
    word = max(mapped.encode("ascii").split() or [b""], key=len)
    return lambda at: context.may_contain(word) and context.text.in_header(name, mapped)


def _internal_day(context: SearchContext) -> Callable[[int], int | None]:
    """Return a function that gives a message's internal day in UTC, counted from the epoch."""
    return lambda at: context.dates[at] // _DAY


def _sent_day(context: SearchContext) -> Callable[[int], int | None]:
    """Return a function that gives the day in a message's Date field, whatever its zone, or None."""

    def day(at: int) -> int | None:
        text = context.text
        root = text.index.root
        for field in header_fields(text.content, root.header, root.body):
            if field.name.lower() == b"date":
                sent = parse_date(field.value)
                return None if sent is None else sent.toordinal() - _EPOCH_ORDINAL
        return None

    return day


def _dated(day_of: Callable[[int], int | None], op: str, wanted: int) -> Test:
    """Test a day; time and zone do not matter, and SINCE includes its day (RFC 9051 6.4.4)."""

    def test(at: int) -> bool:
        day = day_of(at)
        if day is None:
            return False
        if op == "BEFORE":
            return day < wanted
        return day == wanted if op == "ON" else day >= wanted

    return test
