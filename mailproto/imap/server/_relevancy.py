"""How relevant messages are to keys that match fuzzily (RFC 6203 4)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailproto.awaiting import settle
from mailproto.imap.server._matching import mentions
from mailproto.imap.server._search import find_in, indexes_in
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import Address, All, And, Body, Header, Not, Or, SearchKey, Text
from mailproto.interfaces.add_ons import INearWords
from mailproto.message import search_key

__all__ = ["Fuzzy", "fuzzily", "is_fuzzy", "scores", "with_near_words", "words_in"]

_AT_ONCE = 2000

_WORDS = 20
"""So many words of a text are looked for by themselves; the others do not matter."""

_NEAR = 10
"""So many words of a search may have typing errors."""

_LONG = 6
"""From so many letters on, the beginning of a word is enough."""


@dataclass(frozen=True, slots=True)
class Fuzzy(SearchKey):
    """A key of text that matches fuzzily.

    :ivar key: HEADER, FROM and their like, BODY or TEXT; or ALL, for keys for which that means nothing.
    :ivar near: words that may stand for others, by these.
    """

    key: SearchKey
    near: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def texts(self) -> list[str]:
        """The words of its text."""
        match self.key:
            case Header(_, value) | Address(_, value) | Body(value) | Text(value):
                return value.split()[:_WORDS]
        return []

    def words(self) -> SearchKey:
        """All words of the text must be there, in any order."""
        return self._with(lambda word: word)

    def beginnings(self) -> SearchKey:
        """The beginnings of all words must be there, so that "meetings" finds "meeting"; or near words."""
        return self._with(
            lambda word: word if len(word) < _LONG else word[: max(_LONG - 2, len(word) * 2 // 3)]
        )

    def without_near(self) -> SearchKey:
        """The same without near words."""
        return Fuzzy(self.key).beginnings()

    def _with(self, form: Callable[[str], str]) -> SearchKey:
        match self.key:
            case Header() | Address() | Body() | Text() as key:
                near = dict(self.near)
                alternatives = dict.fromkeys(
                    (form(word), *near.get(word, ())) for word in key.value.split()[:_WORDS]
                )
                keys = tuple(
                    [_any_of([replace(key, value=word) for word in words]) for words in alternatives]
                )
                return key if not keys else keys[0] if len(keys) == 1 else And(keys)
        return self.key

    def count(self) -> int:
        """How many words are looked for."""
        return len(self.texts())


def _any_of(keys: Sequence[SearchKey]) -> SearchKey:
    found = keys[0]
    for key in keys[1:]:
        found = Or(found, key)
    return found


def fuzzily(key: SearchKey) -> SearchKey:
    """The key, in which all texts match fuzzily; other keys are exact."""
    found = _fuzzily(key)
    return found if is_fuzzy(found) else And((found, Fuzzy(All())))


def _fuzzily(key: SearchKey) -> SearchKey:
    if isinstance(key, Header | Address | Body | Text):
        return Fuzzy(key)
    return _mapped(key, _fuzzily)


def _mapped(key: SearchKey, change: Callable[[SearchKey], SearchKey]) -> SearchKey:
    match key:
        case And(keys):
            return And(tuple([change(each) for each in keys]))
        case Or(left, right):
            return Or(change(left), change(right))
        case Not(inner):
            return Not(change(inner))
    return key


def is_fuzzy(key: SearchKey) -> bool:
    """Whether a part of the key is fuzzy."""
    return mentions(key, lambda each: isinstance(each, Fuzzy))


async def with_near_words(session: Session, view: MailboxView, key: SearchKey) -> SearchKey:
    """The key, in which near words stand for those that no message has."""
    mailbox = view.mailbox
    words = dict.fromkeys(word for each in _parts(key) for word in each.texts())
    if not words or not view.uids or not INearWords.providedBy(mailbox):
        return key
    some = list(words)[:_NEAR]
    async with session.factory.search_places.place(session):
        found = await settle(mailbox.near_words(view.uids, [search_key(word) for word in some]))
    near = tuple([(word, tuple(its)) for word, its in zip(some, found, strict=True) if its])
    return _in_form(key, lambda each: replace(each, near=near)) if near else key


def words_in(key: SearchKey) -> int:
    """How many words the key looks for fuzzily."""
    return sum(each.count() for each in _parts(key))


def _parts(key: SearchKey) -> Iterator[Fuzzy]:
    """Its fuzzy parts."""
    match key:
        case Fuzzy():
            yield key
        case And(keys):
            for each in keys:
                yield from _parts(each)
        case Or(left, right):
            yield from _parts(left)
            yield from _parts(right)
        case Not(inner):
            yield from _parts(inner)


def _in_form(key: SearchKey, form: Callable[[Fuzzy], SearchKey]) -> SearchKey:
    return form(key) if isinstance(key, Fuzzy) else _mapped(key, lambda each: _in_form(each, form))


_FORMS: Sequence[tuple[int, Callable[[Fuzzy], SearchKey]]] = (
    (100, lambda fuzzy: fuzzy.key),
    (60, Fuzzy.words),
    (20, Fuzzy.without_near),
)
"""What a message scores that matches keys in this form."""

_LEAST = 10
"""What a message scores that has only words that are near those of the text."""


async def scores(
    session: Session, view: MailboxView, key: SearchKey, numbers: Sequence[int], *, uid: bool
) -> list[int]:
    """How relevant messages are, from 1 to 100, in their order.

    :param numbers: sequence numbers, or UIDs if ``uid``, of messages that match the key.
    """
    left = await indexes_in(session.yield_turn, view, numbers, uid=uid)
    score = bytearray([_LEAST]) * len(view.uids)
    tried: list[SearchKey] = []
    for value, form in _FORMS:
        exact = _in_form(key, form)
        if exact in tried or not left:
            continue
        tried.append(exact)
        matching = await find_in(session, view, exact, uid=False, within=left)
        for start in range(0, len(matching), _AT_ONCE):
            for number in matching[start : start + _AT_ONCE]:
                score[number - 1] = value
            await session.yield_turn()
        still = array("I")
        for start in range(0, len(left), _AT_ONCE):
            still.extend([at for at in left[start : start + _AT_ONCE] if score[at] == _LEAST])
            await session.yield_turn()
        left = still
    found: list[int] = []
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        found += [score[bisect_left(view.uids, each)] if uid else score[each - 1] for each in some]
        await session.yield_turn()
    return found
