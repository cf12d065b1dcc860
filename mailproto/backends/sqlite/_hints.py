"""Calls listeners after changes: at once for this process, within some 50 ms for others.

A hint only means that something may have changed; see `mailproto.interfaces.IMailbox.watch`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from mailproto._logger import PackageLogger
from mailproto.backends._watch import Watchers
from mailproto.backends.sqlite._peers import Peers
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import NoSuchAccount, NoSuchMailbox, Unavailable

__all__ = ["Hints"]

PAUSE = 0.05
"""Seconds between checks for other processes' changes, while there are changes."""

LOOK_INTERVAL = 1.0
"""Seconds until a change without a signal is noticed; without sockets, it is `PAUSE`."""

GONE = (1 << 63) - 1
"""The modseq of a hint after another process' deletion: greater than every modseq (RFC 7162 7)."""

AT_ONCE = 1000
"""Mailboxes or accounts that are checked in one turn of the reactor: some 2 ms."""


class Hints:
    """The listeners of mailboxes, accounts, the directory and the queue; only for the reactor's thread.

    A thread waits for signals from other processes.  It does not use the reactor's clock, because that may
    be set back.

    :param read: `Database.read`.
    :param modseq: `Known.modseq`.
    :param pause: `Database.pause`.
    :param changed: called before listeners are told of other processes' changes.
    :param sharing_changed: called when what ``anyone`` sees may have changed, in any process.
    """

    _log = PackageLogger()

    def __init__(
        self,
        read: Callable[..., Any],
        modseq: Callable[[int], int],
        pause: Callable[[], Awaitable[None]],
        reactor: IReactorFromThreads,
        peers: Peers,
        changed: Callable[[], None],
        sharing_changed: Callable[[], None],
    ) -> None:
        self._read = read
        self._modseq = modseq
        self._pause = pause
        self._reactor = reactor
        self._peers = peers
        self._changed = changed
        self._sharing_changed = sharing_changed
        self._mailboxes: Watchers[int] = Watchers()
        self._accounts: Watchers[int] = Watchers()
        self._directory: Watchers[None] = Watchers()
        self._queue: Watchers[None] = Watchers()
        self._directory_revision = self._sharing = 0
        self._queue_revision = 0
        self._data_version = 0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._is_looking = False

    def watch_mailbox(self, mailbox: int, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        if not self._modseq(mailbox):
            raise NoSuchMailbox
        self._begin_to_listen()
        return self._mailboxes.add(mailbox, listener)

    def watch_account(self, account: int, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        if not self._read(_account_modseqs, [account]):
            raise NoSuchAccount
        self._begin_to_listen()
        return self._accounts.add(account, listener)

    def watch_directory(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        self._begin_to_listen()
        return self._directory.add(None, lambda revision: listener())

    def watch_queue(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IQueue.watch`."""
        self._begin_to_listen()
        return self._queue.add(None, lambda revision: listener())

    def watched_accounts(self) -> Sequence[int]:
        """The accounts of which somebody wants to hear."""
        return list(self._accounts)

    def committed(self, transaction: Transaction) -> None:
        """Call the listeners after a commit of this process."""
        if (
            transaction.touched
            or transaction.accounts
            or transaction.accounts_changed
            or transaction.sharing_changed
            or transaction.queue_changed
        ):
            self._peers.tell()
        self._notify(self._mailboxes, transaction.touched)
        self._notify(self._accounts, transaction.accounts)
        if transaction.accounts_changed:
            self._directory.notify(None, 0)
        if transaction.sharing_changed:
            self._sharing_changed()
        if transaction.queue_changed:
            self._queue.notify(None, 0)

    def stop(self) -> None:
        """Stop watching for other processes' changes."""
        self._stopped.set()
        self._peers.wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _notify(self, watchers: Watchers[int], touched: Mapping[int, int]) -> None:
        for key, modseq in touched.items():
            watchers.notify(key, modseq)

    # -- changes of other processes

    def _begin_to_listen(self) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._data_version = self._read(_data_version)
            self._directory_revision, self._sharing = self._read(_directory_revisions)
            self._queue_revision = self._read(_queue_revision)
            self._thread = threading.Thread(target=self._listen, name="mailproto-sqlite-hints", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        """In the thread: let the reactor check when another process signals, and from time to time."""
        interval = LOOK_INTERVAL if self._peers.are_told else PAUSE
        while not self._stopped.is_set():
            told = self._peers.wait(interval)
            if not self._stopped.is_set():
                self._reactor.callFromThread(self._look)
            if told:
                self._stopped.wait(PAUSE)

    def _look(self) -> None:
        # A running check notices at its end that there is more.
        if not self._is_looking and not self._stopped.is_set():
            self._is_looking = True
            Deferred.fromCoroutine(self._look_for_changes())

    async def _look_for_changes(self) -> None:
        """Call the listeners for other processes' changes; ours are reported twice, which is harmless."""
        try:
            while not self._stopped.is_set() and (version := self._read(_data_version)) != self._data_version:
                self._data_version = version
                self._changed()
                self._look_at_directory()
                self._look_at_queue()
                await self._look_at(self._mailboxes, _modseqs)
                await self._look_at(self._accounts, _account_modseqs)
        except Unavailable:
            self._data_version = 0  # check again next time
            self._log.failure("Cannot look for changes of other processes")
        finally:
            self._is_looking = False

    async def _look_at(
        self,
        watchers: Watchers[int],
        modseqs: Callable[[sqlite3.Connection, Sequence[int]], dict[int, int]],
    ) -> None:
        keys = list(watchers)
        for start in range(0, len(keys), AT_ONCE):
            if start:
                await self._pause()
                if self._stopped.is_set():
                    return
            some = keys[start : start + AT_ONCE]
            self._notify(watchers, dict.fromkeys(some, GONE) | self._read(modseqs, some))

    def _look_at_directory(self) -> None:
        revision, sharing = self._read(_directory_revisions)
        if revision != self._directory_revision:
            self._directory_revision = revision
            self._directory.notify(None, revision)
        if sharing != self._sharing:
            self._sharing = sharing
            self._sharing_changed()

    def _look_at_queue(self) -> None:
        revision = self._read(_queue_revision)
        if revision != self._queue_revision:
            self._queue_revision = revision
            self._queue.notify(None, revision)


def _directory_revisions(connection: sqlite3.Connection) -> tuple[int, int]:
    """That of the accounts, and that of what ``anyone`` sees."""
    revision, sharing = connection.execute("SELECT revision, sharing FROM directory").fetchone()
    return revision, sharing


def _queue_revision(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT revision FROM queue_counts").fetchone()[0])


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _modseqs(connection: sqlite3.Connection, mailboxes: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(
        "SELECT id, modseq FROM mailboxes WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(mailboxes),),
    )
    return dict(rows.fetchall())


def _account_modseqs(connection: sqlite3.Connection, accounts: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(
        "SELECT id, modseq FROM accounts WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(accounts),),
    )
    return dict(rows.fetchall())
