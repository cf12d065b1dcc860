"""The tables, their versions, and the opening of the database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from twisted.logger import Logger

from mailproto.backends.sqlite._add_on_schema import ADD_ONS
from mailproto.backends.sqlite._contents import TABLES as CONTENT_RESTS
from mailproto.backends.sqlite._joining import join_accounts
from mailproto.backends.sqlite._queue_schema import DEADLINES, LESSEES, QUEUE
from mailproto.backends.sqlite._threads import give_threads
from mailproto.errors import StoreUnusable

__all__ = ["APPLICATION_ID", "BUSY_TIMEOUT", "MIGRATIONS", "connect", "is_earlier", "prepare", "statements"]

APPLICATION_ID = 0x6D70726F  # "mpro"
"""Marks mailproto databases (PRAGMA application_id)."""

BUSY_TIMEOUT = 10.0
"""Seconds for which a transaction waits for another process' transaction."""

BUSY_PAUSE = 0.02
"""Seconds between checks whether a new database is free."""

CACHE_KIB = 16 * 1024
"""Page cache of each connection: the inner nodes of a million messages' tables fit."""

LOG_OCTETS = 64 << 20
"""The log's usual length in octets; a start after a crash reads the whole log.

The log starts again at half this length, and a longer log is truncated to this length.
"""

MAX_LOG = 2 * LOG_OCTETS
"""The log's length in octets at which the writer itself copies it into the database."""

PAGE_SIZE = 4096
"""Octets of a new database's pages: a commit writes whole pages, a dozen for a message (see `_contents`)."""


_FIRST = """
-- Deleted accounts' and mailboxes' ids never return (AUTOINCREMENT): who still holds one learns
-- that it is gone.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folded TEXT NOT NULL UNIQUE,  -- `mailproto.accounts.account_key` of the name
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL
);
CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    name TEXT NOT NULL,
    special_use TEXT,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    unclaimed INTEGER NOT NULL DEFAULT 1,  -- the first UID that no session has seen as recent
    modseq INTEGER NOT NULL DEFAULT 1,
    forgotten INTEGER NOT NULL DEFAULT 0,  -- tombstones up to this modseq may be missing
    -- Of the rows in messages, kept with them, so that STATUS reads one row:
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    recent INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, name)
);
CREATE TABLE subscriptions (
    account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, name)
) WITHOUT ROWID;
-- The largest UIDVALIDITY of mailboxes that are no longer called so.
CREATE TABLE retired (
    account INTEGER NOT NULL, name TEXT NOT NULL, uid_validity INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE validity (last INTEGER NOT NULL);
INSERT INTO validity VALUES (0);

-- Narrow rows, because STORE rewrites them: 10,000 are 80 pages.
CREATE TABLE messages (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    flags INTEGER NOT NULL,  -- the system flags' bits
    keywords TEXT NOT NULL,  -- sorted, one space between
    modseq INTEGER NOT NULL,
    internal_date INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX messages_changed ON messages (mailbox, modseq);
-- UIDs that are gone, in runs.
CREATE TABLE vanished (
    mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;

-- What IMAP asks for most, ready to send, close together; the octets elsewhere.
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,  -- rows of messages and of queued that name it
    file TEXT,  -- in the folder of bodies; NULL: the octets are in contents
    envelope BLOB NOT NULL,
    body_structure BLOB NOT NULL,
    offsets BLOB NOT NULL
);
CREATE INDEX bodies_unused ON bodies (id) WHERE refs = 0;
CREATE INDEX bodies_files ON bodies (file) WHERE file IS NOT NULL;
CREATE TABLE contents (body INTEGER PRIMARY KEY, octets BLOB NOT NULL);
"""

_REVISIONS = """
ALTER TABLE accounts ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE directory (revision INTEGER NOT NULL);  -- the largest that an account had
INSERT INTO directory VALUES (0);
"""

