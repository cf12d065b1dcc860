"""Handles a full disk, so that people can still read and remove mail.

Removing a message needs room, too: SQLite writes each changed page to its log, and the log can only start
again after its pages fit into the database.  So there is a file next to the database, the reserve, whose
only purpose is to take room.  When the disk is full, the reserve is given back in steps to changes that add
no content: flags, moves, removals, passwords.  Changes that add content (deliveries, APPEND, COPY, new
mailboxes) are then refused, unless there is free room inside the database: then their log may take half of
the reserve until it is emptied. Once the reserve is complete
again, and there is some free room besides, everything is accepted again.

Emptying the log makes the database grow.  So the reserve grows by that amount.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite._failures import FULL, is_full, is_of_storage, unavailable
from mailproto.errors import StorageFull, Unavailable

__all__ = ["LOW", "RESERVE", "Room", "adds_content", "takes_room"]

RESERVE = 16 << 20
"""Octets of the reserve when the log is empty; or an eighth of the file system, if that is less."""

LOW = 256 << 20
"""Free octets below which the log is kept short, to leave room for large messages and other programs."""

LOOK_INTERVAL = 1.0
"""Seconds between checks whether there is room again."""

WARN_INTERVAL = 10.0
"""Seconds between two warnings, so that a disk that is often full does not fill the log."""

_STEPS = 16  # the number of steps in which the reserve is given back
_SPARE = 4  # steps that must be free besides a complete reserve before content is accepted again
_A_CHANGE = 32 << 10  # the most octets by which changing one row makes the database grow
_NEVER = -(1 << 40)
_BLOCK = 4096
_NO_LIMIT = (1 << 32) - 2  # SQLite's largest number of pages

Work = TypeVar("Work", bound=Callable[..., Any])

_ADDING: set[Any] = set()


def adds_content(work: Work) -> Work:
    """Mark work of the writer that adds content: it may not use the reserve."""
    _ADDING.add(work)
    return work


def takes_room(work: Any) -> bool:
    """Whether the work is marked with `adds_content`."""
    return work in _ADDING


class Room:
    """The reserve of one database, and whether this process is using it.

    All methods except `open`, `check` and `close` are called in the writer's thread.

    :param path: the database's path.
    """

    _log = PackageLogger()

    def __init__(self, path: str, *, clock: IReactorTime | None = None) -> None:
        self._path = path
        self._usual_log = 0  # the log's length in pages at which the connection usually empties it
        self._seconds = time.monotonic if clock is None else clock.seconds
        self._reserve = _Reserve(path + "-reserve")
        self._is_short = False
        self._looked = self._seconds()
        self._warned = self._seconds() - WARN_INTERVAL
        self._connection: sqlite3.Connection | None = None
        self._keeps_log_short = False
        self._seen = _NEVER  # the connection's number of changes at the last check

    def open(self) -> None:
        """Open the reserve, or make it; the disk may be full."""
        self._reserve.open()

    def close(self) -> None:
        """Close the file; it stays on the disk."""
        self._reserve.close()

    def fill(self) -> None:
        """Make the reserve complete, if there is room."""
        self._is_short = not self._reserve.fill()
        if self._is_short:
            self._log.warn(
                "{path}: the disk is nearly full: mail is only taken while there is room in the database",
                path=self._path,
            )

    def check(self) -> None:
        """Call this before a large file is written next to the database; in any thread.

        :raises StorageFull: there is no room.
        """
        if self._is_short:
            if not self._reserve.fill():
                raise StorageFull(detail=f"{self._path}: {FULL}")
            self._recover()

    def give_back(self) -> bool:
        """Give back one step of the reserve; False if nothing is left."""
        return self._reserve.give_back()

    def lend(self, connection: sqlite3.Connection) -> bool:
        """Give back one step for the log of new content, if half of the reserve stays.

        What fits into free pages of the database needs room only until the log is emptied.
        """
        if not self._reserve.has(0.5 + 1 / _STEPS) or self._free_pages(connection) < self._reserve.step:
            return False
        return self._reserve.give_back()

    def is_over(self, error: Exception) -> bool:
        """Whether ``error`` means that there is no room; SQLite does not distinguish a quota from a broken
        disk."""
        if is_full(error):
            return True
        return is_of_storage(error) and (cause := self._reserve.cause()) is not None and is_full(cause)

    def failure(self, error: Exception) -> Unavailable:
        """The error for a client; its detail has the system's error for the log."""
        if isinstance(error, Unavailable):
            return error
        if is_full(error):
            return StorageFull(detail=f"{self._path}: {FULL}")
        failure = unavailable(error, self._path)
        if is_of_storage(error) and (cause := self._reserve.cause()):
            kind = StorageFull if is_full(cause) else type(failure)
            return kind(detail=f"{self._path}: {error} ({os.strerror(cause.errno or 0)})")
        return failure

    def is_short(self, connection: sqlite3.Connection) -> bool:
        """Whether there is no room except the reserve; called before each batch."""
        if connection is not self._connection:
            self._connection, self._keeps_log_short, self._seen = connection, False, _NEVER
        # Not checked for each batch, because each call of SQLite or the system gives up the interpreter
        # lock.
        changes = connection.total_changes
        if not self._is_short and abs(changes - self._seen) * _A_CHANGE < self._reserve.step * _STEPS:
            return False
        self._seen = changes
        if not self._is_short and not self._reserve.follow(self._growth(connection)):
            self.settle(connection)
            if self._is_short:
                self._warn(FULL)
        elif self._is_short and self._seconds() - self._looked >= LOOK_INTERVAL:
            self.settle(connection)
        is_low = self._is_short or self._reserve.is_low()
        if is_low is not self._keeps_log_short:
            self._keep_log_short(connection, is_low)
        return self._is_short

    def make(self, connection: sqlite3.Connection, error: Exception, *, again: bool) -> bool:
        """Try to make room after ``error`` by emptying the log; returns whether there is room now.

        :param again: whether this was tried before and did not help.
        """
        self.settle(connection)
        self._is_short = self._is_short or again
        if self._is_short:
            self._warn(FULL if is_full(error) else str(error))
        return not self._is_short

    @contextlib.contextmanager
    def inside_database(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Keep the database from growing while room is short: new content may only use its free pages."""
        if not self._is_short:
            yield
            return
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        try:
            yield
        finally:
            connection.execute(f"PRAGMA max_page_count = {_NO_LIMIT}").fetchall()

    def refusal(self, connection: sqlite3.Connection) -> StorageFull | None:
        """The error for new content if most of the reserve is used; None if it may be tried.

        Free pages of the database count like the reserve: changes that remove something do not make it grow
        then, and need room for the log only.
        """
        if not self._is_short or self._reserve.has(0.5):
            return None
        if self._reserve.has(0.125, self._free_pages(connection)):
            return None
        return StorageFull(detail=f"{self._path}: {FULL}")

    def _free_pages(self, connection: sqlite3.Connection) -> int:
        """Octets of the database that are not used."""
        [[pages]] = connection.execute("PRAGMA freelist_count").fetchall()
        [[page]] = connection.execute("PRAGMA page_size").fetchall()
        return int(pages) * int(page)

    def settle(self, connection: sqlite3.Connection) -> None:
        """Empty the log into the database, and check whether there is room again."""
        while True:
            try:
                _empty_log(connection)
            except sqlite3.Error as error:
                # The log gives back the room by which the database grows.
                if self.is_over(error) and self.give_back():
                    continue
            break
        self._looked = self._seconds()
        if not self._reserve.fill():
            self._is_short = True
        elif self._is_short:
            self._recover()

    def _recover(self) -> None:
        self._is_short = False
        self._log.info("{path}: there is room again, and mail is taken", path=self._path)

    def _growth(self, connection: sqlite3.Connection) -> int:
        """The octets by which the database grows when the log is emptied into it."""
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        [[page]] = connection.execute("PRAGMA page_size").fetchall()
        return max(0, int(pages) * int(page) - os.stat(self._path).st_size)

    def _keep_log_short(self, connection: sqlite3.Connection, is_low: bool) -> None:
        """Make the log start again earlier while there is little room."""
        self._keeps_log_short = is_low
        [[pages]] = connection.execute("PRAGMA wal_autocheckpoint").fetchall()
        self._usual_log = self._usual_log or pages
        if is_low:
            with contextlib.suppress(sqlite3.Error):
                _empty_log(connection)
            [[page]] = connection.execute("PRAGMA page_size").fetchall()
            pages = max(1, self._reserve.step * _SPARE // 2 // page)
        else:
            pages = self._usual_log
        connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchall()

    def _warn(self, error: str) -> None:
        if self._seconds() - self._warned >= WARN_INTERVAL:
            self._warned = self._seconds()
            self._log.warn(
                "{path}: {error}: new mail is taken only as far as there is room in the database, until there"
                " is room on the disk; reading and removing mail go on",
                path=self._path,
                error=error,
            )


class _Reserve:
    """The reserve: a file whose only purpose is to take room.

    :ivar step: octets by which it grows and shrinks.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._lock = threading.Lock()
        self.step = RESERVE // _STEPS

    def open(self) -> None:
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            whole = os.fstatvfs(self._descriptor)
            self.step = min(RESERVE, whole.f_blocks * whole.f_frsize // 8) // _STEPS // _BLOCK * _BLOCK

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def fill(self) -> bool:
        """Take the room of the reserve, or as much as is free after some room for the log.

        :returns: whether the reserve is complete, and the room for the log is free, too.
        """
        with self._lock:
            if self._descriptor is None:
                return True  # there is no reserve
            before = size = self._size()
            most = self.step * (_STEPS + _SPARE)
            try:
                while size < most:
                    os.posix_fallocate(self._descriptor, size, self.step)
                    size += self.step
            except OSError as error:
                if not is_full(error):
                    return True  # the file system cannot reserve room, or fails
            is_whole = size >= most
            keep = max(before, min(size - self.step * _SPARE, self.step * _STEPS))
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, keep)
            return is_whole

    def give_back(self) -> bool:
        with self._lock:
            size = self._size()
            if self._descriptor is None or not size:
                return False
            try:
                os.ftruncate(self._descriptor, max(0, size - self.step))
                os.fsync(self._descriptor)  # some file systems free the room only then
            except OSError:
                return False
            return True

    def has(self, part: float, more: int = 0) -> bool:
        """Whether at least this part of it is there; and half of it, with ``more`` octets elsewhere."""
        size, whole = self._size(), self.step * _STEPS
        return size >= part * whole and (size + more) * 2 >= whole

    def follow(self, growth: int) -> bool:
        """Enlarge the reserve by the octets that the database will grow; False if there is no room."""
        with self._lock:
            if self._descriptor is None:
                return True
            size, least = self._size(), self.step * _STEPS + growth
            try:
                if size < least:
                    os.posix_fallocate(self._descriptor, size, least + self.step - size)
                elif size > least + self.step * _STEPS:
                    os.ftruncate(self._descriptor, least)
            except OSError as error:
                return not is_full(error)
            return True

    def is_low(self) -> bool:
        if self._descriptor is None:
            return False
        free = os.fstatvfs(self._descriptor)
        return free.f_bavail * free.f_frsize < LOW

    def cause(self) -> OSError | None:
        """The system's error for a write in this folder; None if it succeeds."""
        with self._lock:
            size = self._size()
            try:
                if self._descriptor is not None:
                    os.pwrite(self._descriptor, b"\0" * _BLOCK, size)
                    os.fsync(self._descriptor)
            except OSError as error:
                return error
            finally:
                with contextlib.suppress(OSError):
                    if self._descriptor is not None:
                        os.ftruncate(self._descriptor, size)
        return None

    def _size(self) -> int:
        return 0 if self._descriptor is None else os.fstat(self._descriptor).st_size


def _empty_log(connection: sqlite3.Connection) -> None:
    """Copy the log into the database and truncate it, unless other connections are using it."""
    [[timeout]] = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout}").fetchall()
