"""What `fetch_new` remembers: which messages of a mailbox are kept, and what it was about to keep."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from mailproto.fetching._database import StateFile

__all__ = ["FetchState", "Intent", "Known", "Note"]

REMOVED_DAYS: Final = 90
"""Days for which a message is remembered that the server has removed: it may come back, from a backup."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, size INTEGER NOT NULL, removed INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intent (notes TEXT NOT NULL, plan BLOB NOT NULL);
"""


class Note(NamedTuple):
    """A message that is kept.

    :ivar id: by which the server names it, for all sessions.
    :ivar digest: of its octets.
    :ivar size: as the server says it; -1 if it says none.
    """

    id: str
    digest: bytes
    size: int


class Known(NamedTuple):
    """What is known of an id: the digest and the size, and whether the server has removed the message."""

    digest: bytes
    size: int
    is_removed: bool


class Intent(NamedTuple):
    """What was about to be kept when the program ended.

    :ivar plan: the target's own note of what it was about to do.
    """

    notes: Sequence[Note]
    plan: bytes


class FetchState:
    """The state of one source and one target, in a file.  Its methods block."""

    def __init__(self, path: str | os.PathLike[str], source: str, target: str) -> None:
        self._file = StateFile(path, f"{source} into {target}", _SCHEMA)

    def open(self) -> None:
        """:raises StoreUnusable: the file cannot be used."""
        self._file.open()
        too_old = int(time.time()) - REMOVED_DAYS * 86_400
        with self._file.transaction() as database:
            database.execute("DELETE FROM kept WHERE removed < ?", (too_old,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def known(self) -> dict[str, Known]:
        """All ids."""
        rows = self._file.rows("SELECT id, digest, size, removed FROM kept")
        return {id: Known(digest, size, removed is not None) for id, digest, size, removed in rows}

    def intent(self) -> Intent | None:
        """What was about to be kept, if anything."""
        for notes, plan in self._file.rows("SELECT notes, plan FROM intent"):
            read = [Note(id, bytes.fromhex(digest), size) for id, digest, size in json.loads(notes)]
            return Intent(read, plan)
        return None

    def intend(self, notes: Iterable[Note], plan: bytes) -> None:
        """Note what is about to be kept."""
        text = json.dumps([(note.id, note.digest.hex(), note.size) for note in notes])
        with self._file.transaction() as database:
            database.execute("DELETE FROM intent")
            database.execute("INSERT INTO intent VALUES (?, ?)", (text, plan))

    def keep(self, notes: Iterable[Note]) -> None:
        """Note what is kept; nothing is intended any more."""
        with self._file.transaction() as database:
            database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, NULL)", notes)
            database.execute("DELETE FROM intent")

    def removed(self, ids: Iterable[str]) -> None:
        """Note that the server has removed messages, or is about to: their ids may come to mean others."""
        now = int(time.time())
        with self._file.transaction() as database:
            database.executemany("UPDATE kept SET removed = ? WHERE id = ?", ((now, id) for id in ids))

    def not_removed(self, ids: Iterable[str]) -> None:
        """Note that the server has refused to remove messages."""
        with self._file.transaction() as database:
            database.executemany("UPDATE kept SET removed = NULL WHERE id = ?", ((id,) for id in ids))
