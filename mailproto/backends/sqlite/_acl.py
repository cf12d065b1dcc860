# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""The rights of others to mailboxes (RFC 4314)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence, Set

from mailproto.accounts import account_key
from mailproto.backends._rights import ANYONE, check_identifiers
from mailproto.backends._sharing import Shared
from mailproto.backends.sqlite._reading import snapshot
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import NoSuchMailbox

__all__ = ["acl_of", "forget_viewer", "inherit", "keep_acl", "shared_with", "tell_viewers", "tell_watched"]

_AT_ONCE = 200
"""Mailboxes that are read in one turn of the reactor."""


def acl_of(connection: sqlite3.Connection, mailbox: int) -> dict[str, str]:
    """The rights by identifier.  :raises NoSuchMailbox:"""
    rows = connection.execute(
        "SELECT identifier, rights FROM mailboxes LEFT JOIN acl ON acl.mailbox = mailboxes.id WHERE id = ?",
        (mailbox,),
    ).fetchall()
    if not rows:
        raise NoSuchMailbox
    return {identifier: rights for identifier, rights in rows if identifier is not None}


def shared_with(connection: sqlite3.Connection, identifier: str, after: int) -> list[Shared]:
    """The next mailboxes that give rights to an identifier, by id, those after ``after``."""
    with snapshot(connection):
        rows = connection.execute(
            "SELECT mailboxes.id, accounts.name, mailboxes.name FROM acl INDEXED BY acl_identifiers"
            " JOIN mailboxes ON mailboxes.id = acl.mailbox JOIN accounts ON accounts.id = mailboxes.account"
            " WHERE acl.identifier = ? AND acl.mailbox > ? ORDER BY acl.mailbox LIMIT ?",
            (identifier, after, _AT_ONCE),
        ).fetchall()
        acls: dict[int, dict[str, str]] = {id_: {} for id_, _, _ in rows}
        for id_, each, rights in connection.execute(
            "SELECT mailbox, identifier, rights FROM acl WHERE mailbox IN (SELECT value FROM json_each(?))",
            (json.dumps(list(acls)),),
        ):
            acls[id_][each] = rights
    return [Shared(id_, owner, name, acls[id_]) for id_, owner, name in rows]


# In the writer's thread


def keep_acl(transaction: Transaction, account: int, mailbox: int, identifier: str, rights: str) -> None:
    """Set the rights of an identifier; "" removes it."""
    if rights:
        transaction.execute(
            "INSERT INTO acl SELECT id, ?, ? FROM mailboxes WHERE id = ?"
            " ON CONFLICT DO UPDATE SET rights = excluded.rights",
            (identifier, rights, mailbox),
        )
        _check_number(transaction, account)
    else:
        transaction.execute("DELETE FROM acl WHERE mailbox = ? AND identifier = ?", (mailbox, identifier))
    row = transaction.execute(
        "UPDATE accounts SET modseq = modseq + 1, listed = modseq + 1 WHERE id = ? RETURNING modseq",
        (account,),
    ).fetchone()
    if row is None:
        raise NoSuchMailbox
    transaction.accounts[account] = row[0]
    _tell(transaction, account, {identifier})


def tell_viewers(transaction: Transaction, account: int, which: str, those: tuple[object, ...]) -> None:
    """Names of the account's mailboxes that match ``which`` come or go: tell those who see them."""
    rows = transaction.execute(
        f"SELECT DISTINCT identifier FROM acl WHERE mailbox IN (SELECT id FROM mailboxes WHERE {which})",
        those,
    ).fetchall()
    if rows:
        _tell(transaction, account, {identifier for (identifier,) in rows})


def _tell(transaction: Transaction, owner: int, identifiers: Set[str]) -> None:
    """The lists of mailboxes of the accounts with these identifiers may have changed.

    ``anyone`` may be a hundred thousand accounts.  So each process changes the lists of those only that it
    watches (`tell_watched`), when it sees that ``sharing`` has risen.
    """
    keys = {identifier.removeprefix("-") for identifier in identifiers}
    if ANYONE in keys:
        transaction.execute("UPDATE directory SET sharing = sharing + 1")
        transaction.sharing_changed = True
    _list_changed(transaction, "folded IN (SELECT value FROM json_each(?)) AND id != ?", list(keys), owner)


def tell_watched(transaction: Transaction, accounts: Sequence[int]) -> None:
    """The lists of mailboxes of accounts may have changed, because ``anyone`` sees something else."""
    _list_changed(transaction, "id IN (SELECT value FROM json_each(?))", accounts)


def _list_changed(transaction: Transaction, which: str, keys: Sequence[object], *more: object) -> None:
    for account, modseq in transaction.execute(
        f"UPDATE accounts SET modseq = modseq + 1, listed = modseq + 1 WHERE {which} RETURNING id, modseq",
        (json.dumps(keys), *more),
    ).fetchall():
        transaction.accounts[account] = modseq


def inherit(transaction: Transaction, account: int, mailbox: int, above: str) -> bool:
    """Give a new mailbox the rights of the one above it; returns whether that has some."""
    given = transaction.execute(
        "INSERT INTO acl SELECT ?, identifier, rights FROM acl WHERE mailbox ="
        " (SELECT id FROM mailboxes WHERE account = ? AND name = ?)",
        (mailbox, account, above),
    )
    if given.rowcount:
        _check_number(transaction, account)
    return bool(given.rowcount)


def _check_number(transaction: Transaction, account: int) -> None:
    """:raises LimitReached: there are too many; the writer undoes what was done."""
    [number] = transaction.execute(
        "SELECT count(*) FROM acl WHERE mailbox IN (SELECT id FROM mailboxes WHERE account = ?)", (account,)
    ).fetchone()
    check_identifiers(number)


def forget_viewer(transaction: Transaction, account: int, name: str) -> None:
    """Forget the rights and the private annotations of an account that is deleted."""
    key = account_key(name)
    transaction.execute("DELETE FROM acl WHERE identifier IN (?, ?)", (key, "-" + key))
    transaction.execute("DELETE FROM annotations WHERE viewer = ?", (account,))
