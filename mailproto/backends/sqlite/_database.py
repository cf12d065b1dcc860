"""What the parts of a store share: the reader, the writer, the bodies, the hints, the work under way."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._failures import is_full, unavailable
from mailproto.backends.sqlite._hints import Hints
from mailproto.backends.sqlite._long_changes import LongChanges
from mailproto.backends.sqlite._reading import open_reader
from mailproto.backends.sqlite._room import FULL, Room
from mailproto.backends.sqlite._schema import MAX_LOG, prepare
from mailproto.backends.sqlite._writer import Transaction, Writer
from mailproto.errors import StoreUnusable, Unavailable
from mailproto.files import make_folder

__all__ = ["DATABASE", "Database"]

DATABASE = "mail.sqlite3"
"""The database's name in the store's folder."""

FINISHING = 1.0
"""Seconds that a start takes at most to finish long changes that a crash interrupted."""

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One folder with a database and its large bodies, open in this process.

    :ivar path: the database's.
    :ivar bodies: the messages' octets.
    :ivar writer: all changes go through it.
    :ivar long_changes: those of many messages go through it, in slices.
    :ivar hints: who wants to hear of changes.
    """

    def __init__(self, path: str, reactor: IReactorFromThreads) -> None:
        self._folder, self.path = (
            (os.path.dirname(path) or ".", path)
            if path.endswith(".sqlite3")
            else (path, os.path.join(path, DATABASE))
        )
        self._reactor = reactor
        self.room = Room(self.path, MAX_LOG)
        self.bodies = Bodies(reactor, self.path + "-bodies", self.room)
        self.hints = Hints(self.read, reactor)
        self.writer = Writer(reactor, self.path, self._committed, self.bodies.remove, self.room)
        self.long_changes = LongChanges(self.path, self.writer, IReactorTime(reactor))
        self._is_alone = False  # no other process had it open when it was opened
        self._reader: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._underway: set[Deferred[Any]] = set()

    async def start(self) -> None:
        """Open files and threads.

        :raises StoreUnusable: the folder or the database cannot be made, opened or written, or is of
            something else.
        """
        self.bodies.start()
        try:
            self._reader = await self.bodies.in_thread(self._open)
        except (sqlite3.Error, OSError) as error:
            self.bodies.stop()
            reason = f"{FULL}: make room on it" if is_full(error) else str(error)
            raise StoreUnusable(f"{self.path}: {reason}") from error
        except BaseException:
            self.bodies.stop()
            raise
        self.writer.start()
        if self._is_alone:
            await self.long_changes.finish_interrupted(FINISHING)
        else:
            self.long_changes.clear()

    async def stop(self) -> None:
        """Finish what was begun and close."""
        while self._underway:
            await DeferredList(self._underway)
        self.hints.stop()
        await self.long_changes.stop()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            await self.writer.stop()
            self.bodies.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self.room.close()

    def underway(self, result: Deferred[T]) -> Deferred[T]:
        """Have `stop` wait for ``result``."""
        self._underway.add(result)

        def done(value: T) -> T:
            self._underway.discard(result)
            return value

        return result.addBoth(done)

    def read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What ``work`` reads, now.

        :raises Unavailable: when the database cannot be read.
        """
        if self._reader is None:
            raise Unavailable(detail="the store is stopped")
        try:
            return work(self._reader, *args, **kwargs)
        except sqlite3.Error as error:
            raise unavailable(error) from error

    async def pause(self) -> None:
        """Let others have the reactor."""
        done: Deferred[None] = Deferred()
        # Unlike a delayed call of 0 seconds, this waits for no clock.
        self._reactor.callFromThread(done.callback, None)
        await done

    def _committed(self, transaction: Transaction) -> None:
        self.hints.committed(transaction)
        if transaction.leaves_work:
            self.long_changes.clear()

    def _open(self) -> sqlite3.Connection:
        """Make what is missing, clear away what a crash left, and open the database."""
        make_folder(self._folder)
        self.room.open()
        while True:
            try:
                reader = self._open_files()
                break
            except (sqlite3.Error, OSError) as error:
                if not is_full(error) or not self.room.give_back():
                    raise
        self.room.fill()
        return reader

    def _open_files(self) -> sqlite3.Connection:
        prepare(self.path)
        self.bodies.make_folder()
        reader = open_reader(self.path)
        try:
            self._sweep(reader)
        except BaseException:
            reader.close()
            raise
        return reader

    def _sweep(self, reader: sqlite3.Connection) -> None:
        # A process that has the lock alone can remove what no row names: no other process is about
        # to commit such a row.  The shared lock tells later processes that they are not alone.
        if self._lock is None:
            self._lock = os.open(self.path + "-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.bodies.sweep(reader)
            self._is_alone = True
        except BlockingIOError:
            pass  # another process has it open, and sweeps when it is alone
        fcntl.flock(self._lock, fcntl.LOCK_SH)
