# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Quotas: what accounts use, what they may, and the check of that in the writer."""

from __future__ import annotations

import sqlite3

from mailproto.accounts import account_key
from mailproto.backends._usage import full, quota
from mailproto.backends.sqlite._flagbits import DELETED_BIT
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import NoSuchAccount
from mailproto.model import NO_LIMIT, Quota, QuotaLimits

__all__ = [
    "LIMITS",
    "ROOM",
    "check_room",
    "deleted_storage",
    "limits_of",
    "quota_of",
    "quota_of_name",
    "set_default_limits",
    "set_limits",
]

_OCTETS, _MESSAGES = (
    f"coalesce(accounts.{kind}_limit, default_limits.{kind}, {NO_LIMIT})" for kind in ("octets", "messages")
)

LIMITS = "CROSS JOIN default_limits"
"""The table that `ROOM` needs besides ``accounts``."""

ROOM = f"{_OCTETS} - accounts.octets, {_MESSAGES} - accounts.messages"
"""The columns for how many octets and messages an account may still get; less than 0 if it has too many."""

_QUOTA = (
    f"SELECT accounts.octets, {_OCTETS}, accounts.messages, {_MESSAGES}, coalesce(names.number, 0)"
    f" FROM accounts {LIMITS}"
    " LEFT JOIN names ON names.account = accounts.id AND names.kind = 'mailboxes'"
)


def quota_of(connection: sqlite3.Connection, account: int) -> Quota:
    """See `IQuota.quota`.  :raises NoSuchAccount:"""
    return _quota(connection, "accounts.id = ?", account)


def quota_of_name(connection: sqlite3.Connection, name: str) -> Quota:
    """See `IQuotas.quota_of`."""
    return _quota(connection, "accounts.folded = ?", account_key(name))


def _quota(connection: sqlite3.Connection, which: str, value: object) -> Quota:
    row = connection.execute(f"{_QUOTA} WHERE {which}", (value,)).fetchone()
    if row is None:
        raise NoSuchAccount
    octets, most_octets, messages, most_messages, mailboxes = row
    return quota((octets, most_octets), (messages, most_messages), mailboxes)


def limits_of(connection: sqlite3.Connection, name: str) -> QuotaLimits:
    """See `IQuotas.limits_of`."""
    row = connection.execute(
        "SELECT octets_limit, messages_limit FROM accounts WHERE folded = ?", (account_key(name),)
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    return QuotaLimits(*row)


def deleted_storage(connection: sqlite3.Connection, mailbox: int) -> int:
    """The octets of the messages with ``\\Deleted``; reads the mailbox only if there are any."""
    [octets] = connection.execute(
        "SELECT CASE WHEN deleted = 0 THEN 0 ELSE (SELECT coalesce(sum(size), 0) FROM messages NOT INDEXED"
        f" WHERE mailbox = mailboxes.id AND flags & {DELETED_BIT}) END FROM mailboxes WHERE id = ?",
        (mailbox,),
    ).fetchone() or (0,)
    return int(octets)


# In the writer's thread


def check_room(transaction: Transaction, account: int) -> None:
    """Check an account to which something has been added.

    :raises OverQuota: it has too much now; the writer undoes what was done.
    """
    room = transaction.execute(
        f"SELECT {ROOM} FROM accounts {LIMITS} WHERE accounts.id = ?",
        (account,),
    ).fetchone()
    if room is not None and min(room) < 0:
        raise full()


def set_limits(transaction: Transaction, name: str, limits: QuotaLimits) -> None:
    """See `IQuotas.set_limits`."""
    changed = transaction.execute(
        "UPDATE accounts SET octets_limit = ?, messages_limit = ? WHERE folded = ?",
        (limits.storage, limits.messages, account_key(name)),
    )
    if not changed.rowcount:
        raise NoSuchAccount


def set_default_limits(transaction: Transaction, limits: QuotaLimits) -> None:
    """See `IQuotas.set_default_limits`."""
    transaction.execute(
        "UPDATE default_limits SET octets = :octets, messages = :messages"
        " WHERE octets IS NOT :octets OR messages IS NOT :messages",
        {"octets": limits.storage, "messages": limits.messages},
    )
