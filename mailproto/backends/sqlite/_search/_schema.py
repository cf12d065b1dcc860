# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""The tables of the search index, and the opening of its file."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from hashlib import blake2b

from mailproto.backends.sqlite._schema import BUSY_TIMEOUT, statements
from mailproto.message import FINDING_VERSION

__all__ = [
    "COLUMNS",
    "FILES",
    "MARKED",
    "SUFFIX",
    "begin_anew_if_replaced",
    "clear",
    "clear_texts",
    "connect_index",
    "connect_without_index",
    "gram_rows",
    "mark",
    "open_index",
    "remove_index",
    "transaction",
]

SUFFIX = "-search"
"""What the name of the index's file has after the database's."""

FILES = ("", "-wal", "-shm")
"""What the names of all files of the index end with after that, but for an empty one, the lock."""

APPLICATION_ID = 0x6D707273  # "mprs"

VERSION = 1000 * 2 + FINDING_VERSION
"""An index of another version is built anew."""

CACHE_KIB = 8 * 1024

PAGE_SIZE = 16_384

_MARKS = 10
"""Bodies that are compared when the index is opened."""

LOG_OCTETS = 8 << 20
"""The usual length of the write-ahead log; each time it is copied, the builder waits for the disk."""

COLUMNS = (
    "from_",
    "to_",
    "cc",
    "bcc",
    "subject",
    "message_id",
    "day",
    "sent",
    "base_subject",
    "is_reply",
    "sort_from",
    "sort_to",
    "sort_cc",
    "display_from",
    "display_to",
    "id",
    "ancestors",
)
"""The columns of header values, in the order of `mailproto.message.HeaderValues`."""

_TABLES = f"""
-- Every body with an id up to these was looked at.  ``epoch`` changes when everything is built anew.
CREATE TABLE state (
    epoch INTEGER NOT NULL, headers INTEGER NOT NULL, texts INTEGER NOT NULL,
    has_texts INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0, 0, 1);
CREATE TABLE headers (
    body INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL,  -- see `mark`
    {", ".join(COLUMNS)}
);
"""

_TOKEN = "".join(chr(octet) for octet in range(1, 128) if not chr(octet).isspace() or 28 <= octet < 32)
"""The characters of ASCII that words may have."""

_WORDS = "ascii tokenchars " + "'" + _TOKEN.replace("'", "''") + "'"

# With detail=none, a row tells which words or trigrams a text has, but not where.  A text is a row: 2 * body
# is the header, 2 * body + 1 the body.
_TEXTS = f"""
CREATE TABLE texts (
    body INTEGER PRIMARY KEY,
    header_size INTEGER NOT NULL,  -- octets
    size INTEGER NOT NULL,  -- octets of both texts
    dictionary INTEGER NOT NULL,  -- with which it is packed; 0 for none
    packed BLOB NOT NULL  -- by zstd: the text of the header, BETWEEN, and the text of the body
);
CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE left_out (body INTEGER PRIMARY KEY);  -- that has too much text, or cannot be read
CREATE TABLE vocabularies (  -- see `_words.Vocabulary`
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, messages INTEGER NOT NULL,
    size INTEGER NOT NULL, packed BLOB NOT NULL
);
CREATE VIRTUAL TABLE postings USING fts5(
    words, content='', detail=none, columnsize=0, tokenize="{_WORDS.replace('"', '""')}"
);
CREATE VIRTUAL TABLE grams USING fts5(
    text, content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE terms USING fts5vocab(grams, row);
"""


def gram_rows(body: int) -> tuple[int, int]:
    """The rows of a body's header and body in ``postings`` and ``grams``."""
    return 2 * body, 2 * body + 1


def open_index(path: str, *, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open the index to change it; made if it is missing, damaged, or of another version.

    :raises sqlite3.Error, OSError:
    """
    for is_last in (False, True):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            if _prepare(connection):
                return connection
        except sqlite3.DatabaseError as error:
            connection.close()
            if is_last or isinstance(error, sqlite3.OperationalError):
                raise
        connection.close()
        remove_index(path)
    raise sqlite3.DatabaseError(f"{path} cannot be made")


def _prepare(connection: sqlite3.Connection) -> bool:
    """Make the tables in a new file; returns False if it is not an index of this version."""
    # What a power cut takes is made again.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_OCTETS // PAGE_SIZE}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_OCTETS}")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in statements(_TABLES + _TEXTS):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return bool(application == APPLICATION_ID and version == VERSION)


def remove_index(path: str) -> None:
    """Remove the files of the index."""
    for end in FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + end)


def connect_index(database: str, path: str) -> sqlite3.Connection:
    """Open the store's database and, as ``search``, the index, for reading.

    :raises sqlite3.Error, OSError:
    """
    connection = sqlite3.connect(
        database, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        index = open_index(path)
        try:
            begin_anew_if_replaced(connection, index)
        finally:
            index.close()
        _attach(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_without_index(database: str) -> sqlite3.Connection:
    """The same with an empty index.

    :raises sqlite3.Error:
    """
    connection = sqlite3.connect(
        database, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        _attach(connection, ":memory:")
        connection.execute("PRAGMA query_only = OFF")
        for statement in statements(_TABLES):
            connection.execute(
                statement.replace(" TABLE ", " TABLE search.").replace(" INTO ", " INTO search.")
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("ATTACH ? AS search", (path,))
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA main.cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA search.cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")


def clear(connection: sqlite3.Connection) -> None:
    """Begin anew, within a transaction."""
    connection.execute("DELETE FROM headers")
    clear_texts(connection)
    connection.execute("UPDATE state SET epoch = epoch + 1, headers = 0, texts = 0")


def clear_texts(connection: sqlite3.Connection) -> None:
    """Remove all texts, within a transaction."""
    for table in ("texts", "left_out", "dictionaries", "vocabularies"):
        connection.execute(f"DELETE FROM {table}")
    for table in ("postings", "grams"):
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('delete-all')")
    connection.execute("UPDATE state SET texts = 0")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that changes the index."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def begin_anew_if_replaced(main: sqlite3.Connection, index: sqlite3.Connection) -> None:
    """Empty an index that knows other bodies than the store.

    A store that was replaced by an older copy of it gives ids again, to other bodies.
    """
    [last] = index.execute("SELECT headers FROM state").fetchone()
    [given] = main.execute("SELECT last FROM object_ids").fetchone()
    marks = {
        id_: mark(*values)
        for id_, *values in main.execute(
            f"SELECT id, {MARKED} FROM bodies WHERE id <= ? ORDER BY id DESC LIMIT ?", (last, _MARKS)
        )
    }
    known = dict(
        index.execute(
            "SELECT body, mark FROM headers WHERE body IN (SELECT value FROM json_each(?))",
            (json.dumps(list(marks)),),
        ).fetchall()
    )
    if last > given or any(known.get(body, its) != its for body, its in marks.items()):
        with transaction(index):
            clear(index)


MARKED = (
    "coalesce(substr(envelope, -100), x'') AS envelope, coalesce(substr(offsets, 1, 100), x'') AS offsets"
)
"""What is marked of a body: the last of its envelope is its Message-ID.

What only the queue has was not read, and SQLite's substr makes NULL of no octets."""


def mark(envelope: bytes, offsets: bytes) -> int:
    """What tells a body from another one with its id."""
    hashed = blake2b(b"%b\0%b" % (envelope, offsets), digest_size=7)
    return int.from_bytes(hashed.digest(), "big")
