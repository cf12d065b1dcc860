"""One account's mailboxes, and the directory of all accounts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.backends._listing import entries
from mailproto.backends.sqlite import _reading, _tree
from mailproto.backends.sqlite._mailbox import SQLiteMailbox
from mailproto.errors import NoSuchAccount, NoSuchMailbox
from mailproto.interfaces import IAccount, IAccountChanges, IDirectory
from mailproto.model import MailboxEntry, MailboxStatus, canonical_mailbox_name

if TYPE_CHECKING:
    from mailproto.backends.sqlite._store import SQLiteStore

__all__ = ["SQLiteAccount", "SQLiteDirectory"]


@implementer(IAccount)
class SQLiteAccount:
    """An account by its id: one that is made anew under the same name is another."""

    def __init__(self, store: SQLiteStore, id_: int, name: str) -> None:
        self.name = name
        self._store = store
        self._id = id_

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        return self._store.read(_list, self._id)

    async def open(self, name: str) -> SQLiteMailbox:
        """See `IAccount.open`."""
        name = canonical_mailbox_name(name)
        id_, uid_validity = self._store.read(_find, self._id, name)
        return SQLiteMailbox(self._store, id_, name, uid_validity)

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        await self._store.writer.run(_tree.create, self._id, name, special_use)

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        await self._store.writer.run(_tree.delete, self._id, name)

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`."""
        await self._store.writer.run(_tree.rename, self._id, old, new)

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        await self._store.writer.run(_tree.subscribe, self._id, name)

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        await self._store.writer.run(_tree.unsubscribe, self._id, name)

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        return self._store.read(_statuses, self._id, names)


@implementer(IDirectory, IAccountChanges)
class SQLiteDirectory:
    """The accounts; asked anew each time, because other processes change them, too."""

    def __init__(self, store: SQLiteStore) -> None:
        self._store = store

    async def names(self) -> Sequence[str]:
        """See `IDirectory.names`."""
        return self._store.read(_names)

    async def find(self, name: str) -> str:
        """See `IDirectory.find`."""
        return self.account(name).name

    async def password_hash(self, name: str) -> str:
        """See `IDirectory.password_hash`."""
        return self._store.read(_account, name)[2]

    async def add(self, name: str, password_hash: str) -> None:
        """See `IDirectory.add`."""
        await self._store.writer.run(_tree.add_account, name, password_hash)

    async def set_password_hash(self, name: str, password_hash: str, *, replacing: str | None = None) -> None:
        """See `IDirectory.set_password_hash`."""
        await self._store.writer.run(_tree.set_password_hash, name, password_hash, replacing)

    async def delete(self, name: str) -> None:
        """See `IDirectory.delete`."""
        await self._store.writer.run(_tree.delete_account, name)

    async def revisions(self, names: Sequence[str]) -> Mapping[str, Hashable]:
        """See `IAccountChanges.revisions`."""
        return self._store.read(_revisions, names)

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        return self._store.watch_accounts(listener)

    def account(self, name: str) -> SQLiteAccount:
        """:raises NoSuchAccount:"""
        id_, kept, _ = self._store.read(_account, name)
        return SQLiteAccount(self._store, id_, kept)


def _list(connection: sqlite3.Connection, account: int) -> list[MailboxEntry]:
    with _reading.snapshot(connection):
        mailboxes: dict[str, str | None] = dict(
            connection.execute(
                "SELECT name, special_use FROM mailboxes WHERE account = ?", (account,)
            ).fetchall()
        )
        subscribed = connection.execute(
            "SELECT name FROM subscriptions WHERE account = ?", (account,)
        ).fetchall()
    if not mailboxes:  # there is always an INBOX
        raise NoSuchAccount
    return entries(mailboxes, {name for (name,) in subscribed})


def _find(connection: sqlite3.Connection, account: int, name: str) -> tuple[int, int]:
    row = connection.execute(
        "SELECT id, uid_validity FROM mailboxes WHERE account = ? AND name = ?", (account, name)
    ).fetchone()
    if row is None:
        _see_that_it_is_there(connection, account)
        raise NoSuchMailbox
    return row[0], row[1]


def _statuses(connection: sqlite3.Connection, account: int, names: Sequence[str]) -> dict[str, MailboxStatus]:
    with _reading.snapshot(connection):
        _see_that_it_is_there(connection, account)
        found: dict[str, MailboxStatus] = {}
        for name in names:
            which = " WHERE account = ? AND name = ?"
            for status in _reading.statuses(
                connection, which, (account, canonical_mailbox_name(name))
            ).values():
                found[name] = status
    return found


def _see_that_it_is_there(connection: sqlite3.Connection, account: int) -> None:
    if connection.execute("SELECT 1 FROM accounts WHERE id = ?", (account,)).fetchone() is None:
        raise NoSuchAccount


def _names(connection: sqlite3.Connection) -> list[str]:
    return sorted(name for (name,) in connection.execute("SELECT name FROM accounts"))


def _revisions(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    folded = {name: account_key(name) for name in names}
    rows = connection.execute(
        "SELECT folded, revision FROM accounts WHERE folded IN (SELECT value FROM json_each(?))",
        (json.dumps(list(folded.values())),),
    )
    found: dict[str, int] = dict(rows.fetchall())
    return {name: found[key] for name, key in folded.items() if key in found}


def _account(connection: sqlite3.Connection, name: str) -> tuple[int, str, str]:
    row = connection.execute(
        "SELECT id, name, password_hash FROM accounts WHERE folded = ?", (account_key(name),)
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    return row[0], row[1], row[2]
