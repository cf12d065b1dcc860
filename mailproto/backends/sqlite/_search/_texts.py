# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Looks for keys in the texts of the index.

A key is in a text if it is in one of its words, or, if it has blanks, if its pieces are in words that follow
each other.  Which words have a key is seen in the vocabularies, and which messages have these words, in the
postings.  So a key without blanks needs no text, but for what may be in long words, and a key with blanks
only those of candidates.
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailproto.backends.sqlite._search._late import Uids
from mailproto.backends.sqlite._search._making import AT_A_STRETCH, BETWEEN, Unpacker, pause
from mailproto.backends.sqlite._search._numbers import Numbers
from mailproto.backends.sqlite._search._words import ASCII_LONG, LONG, read_vocabularies, terms, vocabularies
from mailproto.model import Found, InText

__all__ = ["find_texts", "passing_bodies"]

PIECES = 4
"""So many pieces of a key with blanks are looked up, the longest ones; the texts decide about the rest."""

WORDS = 2000
"""If more words have a key, it is looked for in texts."""

TOGETHER = 16
"""Words that are looked up with one query."""

_GRAMS = 8
"""The most trigrams of a key that are looked up; the texts decide about the rest."""

_TERMS = 100  # trigrams in one query

_MANY = 4
"""If so many times as many rows as the mailbox has messages are found, they are no help."""

_WORTH = 8000
"""So many octets of a vocabulary are read in the time for one text."""

_AT_ONCE = 200
"""Texts that are read with one statement."""


class _Piece(NamedTuple):
    """What a word has that has a piece of a key.

    :ivar begins: whether the word begins with the text, and ``ends``, whether it ends with it.
    """

    text: str
    begins: bool = False
    ends: bool = False

    @property
    def pattern(self) -> bytes:
        """What of a vocabulary has it."""
        return b"%b%b%b" % (b"\n"[: self.begins], self.text.encode(), b"\n"[: self.ends])

    @property
    def spaced(self) -> str:
        """What of a text has it."""
        return f"{' ' * self.begins}{self.text}{' ' * self.ends}"


def _pieces(key: str) -> list[_Piece]:
    """The longest pieces of a key, which has more than blanks."""
    parts = key.split(" ")
    last = len(parts) - 1
    found = [_Piece(part, place > 0, place < last) for place, part in enumerate(parts) if part]
    return sorted(set(found), key=lambda piece: (-len(piece.text), piece))[:PIECES]


def find_texts(
    connection: sqlite3.Connection, numbers: Numbers, mailbox: int, uids: Uids, tests: Sequence[InText]
) -> Iterator[tuple[InText, Found]]:
    """The answers to tests with keys that `is_indexed_key`; ``uids`` are not empty."""
    [upto] = connection.execute("SELECT texts FROM search.state").fetchone()
    if not upto:
        for test in tests:
            yield test, Found((), uids)
        return
    bodies = numbers.bodies(connection, mailbox, uids)
    left_out = {row[0] for row in connection.execute("SELECT body FROM search.left_out")}
    there = set(bodies) - left_out
    if max(bodies) > upto:
        there = {body for body in there if body <= upto}
    there.discard(0)
    passing = passing_bodies(connection, there, tests)
    unknown = array("I")
    if left_out or max(bodies) > upto or not min(bodies):
        unknown.extend(
            uid for uid, body in zip(uids, bodies, strict=True) if body > upto or body in left_out or not body
        )
    for test, its in passing.items():
        yield (
            test,
            Found(array("I", [uid for uid, body in zip(uids, bodies, strict=True) if body in its]), unknown),
        )


def passing_bodies(
    connection: sqlite3.Connection, bodies: set[int], tests: Sequence[InText], schema: str = "search"
) -> dict[InText, set[int]]:
    """For each test, those of the bodies, which have texts, that pass it."""
    if not bodies:
        return {test: set() for test in tests}
    lookup = _Lookup(connection, schema, bodies, {piece for test in tests for piece in _pieces(test.key)})
    passing: dict[InText, set[int]] = {}
    sought: dict[InText, set[int]] = {}
    for test in tests:
        pieces = _pieces(test.key)
        surely: set[int] = set()
        possibly: set[int] | None = None
        for piece in pieces:
            short, others = lookup.with_words(piece, test.headers), lookup.with_long(piece, test.headers)
            if " " not in test.key and short is not None:
                surely = short & bodies
                if others is not None and len(piece.text) <= _EXACT:
                    surely |= others & bodies
                    others = set()
            if short is not None and others is not None:
                its = short | others | lookup.passed_over
                possibly = its if possibly is None else possibly & its
        passing[test] = surely
        sought[test] = (bodies if possibly is None else possibly & bodies) - surely
    for test, its in _verified(
        connection, schema, {test: its for test, its in sought.items() if its}
    ).items():
        passing[test] |= its
    return passing


_EXACT = 3
"""The characters of pieces of which trigrams are exact: they are one, or the beginnings of some."""


