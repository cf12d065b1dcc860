"""The object that the parts of a store share: reader, writer, bodies, hints, and running work."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from mailproto.backends._names import Entries
from mailproto.backends.sqlite._acl import tell_watched
from mailproto.backends.sqlite._bodies import Bodies, Body, Digesting
from mailproto.backends.sqlite._changes import ChangesReader
from mailproto.backends.sqlite._failures import is_full, unavailable, unusable
from mailproto.backends.sqlite._hints import Hints
from mailproto.backends.sqlite._known import Known
from mailproto.backends.sqlite._long_changes import LongChanges, any_long_change
from mailproto.backends.sqlite._peers import Peers, Turns
from mailproto.backends.sqlite._queue_leasing import any_lease, release_some_of_gone
from mailproto.backends.sqlite._reading import open_reader
from mailproto.backends.sqlite._room import Room
from mailproto.backends.sqlite._schema import BUSY_TIMEOUT, is_earlier, prepare
from mailproto.backends.sqlite._search import SearchIndex
from mailproto.backends.sqlite._writer import Transaction, Writer
from mailproto.errors import StoreUnusable, Unavailable
from mailproto.files import make_folder

__all__ = ["DATABASE", "Database"]

DATABASE = "mail.sqlite3"
"""The database's name in the store's folder."""

FINISHING = 0.5
"""The most seconds that a start spends on long changes that a crash interrupted."""

ALONE_WITHIN = 2.0
"""Seconds within which programs of an earlier version must end before a store is migrated."""

SLOW_DIGESTS = 8
"""Messages that take long to read and are read at the same time: each needs up to 3 MB."""

WATCHED_AT_ONCE = 500
"""Accounts whose lists are changed in one transaction: some milliseconds."""

LOCK_PAUSE = 0.05
"""Seconds between two attempts to get exclusive access."""

P = ParamSpec("P")
T = TypeVar("T")


_log = Logger()


class Database:
    """A folder with a database and large bodies, open in this process.

    :ivar path: the database's path.
    :ivar bodies: the messages' octets.
    :ivar writer: makes all changes.
    :ivar long_changes: makes changes of many messages, in slices.
    :ivar known: what is known of mailboxes until something changes.
    :ivar changes: tells what has changed in mailboxes.
    :ivar hints: the listeners for changes.
    :ivar search: the search index.
    """

    def __init__(self, path: str, reactor: IReactorFromThreads) -> None:
        self._folder, self.path = (
            (os.path.dirname(path) or ".", path)
            if path.endswith(".sqlite3")
            else (path, os.path.join(path, DATABASE))
        )
        self._reactor = reactor
        self.room = Room(self.path)
        self.bodies = Bodies(reactor, self.path + "-bodies", self.room)
        self._peers = Peers(self.path + "-peers", self._finish_work_of_others)
        self._turns = Turns(self.path, self._peers, BUSY_TIMEOUT)
        self.known = Known(self.read, self._peers.alone_since)
        self.changes = ChangesReader(self.read, self.known, self.pause)
        self.hints = Hints(
            self.read,
            self.known.modseq,
            self.pause,
            reactor,
            self._peers,
            self.known.forget,
            self._sharing_changed,
        )
        self._is_sharing_changed = False  # whether watched accounts are to be told of that
        self.writer = Writer(
            reactor,
            self.path,
            self._committed,
            self.bodies.remove,
            self.room,
            self._turns.turn,
            self.known.forget,
        )
        self.long_changes = LongChanges(self.path, self.writer, IReactorTime(reactor), self._peers)
        self.search = SearchIndex(reactor, self.path, self.bodies)
        # The lists of mailboxes that somebody uses now, by account: its sessions share one.
        self.lists: WeakValueDictionary[int, Entries] = WeakValueDictionary()
        self.lists_in_the_making: set[int] = set()  # accounts
        self._is_alone = False  # whether no other process had it open at the start
        self._reader: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._waiting: deque[Deferred[None]] = deque()
        self._slow_digests = DeferredSemaphore(SLOW_DIGESTS)
        self._underway: set[Deferred[Any]] = set()

    @property
    def process(self) -> str:
        """The name by which other processes see whether this one has ended; "" if they cannot."""
        return self._peers.name

    @property
    def is_only_process(self) -> bool:
        """Whether no other process has it open, as far as can be known."""
        return self._peers.are_told and not self._peers.others()

    async def start(self) -> None:
        """Open files and start threads.

        :raises StoreUnusable: the folder or the database cannot be made, opened or written, or belongs to
            another program.
        """
        self.bodies.start()
        try:
            self._reader = await self.bodies.in_thread(self._open)
        except (sqlite3.Error, OSError) as error:
            self._close_all()
            raise unusable(self.path, error) from error
        except BaseException:
            self._close_all()
            raise
        self.writer.start()
        self.search.start()
        if self.read(any_long_change):
            await self.long_changes.finish_interrupted(FINISHING, is_alone=self._is_alone)
        if self.read(any_lease):
            await self._release_leases_of_gone()
        self.long_changes.clear_later()

    async def stop(self) -> None:
        """Finish running work and close."""
        while self._underway:
            await DeferredList(self._underway)
        self.hints.stop()
        await self.long_changes.stop()
        await self.search.stop()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            await self.writer.stop()
            self._close_files()
        self._turns.close()
        self._peers.close()
        self.room.close()

    def _close_files(self) -> None:
        self.bodies.stop()
        self._release_lock()

    def _close_all(self) -> None:
        """What a start has opened that failed: nobody stops such a store."""
        self._close_files()
        self._peers.close()
        self.room.close()

    def underway(self, result: Deferred[T]) -> Deferred[T]:
        """Make `stop` wait for ``result``."""
        self._underway.add(result)

        def done(value: T) -> T:
            self._underway.discard(result)
            return value

        return result.addBoth(done)

    def to_its_end(self, work: Callable[[Callable[[], bool]], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Do work that must not be cut off in the middle, because a file and a row belong together.

        :param work: a coroutine function.  Its argument tells whether somebody still waits for the result; if
            not, it may end early.
        :returns: the result.  To cancel it ends the wait, but not the work; `stop` waits for that.
        """
        result: Deferred[T] = Deferred()
        running = self.underway(Deferred.fromCoroutine(work(lambda: not result.called)))
        running.addCallbacks(result.callback, result.errback)
        return result

    def read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``work`` with the reading connection.

        :raises Unavailable: the database cannot be read.
        """
        if self._reader is None:
            raise Unavailable(detail="the store is stopped")
        self.search.used()
        try:
            return work(self._reader, *args, **kwargs)
        except sqlite3.Error as error:
            raise unavailable(error, self.path) from error

    async def digested(self, digesting: Digesting) -> Body:
        """The body with its digest; others have their turn in between."""
        body = digesting.go_on()
        if body is None:
            await self._slow_digests.acquire()
            try:
                while (body := digesting.go_on()) is None:
                    await self.pause()
            finally:
                self._slow_digests.release()
        return body

    async def pause(self) -> None:
        """Let the reactor do other work; in each of its iterations, one of the waiting callers
        continues."""
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            # Unlike a delayed call of 0 seconds, this does not depend on the clock.
            self._reactor.callFromThread(self._go_on)
        await turn

    async def wait(self, seconds: float) -> None:
        """Wait so long."""
        await deferLater(IReactorTime(self._reactor), seconds)

    def _go_on(self) -> None:
        turn = self._waiting.popleft()
        if self._waiting:
            self._reactor.callFromThread(self._go_on)
        turn.callback(None)

    def _committed(self, transaction: Transaction) -> None:
        self.hints.committed(transaction)
        self.search.committed()
        if transaction.leaves_work:
            self.long_changes.clear()

    def _sharing_changed(self) -> None:
        """What ``anyone`` sees may have changed: tell the accounts that somebody watches here."""
        if not self._is_sharing_changed and self.hints.watched_accounts():
            self._is_sharing_changed = True
            self.underway(Deferred.fromCoroutine(self._tell_watched()))

    async def _tell_watched(self) -> None:
        await self.pause()  # what changes together is told once
        self._is_sharing_changed = False
        accounts = self.hints.watched_accounts()
        try:
            for start in range(0, len(accounts), WATCHED_AT_ONCE):
                some = accounts[start : start + WATCHED_AT_ONCE]
                await self.writer.run(tell_watched, some, weight=len(some))
        except Exception:
            _log.failure("{path}: cannot tell what anyone may see now", path=self.path)

    def _finish_work_of_others(self) -> None:
        """Finish the long changes of a process that was killed, and give back what it had leased."""
        if self.read(any_long_change):
            Deferred.fromCoroutine(self.long_changes.finish_interrupted())
        if self.read(any_lease):
            self.underway(Deferred.fromCoroutine(self._release_leases_of_gone()))

    async def _release_leases_of_gone(self) -> None:
        try:
            while await self.writer.run(release_some_of_gone, self._peers.is_gone):
                pass
        except Exception:  # they run out by themselves
            _log.failure("{path}: leases of processes that have ended stay", path=self.path)

    def _open(self) -> sqlite3.Connection:
        """Make missing files, clean up after a crash, and open the database."""
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
        self._peers.open()
        return reader

    def _open_files(self) -> sqlite3.Connection:
        self._lock_for_migration()
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
        # With the exclusive lock, this process can remove unused files: no other process can be about to
        # commit a row that refers to one.  The shared lock shows later processes that this one is running.
        if self._take_lock(fcntl.LOCK_EX):
            self.bodies.sweep(reader)
            self._is_alone = True
        # Otherwise another process has it open; a later start without other processes sweeps.
        self._take_lock(fcntl.LOCK_SH, wait=True)

    def _lock_for_migration(self) -> None:
        """Make sure that no program of an earlier version is running, because it would go on writing old
        data.

        :raises StoreUnusable: such a program does not end.
        """
        end = time.monotonic() + ALONE_WITHIN
        while is_earlier(self.path) and not self._take_lock(fcntl.LOCK_EX):
            if self._take_lock(fcntl.LOCK_SH):
                self._release_lock()
                if time.monotonic() > end:
                    raise StoreUnusable(
                        f"{self.path} is of an earlier version, and a program of that version uses it:"
                        " end that first"
                    )
            else:  # another process has the exclusive lock, and is migrating the store
                end = time.monotonic() + ALONE_WITHIN
            time.sleep(LOCK_PAUSE)

    def _take_lock(self, kind: int, *, wait: bool = False) -> bool:
        if self._lock is None:
            self._lock = os.open(self.path + "-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
