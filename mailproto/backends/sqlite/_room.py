"""Room on the disk: what is done when there is none, so that people can go on reading, and remove mail.

To remove a message takes room, too: SQLite writes each page that changes to its log, and what is
in the log needs room in the database before the log can begin anew.  So a file beside the database,
the reserve, has nothing in it but takes room.  When the disk is full it is given back in steps to
whatever makes no new content: flags, moves, removals, passwords.  What does (deliveries, APPEND,
COPY, new mailboxes) is refused meanwhile, unless there is room enough inside the database.
Once the reserve is whole again, and some room beside it is free, everything is as before.

The log can only be emptied if there is room in the database for what is in it.  So the reserve grows by
what the database is going to grow by.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from twisted.logger import Logger

from mailproto.backends.sqlite._failures import FULL, is_full, is_of_storage, unavailable
from mailproto.errors import StorageFull, Unavailable

__all__ = ["LOW", "RESERVE", "Room", "adds_content", "takes_room"]

RESERVE = 16 << 20
"""Octets of the reserve, or an eighth of the file system where that is less, when the log is empty."""

LOW = 256 << 20
"""Octets free below which the log is kept short: others, and large messages, can use its room."""

LOOK_INTERVAL = 1.0
"""Seconds between two looks at whether there is room again."""

WARN_INTERVAL = 10.0
"""Seconds between two warnings: who fills the disk again and again need not fill the log."""

_STEPS = 16  # in which the reserve is given back
_SPARE = 4  # steps that must be free, beside a whole reserve, before all is well; the log's room meanwhile
_A_CHANGE = 32 << 10  # octets by which a row that is changed lets the database grow, at most
_NEVER = -(1 << 40)
_BLOCK = 4096
_NO_LIMIT = (1 << 32) - 2  # the most pages that SQLite takes

Work = TypeVar("Work", bound=Callable[..., Any])

_ADDING: set[Any] = set()


def adds_content(work: Work) -> Work:
    """Mark a writer's work that makes new content: it is not done at the expense of the reserve."""
    _ADDING.add(work)
    return work


def takes_room(work: Any) -> bool:
    """Whether the work is marked by `adds_content`."""
    return work in _ADDING


class Room:
    """The reserve of one database, and whether this process lives on it.

    All but `open`, `check` and `close` are called in the writer's thread.

    :param path: the database's.
    """

    _log = Logger()

    def __init__(self, path: str, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._usual_log = 0  # pages at which the connection empties the log
        self._seconds = seconds
        self._reserve = _Reserve(path + "-reserve")
        self._is_short = False
        self._looked = seconds()
        self._warned = seconds() - WARN_INTERVAL
        self._connection: sqlite3.Connection | None = None
        self._keeps_log_short = False
        self._seen = _NEVER  # of the connection's changes

    def open(self) -> None:
        """Find the reserve, or make it; the disk may be full."""
        self._reserve.open()

    def close(self) -> None:
        """Let go of the file, which stays."""
        self._reserve.close()

    def fill(self) -> None:
        """Make the reserve whole, if there is room."""
        self._is_short = not self._reserve.fill()
        if self._is_short:
            self._log.warn(
                "{path}: the disk is nearly full: mail is only taken while there is room in the database",
                path=self._path,
            )

    def check(self) -> None:
        """Before something large is written beside the database, in any thread.

        :raises StorageFull: while there is no room.
        """
        if self._is_short:
            if not self._reserve.fill():
                raise StorageFull(detail=f"{self._path}: {FULL}")
            self._recover()

    def give_back(self) -> bool:
        """Make a little room; False when nothing is left to be given back."""
        return self._reserve.give_back()

    def is_over(self, error: Exception) -> bool:
        """Whether ``error`` is for want of room; SQLite tells a quota from a broken disk no better."""
        if is_full(error):
            return True
        return is_of_storage(error) and (cause := self._reserve.cause()) is not None and is_full(cause)

    def failure(self, error: Exception) -> Unavailable:
        """``error`` for a client, with what the system says of the disk for the log."""
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
        """Whether there is no room but the reserve; asked before each batch."""
        if connection is not self._connection:
            self._connection, self._keeps_log_short, self._seen = connection, False, _NEVER
        # Whatever asks SQLite or the system lets the reactor have the interpreter: not for each batch.
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
        """After ``error``, for want of room: whether there is some after all, once the log is emptied.

        :param again: whether that was so already, and has not helped.
        """
        self.settle(connection)
        self._is_short = self._is_short or again
        if self._is_short:
            self._warn(FULL if is_full(error) else str(error))
        return not self._is_short

    @contextlib.contextmanager
    def inside_database(self, connection: sqlite3.Connection) -> Iterator[None]:
        """While room is short, let the database not grow: new content uses what was freed in it."""
        if not self._is_short:
            yield
            return
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        try:
            yield
        finally:
            connection.execute(f"PRAGMA max_page_count = {_NO_LIMIT}").fetchall()

    def refusal(self) -> StorageFull | None:
        """Why new content is not even tried: most of the reserve is gone."""
        if not self._is_short or self._reserve.is_half_full():
            return None
        return StorageFull(detail=f"{self._path}: {FULL}")

    def settle(self, connection: sqlite3.Connection) -> None:
        """Empty the log into the database, and see whether there is room again."""
        while True:
            try:
                _empty_log(connection)
            except sqlite3.Error as error:
                # What the database grows by, the log gives back.
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
        """Octets that the database grows by when the log is emptied into it."""
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        [[page]] = connection.execute("PRAGMA page_size").fetchall()
        return max(0, int(pages) * int(page) - os.stat(self._path).st_size)

    def _keep_log_short(self, connection: sqlite3.Connection, is_low: bool) -> None:
        """While there is little room, have the log begin anew before it needs more."""
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
    """A file without content that takes room.

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
        """Take all the room that it is to have, or what there is beside some for the log.

        Returns whether it is whole, and that room is free, too.
        """
        with self._lock:
            if self._descriptor is None:
                return True  # there is none to be filled
            before = size = self._size()
            most = self.step * (_STEPS + _SPARE)
            try:
                while size < most:
                    os.posix_fallocate(self._descriptor, size, self.step)
                    size += self.step
            except OSError as error:
                if not is_full(error):
                    return True  # a file system that cannot keep room, or fails: others will see
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
                os.fsync(self._descriptor)  # some file systems free it then
            except OSError:
                return False
            return True

    def is_half_full(self) -> bool:
        return self._size() * 2 >= self.step * _STEPS

    def follow(self, growth: int) -> bool:
        """Let it be so large that the database can grow by that, too; False: there is no room for it."""
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
        """What the system says when something is written here; None: it is."""
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
    """Copy the log into the database and cut it off, unless others use it just now."""
    [[timeout]] = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout}").fetchall()
