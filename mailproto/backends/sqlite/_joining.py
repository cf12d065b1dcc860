"""A migration: accounts are found by the `account_key` of their names.

Earlier versions used the case-folded name, so that one name could have several accounts: one composed and
one decomposed, or one with U-labels and one with A-labels.  One of them keeps the name.  No mail is lost.
Accounts with mail are not merged, because they may belong to different people.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from mailproto.accounts import account_key, invisible_in

__all__ = ["join_accounts"]

_FIRST_MAILBOXES = ("INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash")
"""The mailboxes of a new account when this migration was written."""


class _Account(NamedTuple):
    id: int
    folded: str
    name: str
    record: str
    is_used: bool

    @property
    def kept(self) -> str:
        """The name to store."""
        return unicodedata.normalize("NFC", self.name)


def join_accounts(connection: sqlite3.Connection) -> list[str]:
    """Change the key of every account, and resolve conflicts.

    If several accounts have one key, a used one keeps the name, preferably the one with the canonical
    form.  Another account that never had a message or its own mailbox is removed; its password is kept if
    the first one has none.  Any other account gets a new name, and keeps its mail and its password.

    :returns: lines for the operator.
    """
    by_key: defaultdict[str, list[_Account]] = defaultdict(list)
    for account in _accounts(connection):
        by_key[account_key(account.kept)].append(account)
    reports: list[str] = []
    # Keys are unique, and one account's new key may be another one's old key.
    connection.execute("UPDATE accounts SET folded = hex(randomblob(16))")
    for key, accounts in list(by_key.items()):
        first, *others = sorted(accounts, key=lambda each: (not each.is_used, each.folded != key, each.id))
        _set_name(connection, first, first.kept)
        if unseen := invisible_in(first.name):
            reports.append(f"no account can be made with {unseen} any more; this one stays: {first.name!a}")
        for other in others:
            if other.is_used:
                name = _free_name(other.kept, by_key)
                _set_name(connection, other, name)
                reports.append(
                    f"accounts {first.name!a} and {other.name!a} have one name, and both have been used: the"
                    f" first keeps it, the second is {name} now, with its mail and its password."
                    f" To be rid of it, move its mail and run: mailproto user delete {name}"
                )
                continue
            reports.append(
                f"accounts {first.name!a} and {other.name!a} have one name:"
                f" the second, which has never been used, is removed"
            )
            _remove(connection, other)
            if other.record and not first.record:
                first = first._replace(record=other.record)
                connection.execute(
                    "UPDATE accounts SET password_hash = ? WHERE id = ?", (other.record, first.id)
                )
                reports[-1] += ", and its password is the first one's"
    if reports:
        connection.execute("UPDATE directory SET revision = revision + 1")
    return reports


def _accounts(connection: sqlite3.Connection) -> Iterator[_Account]:
    unused = ", ".join(f"'{name}'" for name in _FIRST_MAILBOXES)
    rows = connection.execute(
        "SELECT id, folded, name, password_hash, EXISTS (SELECT 1 FROM mailboxes WHERE account = accounts.id"  # noqa: S608
        f" AND (uid_next > 1 OR name NOT IN ({unused}))) FROM accounts ORDER BY id"
    )
    for id_, folded, name, record, is_used in rows.fetchall():
        yield _Account(id_, folded, name, record, bool(is_used))


def _set_name(connection: sqlite3.Connection, account: _Account, name: str) -> None:
    connection.execute(
        "UPDATE accounts SET folded = ?, name = ? WHERE id = ?", (account_key(name), name, account.id)
    )


def _free_name(name: str, by_key: defaultdict[str, list[_Account]]) -> str:
    """``NAME-2@DOMAIN``, or the next free number."""
    local, at, domain = name.rpartition("@")
    if not at:
        local, domain = domain, ""
    number = 2
    while (key := account_key(f"{local}-{number}{at}{domain}")) in by_key:
        number += 1
    by_key[key] = []
    return f"{local}-{number}{at}{domain}"


def _remove(connection: sqlite3.Connection, account: _Account) -> None:
    """Remove an account that was never used."""
    for table in ("mailboxes", "subscriptions", "retired"):
        connection.execute(f"DELETE FROM {table} WHERE account = ?", (account.id,))  # noqa: S608
    connection.execute("DELETE FROM accounts WHERE id = ?", (account.id,))
