# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Makes what the index has of a body: header values, and packed texts."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import zstandard

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._contents import OCTETS
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._search._schema import gram_rows
from mailproto.backends.sqlite._search._words import TextWords, add_vocabularies, revise_vocabularies, terms
from mailproto.content import Octets
from mailproto.message import (
    RENDER_VERSION,
    HeaderValues,
    Index,
    SearchTexts,
    Steps,
    header_values_steps,
    scan_steps,
    search_texts_steps,
)

__all__ = [
    "BETWEEN",
    "EMPTY",
    "SAMPLES",
    "BodyContent",
    "PackedText",
    "Packer",
    "Unpacker",
    "finished",
    "insert_texts",
    "pause",
    "read_bodies",
    "remove_bodies",
    "storable",
]

BETWEEN = b"\n"

EMPTY: HeaderValues = HeaderValues(
    None, None, None, None, None, None, None, None, "", False, "", "", "", "", "", 0, b""
)
"""The values of a body that cannot be read."""

_LEVEL = 3

DICTIONARY_OCTETS = 1 << 16

SAMPLES = 200
"""Texts of which a dictionary is made."""

_SAMPLE = 1 << 14  # octets of each


class Packer:
    """Compresses texts with the store's dictionary, which saves a third; made of its own first texts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT max(id), octets FROM dictionaries").fetchone()
        self._use(row[0] or 0, row[1])

    def _use(self, number: int, octets: bytes | None) -> None:
        self.dictionary = number
        made = None if octets is None else zstandard.ZstdCompressionDict(octets)
        self._compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=made).compress

    def learn(self, texts: Sequence[SearchTexts]) -> None:
        """Make a dictionary of enough texts, within a transaction."""
        samples: list[bytes | bytearray | memoryview[int]] = []
        for each in texts:
            samples.extend((each.header.encode()[:_SAMPLE], each.body.encode()[:_SAMPLE]))
        try:
            octets = zstandard.train_dictionary(DICTIONARY_OCTETS, samples).as_bytes()
        except zstandard.ZstdError:  # they are too few, or too much alike
            octets = b""
        if octets:
            self._connection.execute("INSERT INTO dictionaries VALUES (1, ?)", (octets,))
            self._use(1, octets)

    def pack(self, body: int, texts: SearchTexts) -> PackedText:
        """Compress the texts of a body, and find their words."""
        first, second = texts.header.encode(), texts.body.encode()
        whole = first + BETWEEN + second
        row = body, len(first), len(whole), self.dictionary, self._compress(whole)
        return PackedText(body, (TextWords.of(first), TextWords.of(second)), row)


class Unpacker:
    """Decompresses texts; for one thread at a time.

    :param schema: the index's name in the connection.
    """

    def __init__(self, connection: sqlite3.Connection, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._made = {0: zstandard.ZstdDecompressor().decompress}

    def with_dictionary(self, number: int) -> Callable[[bytes], bytes]:
        """The function that unpacks texts with a dictionary."""
        unpack = self._made.get(number)
        if unpack is None:
            [octets] = self._connection.execute(
                f"SELECT octets FROM {self._schema}.dictionaries WHERE id = ?",
                (number,),
            ).fetchone()
            made = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(octets))
            unpack = self._made[number] = made.decompress
        return unpack

    def texts(self, first: int, last: int) -> Iterator[tuple[bytes, bytes]]:
        """The texts of the headers and bodies from body ``first`` to ``last``."""
        for size, dictionary, octets in self._connection.execute(
            f"SELECT header_size, dictionary, packed FROM {self._schema}.texts WHERE body BETWEEN ? AND ?",
            (first, last),
        ):
            whole = self.with_dictionary(dictionary)(octets)
            yield whole[:size], whole[size + len(BETWEEN) :]


class BodyContent(NamedTuple):
    """A body as it is in the database.

    :ivar octets: None if they are in ``file``.
    """

    id: int
    file: str | None
    octets: bytes | None
    offsets: bytes
    rendered: int

    @contextmanager
    def open(self, bodies: Bodies) -> Iterator[Octets]:
        """Its content, which is closed at the end.

        What reads a content may stand in circles, which keep it, and a removed file's room on the disk, until
        the collector comes.

        :raises OSError: it is lost.
        """
        if self.file is None:
            if self.octets is None:
                raise OSError(f"body {self.id} is empty")
            yield self.octets
            return
        content = bodies.whole(self.file)
        try:
            yield content
        finally:
            content.close()

    def parts(self, content: Octets) -> Steps[Index]:
        """Its parts.  :raises OSError: it is lost."""
        if self.rendered >= RENDER_VERSION:
            return (yield from Index.load_steps(self.offsets))
        return (yield from scan_steps(content))

    def values(self, bodies: Bodies) -> Steps[HeaderValues]:
        """Its header values; `EMPTY` if it is lost."""
        try:
            with self.open(bodies) as content:
                index = yield from self.parts(content)
                return (yield from header_values_steps(content, index))
        except (OSError, ValueError):
            return EMPTY

    def texts(self, bodies: Bodies) -> Steps[SearchTexts | None]:
        """Its texts; None if there are too many, or if it is lost."""
        try:
            with self.open(bodies) as content:
                texts = yield from search_texts_steps(content, (yield from self.parts(content)))
        except (OSError, ValueError):
            return None
        return texts and SearchTexts(*map(storable, texts))


def read_bodies(connection: sqlite3.Connection, ids: Sequence[int]) -> list[BodyContent]:
    """Those of the bodies that are there, as one row, because each row gives up the interpreter lock."""
    [text, joined] = connection.execute(
        "SELECT json_group_array(json_array(id, file, length(octets), hex(offsets), rendered))"
        ", CAST(group_concat(CAST(octets AS TEXT), '') AS BLOB) FROM"
        f" (SELECT bodies.id AS id, file, {OCTETS} AS octets, offsets, rendered FROM json_each(?)"
        " CROSS JOIN bodies ON bodies.id = json_each.value"
        " LEFT JOIN contents ON contents.body = bodies.id)",
        (json.dumps(ids),),
    ).fetchone()
    found: list[BodyContent] = []
    at = 0
    for id_, file, size, offsets, rendered in json.loads(text):
        octets = None
        if size is not None:
            octets = joined[at : at + size]
            at += size
        found.append(BodyContent(id_, file, octets, bytes.fromhex(offsets), rendered))
    return found


class PackedText(NamedTuple):
    """The words of a body's texts, of its header first, and its row of ``texts``."""

    body: int
    words: tuple[TextWords, TextWords]
    row: tuple[int, int, int, int, bytes]