_OBJECTS = """
-- The last id that was given to a body or a thread: they never return, so that they can be EMAILID and
-- THREADID (RFC 8474).
CREATE TABLE object_ids (last INTEGER NOT NULL);
INSERT INTO object_ids SELECT coalesce(max(id), 0) FROM bodies;

-- Of the last change in any mailbox of the account, or of the list of them.
ALTER TABLE accounts ADD COLUMN modseq INTEGER NOT NULL DEFAULT 0;
UPDATE accounts SET modseq = (
    SELECT coalesce(max(mailboxes.modseq), 0) FROM mailboxes WHERE account = accounts.id
);

-- The `RENDER_VERSION` of envelope, body_structure and offsets.
ALTER TABLE bodies ADD COLUMN rendered INTEGER NOT NULL DEFAULT 0;

ALTER TABLE messages ADD COLUMN thread INTEGER NOT NULL DEFAULT 0;
CREATE TABLE threads (
    id INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,  -- rows of messages that name it
    keys BLOB NOT NULL  -- those in thread_keys, and some that lead elsewhere by now; 8 octets each
);
CREATE INDEX threads_unused ON threads (id) WHERE messages = 0;
-- Where a message that comes may belong.  A key is an account's id, and below it the 40 bits of
-- `mailproto.backends._threading`: one integer, so that the table is as small and as fast as can be.
CREATE TABLE thread_keys (key INTEGER PRIMARY KEY, thread INTEGER NOT NULL);
"""

_LONG_CHANGES = """
-- Changes of many messages that are under way, or that a crash interrupted.
CREATE TABLE long_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    mailbox INTEGER NOT NULL,
    target INTEGER,  -- where messages are copied or moved to
    arguments TEXT NOT NULL,  -- of STORE, as JSON
    uids BLOB NOT NULL  -- 32 bits each
);
-- Apart from the UIDs, because it is rewritten with each slice.
CREATE TABLE long_changes_progress (
    id INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,  -- the greatest UID that is done
    copied TEXT NOT NULL  -- runs of UIDs in the target, as JSON
);
CREATE TABLE discarded (mailbox INTEGER PRIMARY KEY);  -- deleted ones whose messages are still there
ALTER TABLE mailboxes ADD COLUMN tombstones INTEGER NOT NULL DEFAULT 0;  -- rows in vanished
UPDATE mailboxes SET tombstones = (SELECT count(*) FROM vanished WHERE mailbox = mailboxes.id);
"""

_OWNERS = """
-- The process that is at work on a change: its name among `Peers`.
ALTER TABLE long_changes ADD COLUMN owner TEXT NOT NULL DEFAULT '';
"""

_NAMES = """
-- How many names of a kind an account has, and their octets, so that limits cost nothing to check.  Triggers
-- keep it; the kinds are tables.
CREATE TABLE names (
    account INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, octets INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) WITHOUT ROWID;
CREATE TRIGGER mailboxes_renamed AFTER UPDATE OF name ON mailboxes BEGIN
    UPDATE names SET octets = octets + length(CAST(new.name AS BLOB)) - length(CAST(old.name AS BLOB))
        WHERE account = new.account AND kind = 'mailboxes';
END;
"""

_NAMES_OF_A_KIND = """
INSERT INTO names
    SELECT account, 'KIND', count(*), sum(length(CAST(name AS BLOB))) FROM KIND GROUP BY account;
CREATE TRIGGER KIND_added AFTER INSERT ON KIND BEGIN
    INSERT INTO names VALUES (new.account, 'KIND', 1, length(CAST(new.name AS BLOB)))
        ON CONFLICT DO UPDATE SET number = number + 1, octets = octets + excluded.octets;
END;
CREATE TRIGGER KIND_removed AFTER DELETE ON KIND BEGIN
    UPDATE names SET number = number - 1, octets = octets - length(CAST(old.name AS BLOB))
        WHERE account = old.account AND kind = 'KIND';
END;
"""

Step: TypeAlias = str | Callable[[sqlite3.Connection], Iterable[str]]
"""SQL, or a function that does the step and returns lines for the operator; all steps are one
transaction."""

