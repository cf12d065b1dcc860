"""Search keys compiled into conditions: a table with a row for each kind of key (RFC 9051 6.4.4).

Equal keys become one condition, which is tested once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import Generic, TypeAlias, TypeVar

from mailproto.imap import wire
from mailproto.imap.server import _search_columns as columns
from mailproto.imap.server import _search_content as content
from mailproto.imap.server._conditions import All, Any, Column, Condition, Content, Opposite
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import And, Not, Or, SearchKey
from mailproto.message import Steps, search_key

__all__ = ["SEARCH_KEYS", "Conditions", "Search", "SearchKeys", "compiled", "mentions"]

C = TypeVar("C", bound=Column | Content)
K = TypeVar("K", bound=SearchKey)


class Search:
    """The compiled keys of one SEARCH.

    :ivar condition: what a message must meet.
    :ivar columns: the columns that may be tested, the cheapest first.
    :ivar contents: the tests of content that may be made, the cheapest first.
    :ivar texts: the keys of BODY and TEXT, mapped.
    :ivar before: awaited with the session before messages are tested.
    """

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.condition: Condition = All(())
        self.columns: list[Column] = []
        self.contents: list[Content] = []
        self.texts: dict[str, None] = {}
        self.before: list[Callable[[Session], Awaitable[None]]] = []
        self._made: dict[object, Anything] = {}
        self._spellings = columns.Spellings()

    def column(self, what: object, make: Callable[[], Column]) -> Column:
        """The column for ``what``, which is made once."""
        column: Column | None = self._made.get(what)
        if column is None:
            self._made[what] = column = make()
            self.columns.append(column)
        return column

    def content(self, what: object, make: Callable[[], Content]) -> Content:
        """The test of content for ``what``, which is made once."""
        test: Content | None = self._made.get(what)
        if test is None:
            self._made[what] = test = make()
            self.contents.append(test)
        return test

    def sequence(self, sequence: wire.SequenceSet, *, uid: bool) -> Column:
        """Messages in a set; numbers and UIDs of no message are left out."""
        uids, saved = self.view.uids, self.view.saved
        if not sequence.ranges:
            return self.column(wire.SAVED, lambda: columns.between(saved.firsts, saved.lasts, uid=True))
        last = (uids[-1] if uid else len(uids)) if uids else 0
        return self.column((sequence, uid), lambda: columns.in_ranges(sequence.merged(last), uid=uid))

    def flagged(self, key: wire.Flagged) -> Condition:
        """Messages with or without a flag."""
        name = columns.compared(key.flag)
        column = self.column(name, lambda: columns.flagged(name, self._spellings))
        return column if key.present else Opposite(column)

    def recent(self) -> Column:
        """Messages with ``\\Recent``."""
        return self.column(wire.Recent, lambda: columns.recent(self.view.is_recent))

    def text(self, key: wire.Body | wire.Text) -> Content:
        """Text in the body, or also in the headers."""
        mapped = search_key(key.value)
        self.texts[mapped] = None
        headers = isinstance(key, wire.Text)
        return self.content((mapped, headers), lambda: content.in_text(mapped, headers=headers))


def _dated(search: Search, key: wire.DateKey) -> Condition:
    if key.field == "INTERNAL":
        return search.column(key, lambda: columns.dated(key.op, key.date))
    return search.content(key, lambda: content.sent(key.op, key.date))


def _new(search: Search, key: wire.New) -> Condition:
    return All((search.recent(), search.flagged(wire.Flagged("\\Seen", False))))


@dataclass(frozen=True, slots=True)
class SearchKeys(Generic[K]):
    """A kind of search keys.

    :ivar kind: the class of the keys.
    :ivar condition: what a message must meet; it asks the `Search` for columns and tests of content.  Or a
        key that takes the place of this one.
    :ivar names: the keys that are one word, in upper case.
    :ivar readers: the words of the others, and what reads their arguments.
    """

    kind: type[K]
    condition: Callable[[Search, K], Condition | SearchKey]
    names: Mapping[bytes, K] = field(default_factory=dict)
    readers: Mapping[bytes, Callable[[wire.KeyReader], K]] = field(default_factory=dict)


SEARCH_KEYS: Sequence[SearchKeys[Anything]] = (
    SearchKeys(wire.All, lambda search, key: All(())),
    SearchKeys(wire.Numbers, lambda search, key: search.sequence(key.sequence, uid=False)),
    SearchKeys(wire.Uids, lambda search, key: search.sequence(key.sequence, uid=True)),
    SearchKeys(wire.Flagged, Search.flagged),
    SearchKeys(wire.Recent, lambda search, key: search.recent()),
    SearchKeys(wire.Old, lambda search, key: Opposite(search.recent())),
    SearchKeys(wire.New, _new),
    SearchKeys(wire.Size, lambda search, key: search.column(key, lambda: columns.sized(key.op, key.octets))),
    SearchKeys(wire.DateKey, _dated),
    SearchKeys(
        wire.Header, lambda search, key: search.content(key, lambda: content.in_header(key.name, key.value))
    ),
    SearchKeys(
        wire.Address,
        lambda search, key: search.content(key, lambda: content.in_addresses(key.name, key.value)),
    ),
    SearchKeys(wire.Body, Search.text),
    SearchKeys(wire.Text, Search.text),
)
"""The kinds of RFC 3501; their words are in `mailproto.imap.wire.grammars`."""


def mentions(key: SearchKey, test: Callable[[SearchKey], bool]) -> bool:
    """Whether the test is true of the key, or of a key in it."""
    match key:
        case And(keys):
            return any(mentions(each, test) for each in keys)
        case Or(left, right):
            return mentions(left, test) or mentions(right, test)
        case Not(inner):
            return mentions(inner, test)
    return test(key)


Conditions: TypeAlias = Mapping[type[SearchKey], Callable[[Search, Anything], Condition | SearchKey]]


def compiled(key: SearchKey, view: MailboxView, conditions: Conditions) -> Steps[Search]:
    """Compile search keys, in steps.

    :param conditions: of the keys that the server knows, by their class.
    """
    search = Search(view)
    search.condition = yield from _compiled(key, search, conditions)
    search.columns.sort(key=lambda column: column.cost)
    search.contents.sort(key=lambda test: test.cost)
    return search


def _compiled(key: SearchKey, search: Search, known: Conditions) -> Steps[Condition]:
    match key:
        case And(keys):
            conditions: list[Condition] = []
            for each in keys:
                condition = yield from _compiled(each, search, known)
                conditions.append(condition)
            return All(conditions)
        case Or(left, right):
            one = yield from _compiled(left, search, known)
            return Any((one, (yield from _compiled(right, search, known))))
        case Not(inner):
            condition = yield from _compiled(inner, search, known)
            return condition.condition if isinstance(condition, Opposite) else Opposite(condition)
    yield
    made = known[type(key)](search, key)
    return (yield from _compiled(made, search, known)) if isinstance(made, SearchKey) else made
