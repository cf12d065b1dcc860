# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""What mirroring knows from one run to the next, in a file of its own.

The file is an SQLite database in WAL mode, one transaction for each step.  It is not synced at each of them:
after a power cut it may be a few steps behind, as after a crash a moment earlier, and every step may be done
again without harm.

Statements are short (`BATCH` rows), because they run in the reactor's thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mailproto.mirroring._seen import SEEN, Seen
from mailproto.mirroring._sides import BATCH, MirrorError

__all__ = ["MailboxState", "MirrorState", "Mirrored", "Pair"]

_VERSION = 2

_LOG_PAGES = 16_384
"""Pages of 4 KB in the log after which they are synced in between: that takes as long as the disk wants."""

_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    validity0 INTEGER NOT NULL DEFAULT 0,
    validity1 INTEGER NOT NULL DEFAULT 0,
    modseq0 INTEGER NOT NULL DEFAULT 0,
    modseq1 INTEGER NOT NULL DEFAULT 0,
    next1 INTEGER NOT NULL DEFAULT 1,
    subscribed INTEGER NOT NULL DEFAULT 0,
    identity0 TEXT NOT NULL DEFAULT '',
    identity1 TEXT NOT NULL DEFAULT '',
    removing TEXT NOT NULL DEFAULT '',
    UNIQUE (source, target)
);
CREATE TABLE pair (
    mailbox INTEGER NOT NULL REFERENCES mailbox,
    uid0 INTEGER NOT NULL,
    uid1 INTEGER NOT NULL,
    flags TEXT NOT NULL,
    PRIMARY KEY (mailbox, uid0)
) WITHOUT ROWID;
CREATE UNIQUE INDEX pair_target ON pair (mailbox, uid1);
"""

_TO_VERSION_2 = """
ALTER TABLE mailbox ADD COLUMN identity0 TEXT NOT NULL DEFAULT '';
ALTER TABLE mailbox ADD COLUMN identity1 TEXT NOT NULL DEFAULT '';
ALTER TABLE mailbox ADD COLUMN removing TEXT NOT NULL DEFAULT '';
"""

Pair = tuple[int, int, str]
"""The UIDs of a message on both sides, and the flags on which they have agreed."""


class Mirrored(NamedTuple):
    """A pair of mailboxes that was mirrored before: the source's, and the target's.

    :ivar identity: their permanent ids (RFC 8474); "" if they have none.
    :ivar removing: under which name one of them is being removed; "" if none is.
    """

    id: int
    names: tuple[str, str]
    identity: tuple[str, str]
    validity: tuple[int, int]
    removing: str


class MirrorState:
    """The state of all mailboxes of one pair of accounts.  To open it may block, as `close` does.

    :param path: the file; it is made if there is none.
    :param between: what is mirrored, in any words; it must be the same each time.  ``""`` for anything.
    :param dry_run: change nothing in the file.
    :raises MirrorError: the file is in use, or is another one.
    :raises OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], between: str = "", *, dry_run: bool = False) -> None:
        path = os.fspath(path)
        self.has_compared = True  # whether this run has looked behind all names, or there is only one
        self._database = _opened(path, dry_run=dry_run)
        try:
            self._prepare(path, between)
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise _wrong(path, error) from None
        except BaseException:
            self._database.close()
            raise

    def _prepare(self, path: str, between: str) -> None:
        database = self._database
        database.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;")
        database.executescript("PRAGMA synchronous = NORMAL; PRAGMA temp_store = FILE;")
        database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        database.execute("BEGIN EXCLUSIVE")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        is_new = version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new and version not in (1, _VERSION):
            raise MirrorError(f"{path} is no state of mirroring, or of another version")
        for statement in (_SCHEMA if is_new else _TO_VERSION_2 if version == 1 else "").split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("INSERT OR IGNORE INTO about VALUES ('between', ?)", (between,))
        [known] = database.execute("SELECT value FROM about WHERE name = 'between'").fetchone()
        if between and not known:
            database.execute("UPDATE about SET value = ? WHERE name = 'between'", (between,))
        elif between and known != between:
            raise MirrorError(f"{path} is the state of {known}, not of {between}")
        # The first write of a run syncs its new log: now, because whoever opens this waits for the disk.
        database.execute("UPDATE about SET value = value")
        database.execute("COMMIT")
        database.executescript(SEEN)

    def close(self) -> None:
        """Close the file; it blocks until all is on disk."""
        self._database.close()

    def names(self) -> dict[str, str]:
        """The target's names of the mailboxes that were mirrored before, by the source's."""
        return dict(self._database.execute("SELECT source, target FROM mailbox"))

    def mirrored(self) -> list[Mirrored]:
        """What is known of all mailboxes that were mirrored before, by name."""
        rows = self._database.execute(
            "SELECT id, source, target, identity0, identity1, validity0, validity1, removing FROM mailbox"
            " ORDER BY source, target"
        )
        return [Mirrored(row[0], row[1:3], row[3:5], row[5:7], row[7]) for row in rows]

    def rename(self, id_: int, names: tuple[str, str]) -> None:
        """A mailbox has these names now."""
        self._database.execute("UPDATE mailbox SET source = ?, target = ? WHERE id = ?", (*names, id_))

    def rename_all(self, names: Mapping[int, tuple[str, str]]) -> None:
        """Mailboxes have these names now, and may have exchanged them."""
        self._database.execute("BEGIN")
        for statement, rows in (
            ("UPDATE mailbox SET source = '\t' || id WHERE id = ?", [(id_,) for id_ in names]),
            (
                "UPDATE mailbox SET source = ?, target = ? WHERE id = ?",
                [(*two, id_) for id_, two in names.items()],
            ),
        ):
            self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def note_removing(self, id_: int, name: str) -> None:
        """A mailbox is being removed under this name; "" if it is not."""
        self._database.execute("UPDATE mailbox SET removing = ? WHERE id = ?", (name, id_))

    def forget(self, id_: int) -> None:
        """Nothing is known of a mailbox any more."""
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM pair WHERE mailbox = ?", (id_,))
        self._database.execute("DELETE FROM mailbox WHERE id = ?", (id_,))
        self._database.execute("COMMIT")

    def last_pairs(self, id_: int, count: int) -> list[tuple[int, int]]:
        """UIDs on both sides of the last messages."""
        return self._database.execute(
            "SELECT uid0, uid1 FROM pair WHERE mailbox = ? ORDER BY uid0 DESC LIMIT ?", (id_, count)
        ).fetchall()

    def known_uids(self, id_: int, side: int, low: int, high: int) -> list[int]:
        """The UIDs of one side, in a range, of messages that were on both."""
        rows = self._database.execute(
            f"SELECT uid{side} FROM pair WHERE mailbox = ? AND uid{side} BETWEEN ? AND ?", (id_, low, high)
        )
        return [uid for [uid] in rows]

    def mailbox(self, source: str, target: str) -> MailboxState:
        """The state of a pair of mailboxes."""
        names = (source, target)
        self._database.execute("INSERT OR IGNORE INTO mailbox (source, target) VALUES (?, ?)", names)
        row = self._database.execute("SELECT id FROM mailbox WHERE source = ? AND target = ?", names)
        return MailboxState(self._database, row.fetchone()[0])


