# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Checks of what the database counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from mailproto.backends.sqlite._faults import Fault
from mailproto.backends.sqlite._flagbits import DELETED_BIT, SEEN_BIT
from mailproto.printable import printable

__all__ = ["account_counts", "counters", "mailbox_counts", "name_counts", "usage_counts"]

_COUNT_RECENT = (
    "UPDATE mailboxes SET recent = (SELECT count(*) FROM messages WHERE mailbox = mailboxes.id"
    " AND uid >= unclaimed) WHERE id = ?"
)

_FIGURES = ("messages", "unseen", "deleted", "size", "recent", "tombstones")


def mailbox_counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    columns = ", ".join(f"mailboxes.{figure}" for figure in _FIGURES)
    rows = connection.execute(
        f"SELECT mailboxes.id, accounts.name, mailboxes.name, uid_next, mailboxes.modseq, {columns}"
        " FROM mailboxes LEFT JOIN accounts ON accounts.id = mailboxes.account ORDER BY mailboxes.id"
    ).fetchall()
    for id_, account, name, uid_next, modseq, *kept in rows:
        of = f"mailbox {printable(f'{account}/{name}')}"
        if account is None:
            yield Fault("mailboxes", f"mailbox {id_} {printable(name)!r} belongs to no account")
        *counted, last_uid, last_modseq = connection.execute(
            f"SELECT count(*), coalesce(sum(flags & {SEEN_BIT} = 0), 0),"
            f" coalesce(sum(flags & {DELETED_BIT} != 0), 0), coalesce(sum(size), 0),"
            " coalesce(sum(uid >= (SELECT unclaimed FROM mailboxes WHERE id = :id)), 0),"
            " (SELECT count(*) FROM vanished WHERE mailbox = :id),"
            " coalesce(max(max(uid), (SELECT coalesce(max(last), 0) FROM vanished WHERE mailbox = :id)), 0),"
            " coalesce(max(max(modseq),"
            " (SELECT coalesce(max(modseq), 0) FROM vanished WHERE mailbox = :id)), 0)"
            " FROM messages WHERE mailbox = :id",
            {"id": id_},
        ).fetchone()
        for figure, is_, should in zip(_FIGURES, kept, counted, strict=True):
            if is_ != should:
                mending: tuple[str, Sequence[Any]] = (
                    f"UPDATE mailboxes SET {figure} = {figure} + ? WHERE id = ?",
                    (should - is_, id_),
                )
                if figure == "recent":  # a session may have counted them again in the meantime
                    mending = (_COUNT_RECENT, (id_,))
                yield Fault("mailboxes", f"{of}: {figure} is {is_}, and must be {should}", mending)
        for column, is_, least in (("uid_next", uid_next, last_uid + 1), ("modseq", modseq, last_modseq)):
            if is_ < least:
                yield Fault(
                    "mailboxes",
                    f"{of}: {column} is {is_}, and must be {least} at least",
                    (f"UPDATE mailboxes SET {column} = max({column}, ?) WHERE id = ?", (least, id_)),
                )


def account_counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    # Done after the mailboxes, because their modseqs may have been repaired.
    for id_, name, modseq, least, inboxes in connection.execute(
        "SELECT accounts.id, accounts.name, accounts.modseq, coalesce(max(mailboxes.modseq), 0),"
        " total(mailboxes.name = 'INBOX') FROM accounts LEFT JOIN mailboxes"
        " ON mailboxes.account = accounts.id GROUP BY accounts.id"
    ):
        if modseq < least:
            yield Fault(
                "accounts",
                f"account {printable(name)}: modseq is {modseq}, and must be {least} at least",
                ("UPDATE accounts SET modseq = max(modseq, ?) WHERE id = ?", (least, id_)),
            )
        if not inboxes:
            yield Fault("accounts", f"account {printable(name)} has no INBOX")


def usage_counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Compares what accounts are said to use with their mailboxes."""
    # Done after the mailboxes: a repair of those changes this, too.
    for id_, name, *kept_and_counted in connection.execute(
        "SELECT accounts.id, accounts.name, accounts.messages, accounts.octets,"
        " coalesce(sum(mailboxes.messages), 0), coalesce(sum(mailboxes.size), 0) FROM accounts"
        " LEFT JOIN mailboxes ON mailboxes.account = accounts.id GROUP BY accounts.id"
    ):
        kept, counted = kept_and_counted[:2], kept_and_counted[2:]
        for figure, is_, should in zip(("messages", "octets"), kept, counted, strict=True):
            if is_ != should:
                yield Fault(
                    "accounts",
                    f"account {printable(name)}: {figure} of its quota is {is_}, and must be {should}",
                    (f"UPDATE accounts SET {figure} = {figure} + ? WHERE id = ?", (should - is_, id_)),
                )


_NAMES = " UNION ALL ".join(
    f"SELECT account, '{table}' AS kind, 1 AS number, length(CAST(name AS BLOB)) AS octets FROM {table}"
    for table in ("mailboxes", "subscriptions", "retired")
) + (
    " UNION ALL SELECT account, 'annotations', 1, length(entry) + coalesce(length(value), 0) FROM annotations"
)


def name_counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Compares the numbers of names with the names."""
    for account, kind, number, octets in connection.execute(
        "SELECT account, kind, sum(number), sum(octets) FROM"
        f" ({_NAMES} UNION ALL SELECT account, kind, -number, -octets FROM names)"
        " WHERE account IN (SELECT id FROM accounts)"
        " GROUP BY account, kind HAVING sum(number) <> 0 OR sum(octets) <> 0"
    ):
        yield Fault(
            "accounts",
            f"account {account}: the number of {kind} is wrong by {-number}, and their octets by {-octets}",
            (
                "INSERT INTO names VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET number = number + excluded.number, octets = octets + excluded.octets",
                (account, kind, number, octets),
            ),
        )


_COUNTERS = {
    # each counter, and its least allowed value
    ("object_ids", "last"): (
        "max(coalesce((SELECT max(id) FROM bodies), 0), coalesce((SELECT max(id) FROM threads), 0))"
    ),
    ("validity", "last"): (
        "max(coalesce((SELECT max(uid_validity) FROM mailboxes), 0),"
        " coalesce((SELECT max(uid_validity) FROM retired), 0))"
    ),
    ("directory", "revision"): "coalesce((SELECT max(revision) FROM accounts), 0)",
}


def counters(connection: sqlite3.Connection) -> Iterator[Fault]:
    for (table, column), least_of in _COUNTERS.items():
        is_, least = connection.execute(f"SELECT max({column}), {least_of} FROM {table}").fetchone()
        if is_ is None:
            yield Fault(
                "counters",
                f"{table} has no row",
                (f"INSERT INTO {table} ({column}) SELECT ?", (least,)),
            )
        elif is_ < least:
            yield Fault(
                "counters",
                f"{table}.{column} is {is_}, and must be {least} at least: numbers would come again",
                (f"UPDATE {table} SET {column} = max({column}, ?)", (least,)),
            )
