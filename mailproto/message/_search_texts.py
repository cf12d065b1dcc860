"""A message's decoded texts, as a search index keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._index import Index
from mailproto.message._part_text import PIECE
from mailproto.message._searched_texts import body_texts, charset_of_texts, header_texts
from mailproto.message._steps import Steps, finish

__all__ = ["INDEXED_LIMIT", "SearchTexts", "is_indexed_key", "search_texts", "search_texts_steps"]

INDEXED_LIMIT = 1 << 20
"""The most characters of a message that an index keeps; one with more is read for each search."""

BETWEEN = "\n"
"""Stands between texts, and for `LINE_END`; no key has it, because white space in keys is a blank."""


class SearchTexts(NamedTuple):
    """The texts in which `Searchable` looks, mapped, with single blanks for white space.

    A key that `is_indexed_key` is in a message's header or body exactly if it is in these texts.

    :ivar header: what TEXT searches besides ``body``.
    :ivar body: what BODY searches.
    """

    header: str
    body: str


def is_indexed_key(key: str) -> bool:
    """Whether a key, by `search_key`, can be looked for in `SearchTexts`: others have NUL, or only blanks."""
    return bool(key.strip(" ")) and "\0" not in key and BETWEEN not in key


def search_texts(content: Octets, index: Index) -> SearchTexts | None:
    """Decode the texts of ``content``; None if they are longer than `INDEXED_LIMIT`."""
    return finish(search_texts_steps(content, index))


def search_texts_steps(content: Octets, index: Index) -> Steps[SearchTexts | None]:
    """As `search_texts`, in steps."""
    charset: list[str] = []

    def of_header() -> str:
        if not charset:
            charset.append(charset_of_texts(content, index))
        return charset[0]

    is_small = index.root.end <= PIECE
    header = yield from _joined(header_texts(content, index, of_header), is_small)
    body = None if header is None else (yield from _joined(body_texts(content, index), is_small))
    if header is None or body is None or len(header) + len(body) > INDEXED_LIMIT:
        return None
    return SearchTexts(header, body)


def _joined(pieces: Iterator[str | None], is_small: bool) -> Steps[str | None]:
    """All texts, one after another.

    `Searchable` looks in each piece of a small message by itself, and in all pieces of a text of a large one.
    """
    lines: list[str] = []
    text: list[str] = []
    size = 0
    for piece in pieces:
        yield
        if piece:
            text.append(piece)
            size += len(piece)
            if size > INDEXED_LIMIT:
                return None
        if text and (is_small or piece is None):
            lines.append(f" {' '.join(''.join(text).split())} ")
            text.clear()
    return BETWEEN.join(lines).replace("\0", BETWEEN)