def storable(text: str) -> str:
    """SQLite's texts have no lone surrogates; nor do keys."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def insert_texts(connection: sqlite3.Connection, made: Sequence[PackedText]) -> None:
    """Add texts, within a transaction."""
    insert(
        connection.execute,
        "INSERT OR REPLACE INTO texts (body, header_size, size, dictionary, packed)",
        [each.row for each in made],
    )
    for table, rows in _rows([(each.body, each.words) for each in made]):
        insert(connection.execute, f"INSERT INTO {table}", rows)
    add_vocabularies(connection, [(each.body, [text.short for text in each.words]) for each in made])


def _rows(
    made: Iterable[tuple[int, tuple[TextWords, TextWords]]],
) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """The rows for words, by their tables."""
    pairs = [pair for body, words in made for pair in zip(gram_rows(body), words, strict=True)]
    yield "postings (rowid, words)", [(row, terms(words.short)) for row, words in pairs if words.short]
    yield "grams (rowid, text)", [(row, words.long) for row, words in pairs if words.long]


def remove_bodies(connection: sqlite3.Connection, bodies: Sequence[int]) -> None:
    """Remove what the index has of bodies, which are some, ascending, within a transaction."""
    texts = Unpacker(connection, "main").texts
    for body in bodies:
        for first, second in list(texts(body, body)):
            words = TextWords.of(first), TextWords.of(second)
            for into, rows in _rows([(body, words)]):
                table, _, columns = into.partition(" (")
                for row in rows:
                    connection.execute(
                        f"INSERT INTO {table} ({table}, {columns} VALUES ('delete', ?, ?)", row
                    )
        for table in ("texts", "left_out", "headers"):
            connection.execute(f"DELETE FROM {table} WHERE body = ?", (body,))
    revise_vocabularies(
        connection, bodies, lambda first, last: (text for pair in texts(first, last) for text in pair)
    )


def pause() -> None:
    """Let the reactor's thread go on, if it waits for the interpreter lock."""
    time.sleep(0)


AT_A_STRETCH = 0.001
"""Seconds of work between two pauses: after each, a busy reactor may keep the interpreter lock for 5 ms."""


def finished(steps: Steps[Any], pause: Callable[[], None] = pause) -> Any:
    """The result of steps, between which others may have the interpreter lock now and then."""
    end = time.monotonic() + AT_A_STRETCH
    try:
        while True:
            next(steps)
            if time.monotonic() > end:
                pause()
                end = time.monotonic() + AT_A_STRETCH
    except StopIteration as done:
        return done.value
