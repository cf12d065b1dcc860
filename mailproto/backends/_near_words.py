"""Words that differ from those of a search by a typing error or two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["NearWords"]

MOST = 5
"""How many near words are given for a word."""

ERRORS = ((8, 2), (4, 1))
"""From so many characters on, a word may have so many errors."""

LONGEST = 64
"""The most characters of a word that has near ones."""

_PIECE = 1 << 14
"""Characters of a text that are read before others have their turn: some 0.5 ms."""

_word = re.compile(r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u2000-\u206f\u3000-\u303f]+").findall
_between_words = re.compile(r"[ \n]").search


def words_in(text: str) -> set[str]:
    """The different words of a mapped text: letters, digits and accents."""
    return set(_word(text))


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces, which are cut between words, if these are not too long."""
    start = 0
    while start < len(text):
        stop = start + _PIECE
        cut = _between_words(text, stop, stop + _PIECE)
        stop = cut.start() if cut else stop
        yield text[start:stop]
        start = stop


def _nearest(word: str, some: set[str], errors: int) -> dict[str, float]:
    """Those of some words that differ from ``word``, in not more errors than that, each with how many."""
    # Imported here because it takes 6 MB, and few clients search so.
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    found = process.extract(word, some, scorer=OSA.distance, score_cutoff=errors, limit=MOST)
    return {near: distance for near, distance, _ in found if distance}


class NearWords:
    """Looks for the words that are nearest to some others.

    An error is a character that is missing, too many, another one, or exchanged with its neighbour.
    """

    def __init__(self, sought: Sequence[str]) -> None:
        self._sought = sought
        self._found: dict[str, dict[str, float]] = {
            word: {} for word in sought if ERRORS[-1][0] <= len(word) <= LONGEST
        }

    def read(self, text: str) -> Iterator[None]:
        """Compare the words of a mapped text, in steps."""
        for piece in _pieces(text):
            some = words_in(piece)
            for word, found in self._found.items():
                errors = next(errors for length, errors in ERRORS if len(word) >= length)
                found.update(_nearest(word, some, errors))
                if len(found) > 10 * MOST:
                    self._found[word] = dict(self._best(word))
                yield

    def _best(self, word: str) -> list[tuple[str, float]]:
        """The nearest ones, rather with the same first letter."""
        found = self._found.get(word, {})
        return sorted(found.items(), key=lambda each: (each[1], each[0][0] != word[0], each[0]))[:MOST]

    def found(self) -> list[list[str]]:
        """For each of the sought words, those that are near, the nearest first."""
        return [[near for near, _ in self._best(word)] for word in self._sought]