_ZONES = """
-- Of internal_date, in minutes east of UTC.
ALTER TABLE messages ADD COLUMN zone INTEGER NOT NULL DEFAULT 0;
"""

SHARING = """
-- Rises when what anyone may see of others' mailboxes may have changed.
ALTER TABLE directory ADD COLUMN sharing INTEGER NOT NULL DEFAULT 0;
"""

MIGRATIONS: Sequence[Step] = (
    _FIRST,
    _REVISIONS,
    join_accounts,
    _OBJECTS,
    give_threads,
    _LONG_CHANGES,
    _OWNERS,
    QUEUE,
    _NAMES
    + "".join(_NAMES_OF_A_KIND.replace("KIND", kind) for kind in ("mailboxes", "subscriptions", "retired")),
    ADD_ONS,
    LESSEES,
    DEADLINES,
    _ZONES,
    CONTENT_RESTS,
    SHARING,
)
"""Step n turns version n into version n + 1; version 0 is an empty file."""

_log = Logger()


def connect(path: str, *, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open a connection without automatic transactions."""
    # The reader is made in one thread and used in another, but never in two at the same time.
    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_OCTETS}")
    # FAST overwrites deleted data only in pages that are written anyway; Debian's default doubles the
    # writes of EXPUNGE.
    connection.execute("PRAGMA secure_delete = FAST")
    # Usually `Checkpoints` copies the log before this limit.
    connection.execute(f"PRAGMA wal_autocheckpoint = {MAX_LOG // _pragma(connection, 'page_size')}")
    return connection


def prepare(path: str, migrations: Sequence[Step] = MIGRATIONS) -> None:
    """Make the database, or migrate it to the present version; the reports of the steps are logged.

    :raises StoreUnusable: the database cannot be used; it has not been changed.
    :raises sqlite3.Error: the database cannot be read or written.
    """
    # Only for a new file: closing a file that a store in this process has open would end SQLite's locks.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    try:
        reports = _migrate(connection, path, migrations)
    finally:
        connection.close()
    for report in reports:
        _log.warn("{path}: {report}", path=path, report=report)


def is_earlier(path: str, migrations: Sequence[Step] = MIGRATIONS) -> bool:
    """Whether there is a mailproto database of an earlier version.

    :raises sqlite3.Error: when it cannot be read.
    """
    if not os.path.exists(path):
        return False
    connection = connect(path)
    try:
        return _pragma(connection, "application_id") == APPLICATION_ID and _pragma(
            connection, "user_version"
        ) < len(migrations)
    finally:
        connection.close()


def _migrate(connection: sqlite3.Connection, path: str, migrations: Sequence[Step]) -> list[str]:
    reports: list[str] = []
    # The file remembers WAL mode.  Setting it needs exclusive access, so it is set only once.
    if _is_new(connection, path):
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        _switch_to_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Checked again: now no other process can be migrating it.
        if _pragma(connection, "application_id") not in {0, APPLICATION_ID}:
            raise StoreUnusable(f"{path} is a database of something else; choose another place")
        version = _pragma(connection, "user_version")
        if version > len(migrations):
            raise StoreUnusable(
                f"{path} has schema version {version}; "
                f"this mailproto knows up to {len(migrations)}: use a newer one"
            )
        for step in migrations[version:]:
            if callable(step):
                reports += step(connection)
                continue
            for statement in statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full or failing disk may have ended the transaction
            connection.execute("ROLLBACK")
        raise
    return reports


def _is_new(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file is empty.  :raises StoreUnusable: it is another program's database."""
    connection.execute("BEGIN")  # so that all statements see one state
    try:
        if _pragma(connection, "application_id"):
            return False
        if _pragma(connection, "user_version") or _tables(connection):
            raise StoreUnusable(f"{path} is a database of something else; choose another place")
        return True
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Set WAL mode, and wait for processes that do the same: SQLite itself waits only for transactions."""
    end = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(BUSY_PAUSE)


def statements(script: str) -> list[str]:
    """The statements of a script."""
    # executescript would commit first; comments may have semicolons.
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
