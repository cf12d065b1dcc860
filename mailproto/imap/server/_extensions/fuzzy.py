"""SEARCH=FUZZY (RFC 6203): texts whose words are there in another order, or in another form.

A message with the exact text scores 100, one with all its words 60, one with the beginnings of its words
20.  If no message has a word, words that differ by a typing error or two stand for it, which scores 10.
"""

from __future__ import annotations

from typing import cast

from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.partial import partial_of
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._options import SearchReturn
from mailproto.imap.server._relevancy import Fuzzy, fuzzily, is_fuzzy, scores, with_near_words, words_in
from mailproto.imap.server._requests import SearchAsked, SearchFound
from mailproto.imap.server._session import Session
from mailproto.imap.wire import KeyReader, SearchKey, no_value

__all__ = ["EXTENSION"]

_AT_ONCE = 10_000


def _fuzzy(keys: KeyReader) -> SearchKey:
    key = fuzzily(keys.inner())
    keys.count(words_in(key))
    return key


def _condition(search: Search, key: Fuzzy) -> SearchKey:
    return key.beginnings()


def _check(session: Session, asked: SearchAsked) -> None:
    if not is_fuzzy(asked.key):
        raise BadCommand("RELEVANCY without FUZZY")


async def _scores(session: Session, found: SearchFound, value: None) -> list[int]:
    """Search again, which may tell how far it is; so it is done before the answer begins."""
    numbers = partial_of(found)
    if numbers is None:
        numbers = found.numbers
    asked = found.asked
    return await scores(session, asked.view, asked.key, numbers, uid=asked.uid)


async def _relevancy(session: Session, found: SearchFound, value: None) -> None:
    told = cast("list[int]", found.prepared["RELEVANCY"])
    session.respond(b" RELEVANCY (")
    for start in range(0, len(told), _AT_ONCE):
        session.respond(
            b" " * (start > 0) + b" ".join([b"%d" % each for each in told[start : start + _AT_ONCE]])
        )
        await session.yield_turn()
    session.respond(b")")


EXTENSION = Extension(
    "SEARCH=FUZZY",
    capabilities=("SEARCH=FUZZY",),
    on_keys_in=with_near_words,
    search_keys=(SearchKeys(Fuzzy, _condition),),
    search_readers={b"FUZZY": _fuzzy},
    search_returns=(SearchReturn("RELEVANCY", no_value, _relevancy, check=_check, prepare=_scores),),
)
