"""The access keys of mailboxes (RFC 4467)."""

from __future__ import annotations

import secrets
import sqlite3

from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import NoSuchMailbox

__all__ = ["OCTETS", "forget_keys", "key_of", "make_key"]

OCTETS = 32
"""Octets of a key."""


def key_of(connection: sqlite3.Connection, mailbox: int) -> bytes | None:
    """The key of a mailbox, or None if it has none."""
    row = connection.execute("SELECT access_key FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    return None if row is None else row[0]


# In the writer's thread


def make_key(transaction: Transaction, mailbox: int) -> bytes:
    """Make a key for a mailbox that had none; returns the one that it has."""
    row = transaction.execute(
        "UPDATE mailboxes SET access_key = coalesce(access_key, ?) WHERE id = ? RETURNING access_key",
        (secrets.token_bytes(OCTETS), mailbox),
    ).fetchone()
    if row is None:
        raise NoSuchMailbox
    return bytes(row[0])


def forget_keys(transaction: Transaction, account: int, mailbox: int | None) -> None:
    """Forget the key of a mailbox, or those of all mailboxes of an account."""
    which, value = ("account", account) if mailbox is None else ("id", mailbox)
    transaction.execute(f"UPDATE mailboxes SET access_key = NULL WHERE {which} = ?", (value,))  # noqa: S608
