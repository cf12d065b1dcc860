"""The i;unicode-casemap collation (RFC 5051), with which SEARCH and SORT compare text.

For SEARCH, invisible characters are removed from texts and keys: soft hyphens, direction marks,
joiners, and zero-width spaces.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["casemap", "may_have", "octets_of", "search_key", "searched_key", "searched_text"]


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
    pieces = _runs(text)
    pieces[::2] = map(str.upper, pieces[::2])
    pieces[1::2] = map(_searched_runs.__getitem__, pieces[1::2])
    return "".join(pieces)


def octets_of(text: str) -> bytes:
    """``text`` in UTF-8, with ASCII's letters in upper case."""
    return text.encode("utf-8", "surrogatepass").upper()


def may_have(octets: bytes, word: bytes) -> bool:
    """Whether the `searched_text` of a text may contain a word, which is quicker than to make it.

    :param octets: by `octets_of`.
    :param word: letters and digits of ASCII, in upper case.
    """
    if word in octets:
        return True
    if octets.isascii():
        return False
    letters = {
        _letters[other] for other in set(octets.translate(None, _ASCII).decode("utf-8", "surrogatepass"))
    }
    # An accent is the last of the word; what is before it is as it is.
    return _ANY in letters or (chr(word[-1]) in letters and word[:-1] in octets)


_ASCII = bytes(range(128))
_ANY = "?"


class _Letters(dict[str, str]):
    """Which words have something to do with a character that is not in ASCII: those that end with a letter.

    "" stands for none, and `_ANY` for all.
    """

    def __missing__(self, other: str) -> str:
        mapped = searched_text(other)
        letters = [each for each in mapped if each.isascii() and each.isalnum()]
        if mapped and not letters:
            letter = ""
        elif len(letters) == 1 and letters[0] == mapped[0] and len(mapped) > 1:
            letter = mapped[0]  # with an accent, after which nothing of the word can be
        else:
            letter = _ANY
        if len(self) >= _KEPT:
            self.clear()
        self[other] = letter
        return letter


_letters = _Letters()


_runs = re.compile(r"([^\x00-\x7f]+)").split
"""No character of ASCII changes what its neighbours are mapped to."""


class _SearchedRuns(dict[str, str]):
    """What runs of other characters are mapped to; short ones are kept, because most are seen often."""

    def __missing__(self, run: str) -> str:
        mapped = _decomposed(run.translate(_seen_titlecase))
        if len(run) <= _RUN:
            if len(self) >= _KEPT:
                self.clear()
            self[run] = mapped
        return mapped


_RUN = 12  # characters of a run that is kept
_KEPT = 4096  # runs

_searched_runs = _SearchedRuns()

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
