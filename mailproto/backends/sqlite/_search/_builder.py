# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Builds the index, in a thread, behind deliveries.

One process at a time builds: the one with the lock.  It takes bodies in the order of their ids, which never
return: first the header values of all, because they are needed most, and then the texts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._contents import LENGTH
from mailproto.backends.sqlite._failures import is_full
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._schema import BUSY_TIMEOUT
from mailproto.backends.sqlite._search._late import values_of
from mailproto.backends.sqlite._search._making import (
    SAMPLES,
    PackedText,
    Packer,
    finished,
    insert_texts,
    read_bodies,
    remove_bodies,
)
from mailproto.backends.sqlite._search._pace import Pace
from mailproto.backends.sqlite._search._schema import (
    COLUMNS,
    MARKED,
    begin_anew_if_replaced,
    clear_texts,
    mark,
    open_index,
    remove_index,
    transaction,
)
from mailproto.message import SearchTexts

__all__ = ["Builder"]

AT_ONCE = 200
"""Bodies whose texts are put into the index with one commit."""

HEADERS_AT_ONCE = 1000
"""Bodies whose header values are put into the index with one commit."""

OCTETS_AT_ONCE = 2 << 20
"""The most octets of their contents and summaries, but for the last body."""

HEADER_OCTETS_AT_ONCE = 8 << 20
"""The same for header values."""

IDLE_LOG = 1 << 20
"""The most octets of the index's log that are left where there is nothing to be done."""

BEGIN_AFTER = 0.5
"""Seconds after the start until the builder begins."""

LOOK_INTERVAL = 5.0
"""Seconds until bodies that another process added are noticed, and until the lock is tried again."""

HURRIED_INTERVAL = 0.1
"""The same while somebody waits for the index: another process may be building it."""

SWEEP_INTERVAL = 120.0
"""The fewest seconds between two looks for bodies that are gone."""

SWEPT_AT_ONCE = 5000

_REMOVED_AT_ONCE = 50

PAUSE_AFTER_ERROR = 30.0

ROOM = 64 << 20
"""Octets that are left free on the disk: the index makes no mail be refused."""


