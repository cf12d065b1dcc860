"""Copying the write-ahead log into the database, where no delivery waits for it.

A checkpoint reads and writes tens of megabytes and syncs twice.  SQLite would have it done by the
connection whose commit makes the log long.  Here a thread of its own does it, while the
writer goes on appending to the log.  Only when all of the log is in the database does SQLite begin it
anew, and under load the thread never catches up; so the writer does the short rest itself.
"""

from __future__ import annotations

import sqlite3
import threading

from twisted.logger import Logger

from mailproto.backends.sqlite._schema import LOG_OCTETS, connect

__all__ = ["Checkpoints"]

CHANGES = 2000
"""Rows that are changed before it is worth to begin: those of some 500 deliveries."""

PAUSE = 1.0
"""Seconds between two checkpoints of the thread: pages that change often are copied once."""


class Checkpoints:
    """When to copy what; `committed` is for the writer's thread."""

    _log = Logger()

    def __init__(self, path: str) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailproto-sqlite-checkpoints", daemon=True)
        self._seen = 0  # of the connection's changes
        self._is_rest_short = False

    def start(self) -> None:
        """Begin; the database must be there."""
        self._thread.start()

    def stop(self) -> None:
        """End; the connection that is closed last copies what is left."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()

    def committed(self, connection: sqlite3.Connection) -> None:
        """The writer committed something; it has time for what is left of the log."""
        if self._is_rest_short:
            self._is_rest_short = False
            self._copy(connection)
        if abs(connection.total_changes - self._seen) >= CHANGES:
            self._seen = connection.total_changes
            self._wanted.set()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while self._wanted.wait() and not self._stopped.is_set():
            self._wanted.clear()
            try:
                if connection is None:
                    connection = connect(self._path)
            except sqlite3.Error:
                self._log.failure("{path}: no checkpoint", path=self._path)
            else:
                octets = self._copy(connection)
                self._is_rest_short = octets > LOG_OCTETS // 2
            self._stopped.wait(PAUSE)
        if connection is not None:
            connection.close()

    def _copy(self, connection: sqlite3.Connection) -> int:
        """Copy what no reader holds back, without waiting for anything; the octets of the log."""
        try:
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            [size] = connection.execute("PRAGMA page_size").fetchone()
        except sqlite3.Error as error:
            # What is in the log is safe there.
            self._log.warn(
                "{path}: the log was not copied into the database: {error}", path=self._path, error=error
            )
            return 0
        return int(pages) * int(size)
