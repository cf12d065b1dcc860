# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Annotations in the database: reads, and work for the writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from mailproto.backends._annotations import check_number, is_private
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import NoSuchMailbox, TooManyAnnotations

__all__ = [
    "SERVER_ID",
    "annotate",
    "annotations_since",
    "copy_annotations",
    "entries_of",
    "remove_annotations",
    "values_of",
]

SERVER_ID = 0
"""Stands for the server among the ids of mailboxes."""


def entries_of(connection: sqlite3.Connection, *where: int) -> list[str]:
    """The entries that have a value, sorted.

    :param where: the account, the mailbox and the viewer.
    """
    rows = connection.execute(f"SELECT entry FROM annotations WHERE {_THERE} ORDER BY entry", where)
    return [entry for (entry,) in rows]


def values_of(connection: sqlite3.Connection, *where: int, entries: Sequence[str]) -> dict[str, bytes]:
    """The values of those of the entries that have one."""
    return dict(
        connection.execute(
            f"SELECT entry, value FROM annotations WHERE {_THERE}"
            " AND entry IN (SELECT value FROM json_each(?)) ORDER BY entry",
            (*where, json.dumps(entries)),
        ).fetchall()
    )


_THERE = "account = ? AND mailbox = ? AND viewer IN (0, ?) AND value IS NOT NULL"


def annotations_since(
    connection: sqlite3.Connection, account: int, viewer: int, modseq: int
) -> dict[int, list[str]]:
    """The entries that were changed after ``modseq``, by the id of the mailbox."""
    found: dict[int, list[str]] = {}
    for mailbox, entry in connection.execute(
        "SELECT mailbox, entry FROM annotations WHERE account = ? AND modseq > ? AND viewer IN (0, ?)",
        (account, modseq, viewer),
    ):
        found.setdefault(mailbox, []).append(entry)
    return found


# In the writer's thread


@adds_content
def annotate(
    transaction: Transaction, account: int, mailbox: int, viewer: int, values: Mapping[str, bytes | None]
) -> None:
    """See `IAnnotations.annotate`; ``values`` have been checked."""
    row = transaction.execute(
        "SELECT modseq + 1 FROM accounts WHERE id = :account AND (:mailbox = 0 OR EXISTS"
        " (SELECT 1 FROM mailboxes WHERE id = :mailbox AND account = :account))",
        {"account": account, "mailbox": mailbox},
    ).fetchone()
    if row is None:
        raise NoSuchMailbox
    [modseq] = row
    for entry, value in values.items():
        key = (account, mailbox, viewer if is_private(entry) else 0, entry)
        if value is None:
            transaction.execute(
                "UPDATE annotations SET value = NULL, modseq = ?"
                " WHERE account = ? AND mailbox = ? AND viewer = ? AND entry = ? AND value IS NOT NULL",
                (modseq, *key),
            )
        else:
            transaction.execute(
                "INSERT INTO annotations VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET value = excluded.value, modseq = excluded.modseq",
                (*key, modseq, value),
            )
    _check_number(transaction, account)
    transaction.execute("UPDATE accounts SET modseq = ? WHERE id = ?", (modseq, account))
    transaction.execute("UPDATE mailboxes SET modseq = ? WHERE id = ?", (modseq, mailbox))
    transaction.accounts[account] = modseq


def copy_annotations(transaction: Transaction, account: int, mailbox: int, target: int) -> None:
    """Give a new mailbox the annotations of another one, if the account may have so many."""
    transaction.execute(
        "INSERT INTO annotations SELECT annotations.account, mailboxes.id, viewer, entry, mailboxes.modseq,"
        " value FROM annotations JOIN mailboxes ON mailboxes.id = ?"
        " WHERE annotations.account = ? AND mailbox = ? AND value IS NOT NULL",
        (target, account, mailbox),
    )
    try:
        _check_number(transaction, account)
    except TooManyAnnotations:
        remove_annotations(transaction, "id = ?", (target,))


def remove_annotations(transaction: Transaction, which: str, those: tuple[object, ...]) -> None:
    """Remove those of the mailboxes that match the condition ``which``."""
    transaction.execute(
        "DELETE FROM annotations WHERE (account, mailbox) IN"
        f" (SELECT account, id FROM mailboxes WHERE {which})",
        those,
    )


def _check_number(transaction: Transaction, account: int) -> None:
    """:raises TooManyAnnotations: the account has too many; the writer undoes what was done."""
    query = "SELECT number, octets FROM names WHERE account = ? AND kind = 'annotations'"
    try:
        check_number(*transaction.execute(query, (account,)).fetchone() or (0, 0))
    except TooManyAnnotations:
        transaction.execute("DELETE FROM annotations WHERE account = ? AND value IS NULL", (account,))
        check_number(*transaction.execute(query, (account,)).fetchone())
