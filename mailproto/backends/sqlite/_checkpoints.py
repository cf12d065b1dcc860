"""Copies the write-ahead log into the database, without delaying deliveries.

A checkpoint reads and writes tens of megabytes and syncs twice.  SQLite itself would do it in the
connection whose commit makes the log too long.  Here a separate thread does it, while the writer goes on
appending to the log.  SQLite starts the log again only when all of it is in the database, and under load
the thread never catches up, so the writer copies the short rest itself.
"""

from __future__ import annotations

import sqlite3
import threading

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite._schema import LOG_OCTETS, connect

__all__ = ["Checkpoints"]

CHANGES = 2000
"""Changed rows after which a checkpoint is worthwhile: those of some 500 deliveries."""

PAUSE = 1.0
"""Seconds between two checkpoints of the thread, so that pages that change often are copied once."""


class Checkpoints:
    """Decides when to copy; `committed` is called in the writer's thread."""

    _log = PackageLogger()

    def __init__(self, path: str) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailproto-sqlite-checkpoints", daemon=True)
        self._seen = 0  # the connection's number of changes at the last check
        self._is_rest_short = False

    def start(self) -> None:
        """Start the thread; the database must exist."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the last connection copies the rest when it is closed."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()

    def committed(self, connection: sqlite3.Connection) -> None:
        """Called after the writer's commit: copies the rest of the log if that is short."""
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
        """Copy as much as the readers allow, without waiting; returns the octets of the log."""
        try:
            _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            [size] = connection.execute("PRAGMA page_size").fetchone()
        except sqlite3.Error as error:
            # The log is durable, so an error here loses nothing.
            self._log.warn(
                "{path}: the log was not copied into the database: {error}", path=self._path, error=error
            )
            return 0
        return int(pages) * int(size)
