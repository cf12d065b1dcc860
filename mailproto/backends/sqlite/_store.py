"""The store: one folder, one database, one writer."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.backends._watch import Watchers
from mailproto.backends.sqlite._account import SQLiteAccount, SQLiteDirectory
from mailproto.backends.sqlite._bodies import LARGE, Bodies
from mailproto.backends.sqlite._changing import forget_tombstones
from mailproto.backends.sqlite._failures import unavailable
from mailproto.backends.sqlite._mailbox import arrival
from mailproto.backends.sqlite._placing import Delivery, deliver_all
from mailproto.backends.sqlite._schema import connect, prepare
from mailproto.backends.sqlite._writer import Transaction, Writer
from mailproto.errors import MailError, NoSuchMailbox, Unavailable
from mailproto.interfaces import IStore
from mailproto.model import NewMessage

__all__ = ["DATABASE", "POLL_INTERVAL", "SQLiteStore"]

DATABASE = "mail.sqlite3"
"""The database's name in the store's folder."""

POLL_INTERVAL = 0.5
"""Seconds until a change made by another process is noticed by who watches."""

AT_ONCE = 1000
"""Mailboxes that are looked at before others have the reactor: some 2 ms."""

P = ParamSpec("P")
T = TypeVar("T")


@implementer(IStore)
class SQLiteStore:
    """Everybody's mail in one folder (made if missing, mode 0700).

    Several processes may have it open: each sees what the others do.

    :param path: the folder, or the database in it, where its name ends in ``.sqlite3``.
    """

    _log = Logger()

    def __init__(self, path: str, *, reactor: IReactorFromThreads) -> None:
        self._folder, self.path = (
            (os.path.dirname(path) or ".", path)
            if path.endswith(".sqlite3")
            else (path, os.path.join(path, DATABASE))
        )
        self.directory = SQLiteDirectory(self)
        self.bodies = Bodies(reactor, self.path + "-bodies")
        self.writer = Writer(reactor, self.path, self._committed, self.bodies.remove)
        self._reader: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._watchers: Watchers[int] = Watchers()
        self._account_watchers: Watchers[None] = Watchers()
        self._accounts_revision = 0
        self._poll = LoopingCall(lambda: Deferred.fromCoroutine(self._look_for_changes()))
        self._poll.clock = IReactorTime(reactor)
        self._data_version = 0
        self._underway: set[Deferred[Any]] = set()

    async def start(self) -> None:
        """See `IStore.start`.

        :raises WrongDatabase: when the file is something else, or of a later version.
        :raises OSError: when the folder cannot be made or written, or the database cannot be opened.
        """
        self.bodies.start()
        try:
            self._reader = await self.bodies.in_thread(self._open)
        except sqlite3.Error as error:
            self.bodies.stop()
            raise OSError(f"{self.path}: {error}") from error
        except BaseException:
            self.bodies.stop()
            raise
        self.writer.start()

    async def stop(self) -> None:
        """See `IStore.stop`."""
        while self._underway:
            await DeferredList(self._underway)
        if self._poll.running:
            self._poll.stop()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
            await self.writer.stop()
            self.bodies.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def account(self, name: str) -> SQLiteAccount:
        """See `IStore.account`."""
        return self.directory.account(name)

    def deliver(self, names: Sequence[str], message: NewMessage) -> Deferred[Sequence[MailError | None]]:
        """See `IStore.deliver`."""
        folded = [account_key(name) for name in names]

        def failed(failure: Failure) -> Sequence[MailError | None]:
            if isinstance(failure.value, MailError):
                return [failure.value] * len(names)
            return failure.raiseException()

        if len(message.content) > LARGE:
            delivered = self.underway(Deferred.fromCoroutine(self._deliver_large(folded, message)))
            return delivered.addErrback(failed)
        # The usual case, of which there are thousands a second: one Deferred, no coroutine.
        try:
            arrived = arrival(message, self.bodies.small(message.content))
        except MailError as error:
            return succeed([error] * len(names))
        return self.writer.submit(deliver_all, Delivery(folded, arrived)).addErrback(failed)

    # For the parts of the store

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

    def watch(self, mailbox: int, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        if not self.read(_modseqs, [mailbox]):
            raise NoSuchMailbox
        self._begin_to_poll()
        return self._watchers.add(mailbox, listener)

    def watch_accounts(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        self._begin_to_poll()
        return self._account_watchers.add(None, lambda revision: listener())

    # Inside

    def _begin_to_poll(self) -> None:
        if not self._poll.running:
            self._data_version = self.read(_data_version)
            self._accounts_revision = self.read(_accounts_revision)
            self._poll.start(POLL_INTERVAL, now=False)

    async def _deliver_large(self, folded: Sequence[str], message: NewMessage) -> Sequence[MailError | None]:
        body = await self.bodies.large(message.content)
        outcomes: Sequence[MailError | None] = ()
        try:
            outcomes = await self.writer.submit(deliver_all, Delivery(folded, arrival(message, body)))
        finally:
            if None not in outcomes and body.file:
                self.bodies.remove([body.file])
        return outcomes

    def _open(self) -> sqlite3.Connection:
        """Make what is missing, clear away what a crash left, and open the database."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        prepare(self.path)
        self.bodies.make_folder()
        reader = connect(self.path)
        # Whoever is alone here knows that no other process is about to name a file that no
        # row names yet; the shared lock tells the others that they are not alone.
        self._lock = os.open(self.path + "-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.bodies.sweep(reader)
            forget_tombstones(reader)
        except BlockingIOError:
            pass  # somebody else is here, and sweeps when alone
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        return reader

    def _committed(self, transaction: Transaction) -> None:
        self._hint(transaction.touched)
        if transaction.accounts_changed:
            self._account_watchers.notify(None, 0)

    def _hint(self, touched: Mapping[int, int]) -> None:
        for mailbox, modseq in touched.items():
            self._watchers.notify(mailbox, modseq)

    async def _look_for_changes(self) -> None:
        """Hint at what other processes changed; ours are hinted at twice, which does no harm."""
        if not self._watchers and not self._account_watchers:
            self._poll.stop()
            return
        try:
            version = self.read(_data_version)
            if version != self._data_version:
                self._look_for_changes_of_accounts()
                await self._look_at(list(self._watchers))
                self._data_version = version
        except Unavailable:
            self._log.failure("Cannot look for changes of other processes")

    async def _look_at(self, mailboxes: Sequence[int]) -> None:
        for start in range(0, len(mailboxes), AT_ONCE):
            if start:
                await deferLater(self._poll.clock, 0)
                if not self._poll.running:  # the store was stopped
                    return
            self._hint(self.read(_modseqs, mailboxes[start : start + AT_ONCE]))

    def _look_for_changes_of_accounts(self) -> None:
        revision = self.read(_accounts_revision)
        if revision != self._accounts_revision:
            self._accounts_revision = revision
            self._account_watchers.notify(None, revision)


def _accounts_revision(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT revision FROM directory").fetchone()[0])


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _modseqs(connection: sqlite3.Connection, mailboxes: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(
        "SELECT id, modseq FROM mailboxes WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(mailboxes),),
    )
    return dict(rows.fetchall())
