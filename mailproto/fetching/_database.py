"""The file of a state: SQLite, because what it must do is what a database does.

Two things have to be written at once or not at all (a message is kept, and its intent is gone), thousands of
ids have to be found quickly, and a second program that uses the same file has to be refused.  For a file that
is only appended to, all three would be our own code.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailproto.errors import StoreUnusable
from mailproto.files import make_folder, sync_folder

__all__ = ["StateFile"]

_ABOUT = "CREATE TABLE IF NOT EXISTS about (purpose TEXT NOT NULL)"


class StateFile:
    """A database that one program has to itself, from `open` to `close`.

    Every transaction is on disk when it has ended.

    :param path: the file; it is made, for its owner only, if it is missing.
    :param purpose: what it is a state of; a file with another purpose is refused.
    :param schema: the tables.
    """

    def __init__(self, path: str | os.PathLike[str], purpose: str, schema: str) -> None:
        self.path = Path(path)
        self._purpose = purpose
        self._schema = schema
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, and lock it.

        :raises StoreUnusable: it cannot be used; the text says why, in one line.
        """
        try:
            self._make()
            self._connect()
        except OSError as error:
            raise StoreUnusable(f"{self.path}: {error.strerror or error}: choose another file") from None
        except sqlite3.Error as error:
            self.close()
            raise self._unusable(error) from None

    def _make(self) -> None:
        make_folder(self.path.parent)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_folder(self.path.parent)

    def _connect(self) -> None:
        database = self._database = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA locking_mode = EXCLUSIVE")  # the lock of the first write is kept
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with self.transaction():
            for statement in (_ABOUT, *self._schema.split(";")):
                database.execute(statement)
            found = database.execute("SELECT purpose FROM about").fetchone()
            if found is None:
                database.execute("INSERT INTO about VALUES (?)", (self._purpose,))
            elif found[0] != self._purpose:
                raise StoreUnusable(
                    f"{self.path}: this is the state of {found[0]}, not of {self._purpose}:"
                    " choose another file"
                )

    def _unusable(self, error: sqlite3.Error) -> StoreUnusable:
        if "locked" in str(error):
            return StoreUnusable(f"{self.path}: another program uses it: wait until it has ended")
        return StoreUnusable(f"{self.path}: {error}: choose another file")

    def close(self) -> None:
        """Close the file; another program may use it."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @property
    def database(self) -> sqlite3.Connection:
        """The open database."""
        if self._database is None:
            raise ValueError(f"{self.path} is closed")
        return self._database

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes of the block, or none if it raises.

        :raises StoreUnusable: they cannot be written.
        """
        database = self.database
        try:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from None
            raise

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds.  :raises StoreUnusable: the file cannot be read."""
        try:
            return self.database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