class Builder:
    """Builds the index.

    :param path: the store's database.
    :param index: the index's file.
    :param texts: whether texts are indexed; None for as before.
    """

    _log = PackageLogger()

    def __init__(self, path: str, index: str, bodies: Bodies, *, texts: bool | None) -> None:
        self._path = path
        self._index_path = index
        self._bodies = bodies
        self._texts = texts
        self._more = threading.Event()
        self._is_stopped = False
        self._lock: int | None = None
        self._thread: threading.Thread | None = None
        self._main: sqlite3.Connection | None = None
        self._index: sqlite3.Connection | None = None
        self._is_told = False
        self._pace = Pace(lambda: self._is_stopped)
        self._swept_at = time.monotonic()
        self._swept_version = -1
        self._sweeping: int | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="mailproto-sqlite-index", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it: some milliseconds."""
        self._is_stopped = True
        self._more.set()
        if self._thread is not None:
            self._thread.join()

    def used(self) -> None:
        """The store is in use now; may be called often, from any thread."""
        self._pace.used()

    def committed(self) -> None:
        """Something was committed in this process."""
        self._pace.awaited()
        self._more.set()

    def awaited(self) -> None:
        """Somebody waits for a search of texts; from any thread."""
        self._pace.awaited()

    def hurry(self) -> None:
        """Somebody waits for the index."""
        self._pace.in_hurry = True
        self._more.set()

    # In the builder's thread

    def _run(self) -> None:
        self._wait(BEGIN_AFTER, hurried=0)
        while not self._is_stopped:
            self._more.clear()  # what comes from now on is looked for again
            try:
                if self._has_room() and self._has_lock():
                    self._build(*self._open())
                self._wait(LOOK_INTERVAL, hurried=HURRIED_INTERVAL)
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                self._wait(PAUSE_AFTER_ERROR)
            except Exception:
                self._log.failure("{path}: unexpected error while building", path=self._index_path)
                self._close()
                self._wait(PAUSE_AFTER_ERROR)
        self._close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _wait(self, seconds: float, *, hurried: float | None = None) -> None:
        """Wait so long, or until there is more to do; not while the store may just have begun something.

        :param hurried: for so long, if somebody waits for the index.
        """
        began = time.monotonic()
        while not self._is_stopped:
            until = began + (seconds if hurried is None or not self._pace.in_hurry else hurried)
            left = until - time.monotonic()
            if left <= 0 or (self._more.wait(left) and self._index is not None):
                break
            self._more.clear()

    def _has_room(self) -> bool:
        """Whether the disk has more room than mail may need soon."""
        free = os.statvfs(os.path.dirname(self._index_path) or ".")
        return free.f_bavail * free.f_frsize > ROOM

    def _has_lock(self) -> bool:
        if self._lock is None:
            lock = os.open(self._index_path + "-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            except BaseException:
                os.close(lock)
                raise
            self._lock = lock
        return True

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if self._main is not None and self._index is not None:
            return self._main, self._index
        main = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            main.execute("PRAGMA query_only = ON")
            main.execute("PRAGMA cache_size = -2048")
            index = open_index(self._index_path)
        except BaseException:
            main.close()
            raise
        self._main, self._index = main, index
        begin_anew_if_replaced(main, index)
        [has_texts] = index.execute("SELECT has_texts FROM state").fetchone()
        if self._texts is None:
            self._texts = bool(has_texts)
        elif bool(has_texts) != self._texts:
            with transaction(index):
                clear_texts(index)
                index.execute("UPDATE state SET has_texts = ?", (self._texts,))
        return main, index

    def _close(self) -> None:
        for connection in (self._main, self._index):
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
        self._main = self._index = None

    def _failed(self, error: sqlite3.Error | OSError) -> None:
        self._close()
        if not self._is_told:
            self._is_told = True
            self._log.warn("{path}: cannot be built now: {error}", path=self._index_path, error=str(error))
        is_damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        if is_damaged and not is_full(error):
            with contextlib.suppress(OSError):
                remove_index(self._index_path)

    def _build(self, main: sqlite3.Connection, index: sqlite3.Connection) -> None:
        """Build until everything is there."""
        self._pace.begin()
        while not self._is_stopped and self._has_room():
            done = (
                self._next(main, index, "headers", HEADERS_AT_ONCE, HEADER_OCTETS_AT_ONCE, self._add_headers)
                or (
                    self._texts and self._next(main, index, "texts", AT_ONCE, OCTETS_AT_ONCE, self._add_texts)
                )
                or self._sweep(main, index)
            )
            if not done:
                self._pace.in_hurry = False
                self._shorten_log(index)
                return
            self._is_told = False
            self._pace.rest()

    def _shorten_log(self, index: sqlite3.Connection) -> None:
        """Copy a long log, because nothing else is to be done."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.getsize(self._index_path + "-wal") > IDLE_LOG:
                index.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _next(
        self,
        main: sqlite3.Connection,
        index: sqlite3.Connection,
        what: str,
        at_once: int,
        octets: int,
        add: Callable[[sqlite3.Connection, sqlite3.Connection, list[int]], int],
    ) -> bool:
        """Add some bodies; returns False if there are none."""
        epoch, upto = index.execute(f"SELECT epoch, {what} FROM state").fetchone()
        # A body that only the queue has is on its way through, and is never searched.
        [text] = main.execute(
            "SELECT json_group_array(json_array(id, size, is_kept)) FROM (SELECT bodies.id AS id,"
            f" coalesce({LENGTH}, 0) + length(envelope) + length(offsets) AS size, refs > EXISTS"
            " (SELECT 1 FROM queued WHERE queued.id = bodies.id) AS is_kept"
            " FROM bodies LEFT JOIN contents ON contents.body = bodies.id"
            " WHERE bodies.id > ? ORDER BY bodies.id LIMIT ?)",
            (upto, at_once),
        ).fetchone()
        chosen: list[int] = []
        looked_at = size = 0
        for looked_at, its_size, is_kept in json.loads(text):
            size += its_size
            if is_kept:
                chosen.append(looked_at)
            if size > octets:
                break
        if not looked_at:
            return False
        last = add(main, index, chosen)
        if self._is_stopped:
            if index.in_transaction:
                index.execute("ROLLBACK")
            return False
        last = last or looked_at
        if not index.in_transaction:
            index.execute("BEGIN IMMEDIATE")
        index.execute(f"UPDATE state SET {what} = ? WHERE epoch = ?", (last, epoch))
        # If it was cleared in the meantime, what was just made is not wanted.
        is_wanted = index.execute("SELECT changes()").fetchone()[0]
        index.execute("COMMIT" if is_wanted else "ROLLBACK")
        return True

    def _add_headers(self, main: sqlite3.Connection, index: sqlite3.Connection, ids: list[int]) -> int:
        [text] = main.execute(
            "SELECT json_group_array(json_array(id, hex(envelope), hex(offsets))) FROM"
            f" (SELECT bodies.id AS id, {MARKED} FROM json_each(?)"
            " CROSS JOIN bodies ON bodies.id = json_each.value)",
            (json.dumps(ids),),
        ).fetchone()
        marks = {id_: mark(*map(bytes.fromhex, marked)) for id_, *marked in json.loads(text)}
        rows: list[tuple[Any, ...]] = []
        for id_, *values in values_of(main, self._bodies, ids, COLUMNS, self._pace.breathe):
            if self._is_stopped:
                return 0
            if id_ in marks:
                rows.append((id_, marks[id_], *values))
            self._pace.breathe()
        index.execute("BEGIN IMMEDIATE")
        insert(index.execute, f"INSERT OR REPLACE INTO headers (body, mark, {', '.join(COLUMNS)})", rows)
        return 0

    def _add_texts(self, main: sqlite3.Connection, index: sqlite3.Connection, ids: list[int]) -> int:
        made: list[tuple[int, SearchTexts]] = []
        left_out: list[tuple[int]] = []
        last = size = 0
        for body in read_bodies(main, ids):
            texts: SearchTexts | None = finished(body.texts(self._bodies), self._pace.breathe)
            if self._is_stopped:
                return 0
            if texts is None:
                left_out.append((body.id,))
            else:
                made.append((body.id, texts))
                size += len(texts.header) + len(texts.body)
            if size > _CHARACTERS:
                last = body.id
                break
            self._pace.breathe()
        packer = Packer(index)
        if not packer.dictionary and len(made) >= SAMPLES:
            index.execute("BEGIN IMMEDIATE")
            packer.learn([texts for _, texts in made[:SAMPLES]])
        packed: list[PackedText] = []
        for each in made:
            packed.append(packer.pack(*each))
            self._pace.breathe()
        if not index.in_transaction:
            index.execute("BEGIN IMMEDIATE")
        insert_texts(index, packed)
        index.executemany("INSERT OR REPLACE INTO left_out VALUES (?)", left_out)
        return last

    def _sweep(self, main: sqlite3.Connection, index: sqlite3.Connection) -> bool:
        """Remove some of what the store does not have any more; returns False if there is nothing to do."""
        if self._sweeping is None:
            [version] = main.execute("PRAGMA data_version").fetchone()
            if version == self._swept_version or time.monotonic() - self._swept_at < SWEEP_INTERVAL:
                return False
            self._swept_version, self._sweeping = version, 0
        ids = [
            row[0]
            for row in index.execute(
                "SELECT body FROM headers WHERE body > ? ORDER BY body LIMIT ?",
                (self._sweeping, SWEPT_AT_ONCE),
            )
        ]
        if not ids:
            self._sweeping, self._swept_at = None, time.monotonic()
            return False
        there = {
            row[0]
            for row in main.execute("SELECT id FROM bodies WHERE id BETWEEN ? AND ?", (ids[0], ids[-1]))
        }
        gone = [id_ for id_ in ids if id_ not in there]
        if gone:
            at_once = gone[:_REMOVED_AT_ONCE]
            with transaction(index):
                remove_bodies(index, at_once)
            self._sweeping = at_once[-1]
        else:
            self._sweeping = ids[-1]
        return True


_CHARACTERS = 2 << 20
"""So many characters of text are put into the index with one commit, and those of one more message."""