class MailboxState(Seen):
    """The state of a pair of mailboxes: 0 is the source, 1 the target."""

    def __init__(self, database: sqlite3.Connection, id_: int) -> None:
        super().__init__(database, id_)
        row = self._row(
            "SELECT validity0, validity1, modseq0, modseq1, next1, subscribed, identity0, identity1"
            " FROM mailbox WHERE id = ?",
            id_,
        )
        self.validity: tuple[int, int] = (row[0], row[1])
        self.modseqs: tuple[int, int] = (row[2], row[3])
        self.next_target: int = row[4]
        self.is_subscribed = bool(row[5])
        self.identities: tuple[str, str] = (row[6], row[7])

    # -- kept

    def begin_anew(self, validity: tuple[int, int]) -> None:
        """Forget what is known: UIDs have another meaning now."""
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM pair WHERE mailbox = ?", (self._id,))
        self._database.execute(
            "UPDATE mailbox SET validity0 = ?, validity1 = ?, modseq0 = 0, modseq1 = 0, next1 = 1"
            " WHERE id = ?",
            (*validity, self._id),
        )
        self._database.execute("COMMIT")
        self.validity, self.modseqs, self.next_target = validity, (0, 0), 1

    def note_identity(self, ids: tuple[str, str]) -> None:
        """By what the mailboxes will be known when they have other names."""
        self._database.execute(
            "UPDATE mailbox SET identity0 = ?, identity1 = ? WHERE id = ?", (*ids, self._id)
        )

    def note_next(self, uid: int) -> None:
        """All messages of the target below ``uid`` are known: what is appended from now on is not."""
        self._database.execute("UPDATE mailbox SET next1 = ? WHERE id = ?", (uid, self._id))
        self.next_target = uid

    def finish(self, modseqs: tuple[int, int]) -> None:
        """All changes up to these modseqs are on both sides."""
        self._database.execute(
            "UPDATE mailbox SET modseq0 = ?, modseq1 = ? WHERE id = ?", (*modseqs, self._id)
        )
        self.modseqs = modseqs

    def note_subscribed(self, is_subscribed: bool) -> None:
        """Both sides agree on the subscription."""
        self._database.execute("UPDATE mailbox SET subscribed = ? WHERE id = ?", (is_subscribed, self._id))
        self.is_subscribed = is_subscribed

    def add(self, pairs: Iterable[Pair]) -> None:
        """These messages are on both sides."""
        self._many("INSERT OR IGNORE INTO pair VALUES (?, ?, ?, ?)", [(self._id, *pair) for pair in pairs])

    def agree(self, rows: Iterable[tuple[str, int]]) -> None:
        """Both sides agree on these flags of the source's messages."""
        self._many(
            "UPDATE pair SET flags = ? WHERE mailbox = ? AND uid0 = ?",
            [(flags, self._id, uid) for flags, uid in rows],
        )

    def forget(self, sources: Iterable[int]) -> None:
        """These messages of the source are on neither side."""
        self._many("DELETE FROM pair WHERE mailbox = ? AND uid0 = ?", [(self._id, uid) for uid in sources])

    def pairs(self, side: int) -> Iterator[list[Pair]]:
        """All pairs by the UIDs of one side, in pages."""
        last = 0
        while rows := self._rows(
            f"SELECT uid0, uid1, flags FROM pair WHERE mailbox = ? AND uid{side} > ?"
            f" ORDER BY uid{side} LIMIT {BATCH}",
            self._id,
            last,
        ):
            yield rows
            last = rows[-1][side]

    def pairs_between(self, side: int, low: int, high: int) -> list[Pair]:
        """The first pairs with UIDs of one side in a range."""
        return self._rows(
            f"SELECT uid0, uid1, flags FROM pair WHERE mailbox = ? AND uid{side} BETWEEN ? AND ?"
            f" ORDER BY uid{side} LIMIT {BATCH}",
            self._id,
            low,
            high,
        )


def _opened(path: str, *, dry_run: bool) -> sqlite3.Connection:
    try:
        if not dry_run:
            # `close`, which syncs, may be called in a thread.
            return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if os.path.exists(path):
            kept = sqlite3.connect(path, timeout=0, isolation_level=None)
            try:
                kept.backup(copy)
            finally:
                kept.close()
        return copy
    except sqlite3.DatabaseError as error:
        raise _wrong(path, error) from None


def _wrong(path: str, error: sqlite3.Error) -> MirrorError:
    if "locked" in str(error):
        return MirrorError(f"{path} is in use: mirroring runs already")
    return MirrorError(f"{path} cannot be used as the state of mirroring: {error}")