class _Lookup:
    """Looks up pieces in the words of some bodies.

    :ivar passed_over: bodies whose vocabularies were not read, because their texts are read in less time.
    """

    def __init__(
        self, connection: sqlite3.Connection, schema: str, bodies: set[int], pieces: Iterable[_Piece]
    ) -> None:
        self._connection = connection
        self._schema = schema
        ordered = sorted(bodies)
        self._rows = 2 * ordered[0], 2 * ordered[-1] + 1
        self._most = _MANY * len(ordered) + 1000
        self.passed_over: set[int] = set()
        firsts: list[int] = []
        for known in vocabularies(connection, ordered[0], ordered[-1], schema):
            its = ordered[bisect_left(ordered, known.first) : bisect_right(ordered, known.last)]
            if len(its) * _WORTH >= known.size:
                firsts.append(known.first)
            else:
                self.passed_over.update(its)
        self._words: dict[_Piece, set[bytes]] = {}
        for piece in pieces:
            text = piece.text.encode()
            if len(text) <= (ASCII_LONG if text.isascii() else LONG):
                self._words[piece] = {text} if piece.begins and piece.ends else set()
        self._read([piece for piece, words in self._words.items() if not words], firsts)
        self._found: dict[tuple[_Piece, bool], set[int] | None] = {}

    def _read(self, pieces: Sequence[_Piece], firsts: Sequence[int]) -> None:
        """Find all words with a piece; one more than `WORDS` at least, if there are too many."""
        if not pieces:
            return
        end = time.monotonic() + AT_A_STRETCH
        for text in read_vocabularies(self._connection, firsts, self._schema):
            for piece in pieces:
                words = self._words[piece]
                pattern = piece.pattern
                at = text.find(pattern)
                while at >= 0 and len(words) <= WORDS:
                    stop = text.index(b"\n", at + len(pattern) - 1)
                    words.add(text[text.rindex(b"\n", 0, at + 1) + 1 : stop])
                    at = text.find(pattern, stop)
                if time.monotonic() > end:
                    pause()
                    end = time.monotonic() + AT_A_STRETCH

    def with_words(self, piece: _Piece, headers: bool) -> set[int] | None:
        """Bodies with a word of a vocabulary that has a piece; None if too many words or messages have it."""
        words = self._words.get(piece, set[bytes]())
        if len(words) > WORDS:
            return None
        if (piece, headers) not in self._found:
            quoted = [_quoted(term) for term in terms(words).split(" ")] if words else []
            queries = [" OR ".join(quoted[at : at + TOGETHER]) for at in range(0, len(quoted), TOGETHER)]
            self._found[piece, headers] = self._matching("postings", queries, headers)
        return self._found[piece, headers]

    def with_long(self, piece: _Piece, headers: bool) -> set[int] | None:
        """Bodies that may have a long word with a piece; None if too many have one, or if it is not known."""
        text = piece.spaced
        if len(text) < 2:
            return None
        if len(text) == 2:
            return self._matching("grams", self._beginning_with(text), headers)
        last = len(text) - 3
        step = max(1, -(-last // (_GRAMS - 1)))
        grams = dict.fromkeys(text[at : at + 3] for at in (*range(0, last, step), last))
        return self._matching("grams", [" AND ".join(map(_quoted, grams))], headers)

    def _beginning_with(self, text: str) -> Iterator[str]:
        """Queries for all trigrams that begin with two characters.

        The two are followed by a third one wherever they are (`TextWords.long`).
        """
        terms = [
            row[0]
            for row in self._connection.execute(
                f"SELECT term FROM {self._schema}.terms WHERE term >= ? AND term < ?",
                (text, text + "\U0010ffff"),
            )
        ]
        for start in range(0, len(terms), _TERMS):
            yield " OR ".join(map(_quoted, terms[start : start + _TERMS]))

    def _matching(self, table: str, queries: Iterable[str], headers: bool) -> set[int] | None:
        """The bodies of the rows that match a query; None if there are too many."""
        [text] = self._connection.execute(
            f"SELECT json_group_array(row) FROM (SELECT {table}.rowid AS row FROM json_each(?)"
            f" CROSS JOIN {self._schema}.{table} ON {table} MATCH json_each.value"
            f" AND {table}.rowid BETWEEN ? AND ?{'' if headers else f' AND {table}.rowid & 1'} LIMIT ?)",
            (json.dumps(list(queries)), *self._rows, 2 * self._most),
        ).fetchone()
        rows = json.loads(text)
        return None if len(rows) == 2 * self._most else {row >> 1 for row in rows}


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _verified(
    connection: sqlite3.Connection, schema: str, sought: dict[InText, set[int]]
) -> dict[InText, set[int]]:
    """For each test, those of its bodies whose texts have the key; each text is read once."""
    unpack = Unpacker(connection, schema).with_dictionary
    after = len(BETWEEN)
    keys = [(test.key.encode(), test.headers, bodies, set[int]()) for test, bodies in sought.items()]
    all_bodies = sorted(set[int]().union(*sought.values()))
    for start in range(0, len(all_bodies), _AT_ONCE):
        for body, header, dictionary, packed in connection.execute(
            f"SELECT body, header_size, dictionary, packed FROM json_each(?) CROSS JOIN {schema}.texts"
            " ON texts.body = json_each.value",
            (json.dumps(all_bodies[start : start + _AT_ONCE]),),
        ):
            text = unpack(dictionary)(packed)
            for key, headers, bodies, found in keys:
                if body in bodies and text.find(key, 0 if headers else header + after) >= 0:
                    found.add(body)
    return {test: found for test, (*_, found) in zip(sought, keys, strict=True)}
