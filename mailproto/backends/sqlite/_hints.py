"""Hints that something changed: by this process at once, by others soon after.

A hint says only that it is worth to look again; see `mailproto.interfaces.IMailbox.watch`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from mailproto.backends._watch import Watchers
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import NoSuchAccount, NoSuchMailbox, Unavailable

__all__ = ["POLL_INTERVAL", "Hints"]

POLL_INTERVAL = 0.5
"""Seconds until a change made by another process is noticed."""

AT_ONCE = 1000
"""Mailboxes or accounts that are looked at before others have the reactor: some 2 ms."""


class Hints:
    """The listeners of mailboxes, of accounts and of the directory, for the reactor's thread only.

    :param read: `Database.read`.
    """

    _log = Logger()

    def __init__(self, read: Callable[..., Any], reactor: IReactorFromThreads) -> None:
        self._read = read
        self._mailboxes: Watchers[int] = Watchers()
        self._accounts: Watchers[int] = Watchers()
        self._directory: Watchers[None] = Watchers()
        self._directory_revision = 0
        self._data_version = 0
        self._poll = LoopingCall(lambda: Deferred.fromCoroutine(self._look_for_changes()))
        self._poll.clock = IReactorTime(reactor)

    def watch_mailbox(self, mailbox: int, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        if not self._read(_modseqs, [mailbox]):
            raise NoSuchMailbox
        self._begin_to_poll()
        return self._mailboxes.add(mailbox, listener)

    def watch_account(self, account: int, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        if not self._read(_account_modseqs, [account]):
            raise NoSuchAccount
        self._begin_to_poll()
        return self._accounts.add(account, listener)

    def watch_directory(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        self._begin_to_poll()
        return self._directory.add(None, lambda revision: listener())

    def committed(self, transaction: Transaction) -> None:
        """This process changed something."""
        self._notify(self._mailboxes, transaction.touched)
        self._notify(self._accounts, transaction.accounts)
        if transaction.accounts_changed:
            self._directory.notify(None, 0)

    def stop(self) -> None:
        """Look no more for changes of other processes."""
        if self._poll.running:
            self._poll.stop()

    def _notify(self, watchers: Watchers[int], touched: Mapping[int, int]) -> None:
        for key, modseq in touched.items():
            watchers.notify(key, modseq)

    # -- changes of other processes

    def _begin_to_poll(self) -> None:
        if not self._poll.running:
            self._data_version = self._read(_data_version)
            self._directory_revision = self._read(_directory_revision)
            self._poll.start(POLL_INTERVAL, now=False)

    async def _look_for_changes(self) -> None:
        """Hint at what other processes changed; ours are hinted at twice, which does no harm."""
        if not (self._mailboxes or self._accounts or self._directory):
            self._poll.stop()
            return
        try:
            version = self._read(_data_version)
            if version != self._data_version:
                self._look_at_directory()
                await self._look_at(self._mailboxes, _modseqs)
                await self._look_at(self._accounts, _account_modseqs)
                self._data_version = version
        except Unavailable:
            self._log.failure("Cannot look for changes of other processes")

    async def _look_at(
        self,
        watchers: Watchers[int],
        modseqs: Callable[[sqlite3.Connection, Sequence[int]], Mapping[int, int]],
    ) -> None:
        keys = list(watchers)
        for start in range(0, len(keys), AT_ONCE):
            if start:
                await deferLater(self._poll.clock, 0)
                if not self._poll.running:  # the store was stopped
                    return
            self._notify(watchers, self._read(modseqs, keys[start : start + AT_ONCE]))

    def _look_at_directory(self) -> None:
        revision = self._read(_directory_revision)
        if revision != self._directory_revision:
            self._directory_revision = revision
            self._directory.notify(None, revision)


def _directory_revision(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT revision FROM directory").fetchone()[0])


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
