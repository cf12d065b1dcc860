# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""The words of texts, and which messages have them.

A message has a row of its words, and some hundred messages have a vocabulary, in which words with a key in
them are looked for.  Long words are in no vocabulary, because hardly any two messages have the same: web
addresses, and the sentences of languages without blanks.  Of these, a message has the trigrams.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import zstandard

__all__ = [
    "ASCII_LONG",
    "LONG",
    "TextWords",
    "Vocabulary",
    "add_vocabularies",
    "read_vocabularies",
    "revise_vocabularies",
    "terms",
    "vocabularies",
]

LONG = 32
"""The octets of the longest word that is in vocabularies, if it is not of ASCII alone."""

ASCII_LONG = 128
"""The same for words of ASCII, such as the lines of a signature."""

LARGE = 1 << 16
"""Octets of a text whose words are not told from each other: it has trigrams, as if it were one word."""

MESSAGES = 256
"""The most messages that have one vocabulary."""

OCTETS = 1 << 21
"""After so many octets, a vocabulary gets no other message: 10 MB in memory.

A word counts as often as messages have it, and for `_COST` octets more, because to put 100,000 words together
takes some milliseconds, in which the reactor's thread waits.
"""

_COST = 16

_pack = zstandard.ZstdCompressor(level=3).compress
_ESCAPE = b"\x7f"
_SMALL = [bytes([octet]) for octet in range(ord("a"), ord("z") + 1)]


class TextWords(NamedTuple):
    """The different words of a text.

    :ivar short: those of up to `LONG` octets, or `ASCII_LONG`.
    :ivar long: the others, with a blank before each, and two at the end, so that something follows all that
        a word may end with; "" if there are none.
    """

    short: Collection[bytes]
    long: str

    @classmethod
    def of(cls, text: bytes) -> TextWords:
        """The words of a text of `SearchTexts`, between its blanks and line ends."""
        if len(text) > LARGE:
            return cls((), f"{text.decode()} ")
        words = set(text.split())
        long = [word for word in words if len(word) > LONG and (len(word) > ASCII_LONG or not word.isascii())]
        if not long:
            return cls(words, "")
        words.difference_update(long)
        return cls(words, f" {b' '.join(sorted(long)).decode()}  ")


def terms(words: Collection[bytes]) -> str:
    """Words as the index gets them, between blanks.

    Its tokenizer makes small letters of ASCII's capitals; but a mapped text has a few small letters, too.
    """
    joined = b" ".join(words)
    if joined.upper() != joined or _ESCAPE in joined:
        joined = joined.replace(_ESCAPE, _ESCAPE * 2)
        for letter in _SMALL:
            joined = joined.replace(letter, _ESCAPE + letter.upper())
    return joined.decode()


class Vocabulary(NamedTuple):
    """What is known of a vocabulary.

    :ivar first: the first of the bodies that have it, and ``last``, the last one.
    :ivar messages: how many of them there were.
    :ivar size: octets of the words.
    """

    first: int
    last: int
    messages: int
    size: int


_COLUMNS = ", ".join(Vocabulary._fields)


def vocabularies(
    connection: sqlite3.Connection, first: int, last: int, schema: str = "main"
) -> list[Vocabulary]:
    """Those of bodies from ``first`` to ``last``, in their order."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {schema}.vocabularies WHERE last >= ? AND first <= ? ORDER BY first",
        (first, last),
    )
    return [Vocabulary._make(row) for row in rows]


def read_vocabularies(
    connection: sqlite3.Connection, firsts: Iterable[int], schema: str = "main"
) -> Iterator[bytes]:
    """The words of some, each between line ends."""
    unpack = zstandard.ZstdDecompressor().decompress
    for first in firsts:
        for (packed,) in connection.execute(
            f"SELECT packed FROM {schema}.vocabularies WHERE first = ?", (first,)
        ):
            yield unpack(packed)


def add_vocabularies(
    connection: sqlite3.Connection, made: Iterable[tuple[int, Iterable[Collection[bytes]]]]
) -> None:
    """Add the short words of new messages, within a transaction.

    :param made: their bodies, ascending, each with the words of its texts.
    """
    words: set[bytes] = set()
    bodies: list[int] = []
    size = 0
    for body, its in made:
        bodies.append(body)
        for some in its:
            words.update(some)
            size += sum(map(len, some)) + _COST * len(some)
        if size > OCTETS or len(bodies) >= MESSAGES:
            _add(connection, bodies, words, size)
            words, bodies, size = set(), [], 0
    if bodies:
        _add(connection, bodies, words, size)


def _add(connection: sqlite3.Connection, bodies: Sequence[int], words: set[bytes], size: int) -> None:
    # With the one before that is not much larger, they become one: so there are few small ones, and each word
    # is written some times only.
    first, messages = bodies[0], len(bodies)
    while True:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM vocabularies ORDER BY first DESC LIMIT 1"
        ).fetchone()
        known = row and Vocabulary._make(row)
        if (
            known is None
            or known.messages > 2 * messages
            or known.messages + messages > MESSAGES
            or known.size + size > OCTETS
        ):
            break
        [text] = read_vocabularies(connection, (known.first,))
        size += known.size + _COST * text.count(b"\n")
        if size > OCTETS:
            break
        words.update(text.split())
        first, messages = known.first, known.messages + messages
        connection.execute("DELETE FROM vocabularies WHERE first = ?", (first,))
    _insert(connection, first, bodies[-1], messages, words)


def _insert(connection: sqlite3.Connection, first: int, last: int, messages: int, words: set[bytes]) -> None:
    text = b"\n%b\n" % b"\n".join(words)
    connection.execute(
        f"INSERT INTO vocabularies ({_COLUMNS}, packed) VALUES (?, ?, ?, ?, ?)",
        (first, last, messages, len(text), _pack(text)),
    )


def revise_vocabularies(
    connection: sqlite3.Connection,
    removed: Sequence[int],
    texts: Callable[[int, int], Iterator[bytes]],
) -> None:
    """Forget the words of removed messages, within a transaction, where these were more than half.

    :param removed: their bodies, ascending.
    :param texts: the texts of the bodies in a range that are left.
    """
    for known in vocabularies(connection, removed[0], removed[-1]):
        [left] = connection.execute(
            "SELECT count(*) FROM texts WHERE body BETWEEN ? AND ?", (known.first, known.last)
        ).fetchone()
        if left > known.messages // 2:
            continue
        connection.execute("DELETE FROM vocabularies WHERE first = ?", (known.first,))
        if left:
            words = set[bytes]()
            for text in texts(known.first, known.last):
                words.update(TextWords.of(text).short)
            _insert(connection, known.first, known.last, left, words)
