"""The directory of a store's accounts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress

from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.backends.sqlite import _tree
from mailproto.backends.sqlite._account import SQLiteAccount
from mailproto.backends.sqlite._database import Database
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IAccountChanges, IDirectory

__all__ = ["SQLiteDirectory"]


@implementer(IDirectory, IAccountChanges)
class SQLiteDirectory:
    """The accounts, as the database has them now: other processes change it, too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self) -> Sequence[str]:
        """See `IDirectory.names`."""
        return self._database.read(_names)

    async def find(self, name: str) -> str:
        """See `IDirectory.find`."""
        return self._database.known.account(name).name

    async def password_hash(self, name: str) -> str:
        """See `IDirectory.password_hash`."""
        return self._database.known.account(name).password_hash

    async def add(self, name: str, password_hash: str) -> None:
        """See `IDirectory.add`."""
        await self._database.writer.run(_tree.add_account, name, password_hash)

    async def set_password_hash(self, name: str, password_hash: str, *, replacing: str | None = None) -> None:
        """See `IDirectory.set_password_hash`."""
        await self._database.writer.run(_tree.set_password_hash, name, password_hash, replacing)

    async def delete(self, name: str) -> None:
        """See `IDirectory.delete`."""
        await self._database.writer.run(_tree.delete_account, name)

    async def revisions(self, names: Sequence[str]) -> Mapping[str, Hashable]:
        """See `IAccountChanges.revisions`."""
        if len(names) == 1:  # of one who signs in
            with suppress(NoSuchAccount):
                return {names[0]: self._database.known.account(names[0]).revision}
            return {}
        return self._database.read(_revisions, names)

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        return self._database.hints.watch_directory(listener)

    def account(self, name: str) -> SQLiteAccount:
        """:raises NoSuchAccount:"""
        row = self._database.known.account(name)
        return SQLiteAccount(self._database, row.id, row.name)


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
