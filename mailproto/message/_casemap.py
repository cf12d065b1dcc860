"""The i;unicode-casemap collation (RFC 5051), with which SEARCH and SORT compare text.

For SEARCH, invisible characters are removed from texts and keys: soft hyphens, direction marks,
joiners, and zero-width spaces.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["casemap", "search_key", "searched_key", "searched_text"]


class _SimpleTitlecase(dict[int, int | None]):
    """The single-character titlecase of each character, found when it is first asked for."""

    def __missing__(self, code: int) -> int:
        title = chr(code).title()
        self[code] = mapped = ord(title) if len(title) == 1 else code
        return mapped


_titlecase = _SimpleTitlecase()

_white_space = re.compile(r"\s+").sub

_UNSEEN: dict[int, int | None] = dict.fromkeys(
    (0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F))
)
_UNSEEN.update(dict.fromkeys((*range(0x2060, 0x2070), *range(0xFE00, 0xFE10))))
_seen_titlecase = _SimpleTitlecase(_UNSEEN)


def casemap(text: str) -> str:
    """``text`` with each character in titlecase, then decomposed, so that equal texts compare equal."""
    if text.isascii():
        return text.upper()
    return _decomposed(text.translate(_titlecase))


def searched_text(text: str) -> str:
    """As `casemap`, without invisible characters."""
    if text.isascii():
        return text.upper()
    return _decomposed(text.translate(_seen_titlecase))


_SLICE = 128
_MARKS = 32
"""Real text has less combining marks on one character (Unicode Standard Annex 15, 13)."""


def _decomposed(text: str) -> str:
    """``text`` in normalisation form KD; a slice at a time, because marks are sorted in quadratic time."""
    if len(text) <= _SLICE:
        return unicodedata.normalize("NFKD", text)
    pieces = []
    at = 0
    while at < len(text):
        stop = at + _SLICE
        if stop < len(text):
            least = stop - _MARKS
            while stop > least and unicodedata.combining(text[stop]):
                stop -= 1
        pieces.append(unicodedata.normalize("NFKD", text[at:stop]))
        at = stop
    return "".join(pieces)


def search_key(text: str) -> str:
    """``text`` as a key for `Searchable`: by `casemap`, and prepared, which is quicker for many messages."""
    return searched_key(casemap(text))


class _SearchedKey(str):
    """A key in the form to search for."""

    __slots__ = ()


def searched_key(key: str) -> str:
    """A key mapped by `casemap`, in the form to search for in a `searched_text` on one line."""
    if isinstance(key, _SearchedKey):
        return key
    if key.isalnum():
        return _SearchedKey(key)
    if not key.isascii():
        key = key.translate(_UNSEEN) or key
    return _SearchedKey(_white_space(" ", key))
