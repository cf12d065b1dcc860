# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Reads, with a connection that never writes; each function sees one state of the database.

Reads run in the reactor's thread.  With 500 envelopes and structures and a busy reactor, that takes 1.1 ms,
but 2.1 ms in another thread, which releases the interpreter lock at each row and has to get it back.  The
disadvantage is that a slow disk blocks the reactor for one batch at a time.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import compress
from typing import Any

from mailproto.backends._flags import check_keywords
from mailproto.backends.sqlite._contents import OCTETS
from mailproto.backends.sqlite._flagbits import DELETED_BIT, flags_of
from mailproto.backends.sqlite._schema import connect
from mailproto.content import Content
from mailproto.errors import NoSuchAccount, NoSuchMailbox
from mailproto.message import RENDER_VERSION
from mailproto.model import (
    FlagChange,
    MailboxStatus,
    MessageInfo,
    Metadata,
    Part,
)

__all__ = [
    "EMAIL_ID",
    "MAILBOX_ID",
    "NEXT",
    "THREAD_ID",
    "Read",
    "check_exists",
    "check_flags",
    "claim_kept",
    "claim_recent",
    "marked_deleted",
    "metadata",
    "open_reader",
    "read",
    "snapshot",
    "statuses",
]

MAILBOX_ID, EMAIL_ID, THREAD_ID = "F{}", "M{}", "T{}"
"""The formats of ids for clients; the letter makes ids of different kinds differ (RFC 8474 5.2)."""

# Claims of recent messages in this process that are not committed yet; in memory.
_CLAIMS = "CREATE TEMP TABLE claims (mailbox INTEGER PRIMARY KEY, upto INTEGER NOT NULL)"

_STATUS = (
    "SELECT name, messages, unseen, CASE WHEN claims.upto > unclaimed"
    " THEN (SELECT count(*) FROM messages WHERE messages.mailbox = mailboxes.id AND uid >= claims.upto)"
    " ELSE recent END, uid_next, uid_validity, modseq, size, deleted,"
    f" printf('{MAILBOX_ID.format('%d')}', id)"
    " FROM mailboxes LEFT JOIN claims ON claims.mailbox = mailboxes.id"
)

_PIECE = 5000
"""Messages that are read in one turn of the reactor: some 2 ms."""

NEXT = (
    "SELECT uid, flags, keywords, modseq FROM messages NOT INDEXED"
    " WHERE mailbox = :mailbox AND uid > :after AND uid < :before ORDER BY uid LIMIT :count"
)
"""The messages of a mailbox in the next range."""

Read = Callable[..., Any]
"""`Database.read`."""

_RENDERED = f"iif(bodies.rendered >= {RENDER_VERSION}, bodies.{{}}, NULL)"

_new_info: Callable[[Sequence[Any]], MessageInfo] = partial(tuple.__new__, MessageInfo)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Several statements inside this block see one state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # a failing disk may have ended it
            connection.execute("COMMIT")


def open_reader(path: str) -> sqlite3.Connection:
    """Open the connection for all functions here."""
    connection = connect(path)
    connection.execute(_CLAIMS)
    return connection


def claim_recent(connection: sqlite3.Connection, mailbox: int) -> tuple[range, bool]:
    """See `IRecent.claim_recent`; the second value tells whether `_changing.keep_claim` is to keep it."""
    with snapshot(connection):
        row = connection.execute(
            "SELECT uid_next, max(unclaimed, coalesce(upto, 0)) FROM mailboxes"
            " LEFT JOIN claims ON claims.mailbox = id WHERE id = ?",
            (mailbox,),
        ).fetchone()
        if row is None:
            raise NoSuchMailbox
        uid_next, unclaimed = row
        [first] = connection.execute(
            "SELECT min(uid) FROM messages NOT INDEXED WHERE mailbox = ? AND uid >= ?", (mailbox, unclaimed)
        ).fetchone()
        if unclaimed == uid_next:
            return range(uid_next, uid_next), False
        connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (mailbox, uid_next))
    return range(uid_next if first is None else first, uid_next), True


def claim_kept(connection: sqlite3.Connection, mailbox: int, upto: int) -> None:
    """Forget a claim that has been committed."""
    connection.execute("DELETE FROM claims WHERE mailbox = ? AND upto = ?", (mailbox, upto))


def statuses(connection: sqlite3.Connection, which: str, values: Sequence[Any]) -> dict[str, MailboxStatus]:
    """The status of the mailboxes that match the condition ``which``, by name."""
    return {name: MailboxStatus._make(row) for name, *row in connection.execute(_STATUS + which, values)}


async def metadata(
    read: Read, pause: Callable[[], Awaitable[None]], mailbox: int, uids: Sequence[int]
) -> Metadata:
    """See `IMetadata.metadata`."""
    columns = array("I"), array("Q"), array("q"), array("h")
    for start in range(0, len(uids), _PIECE):
        piece = read(_metadata, mailbox, list(uids[start : start + _PIECE]))
        for column, values in zip(columns, piece, strict=True):
            column.extend(values)
        if start + _PIECE < len(uids):
            await pause()
    read(check_exists, mailbox)
    return Metadata(*columns)


def _metadata(connection: sqlite3.Connection, mailbox: int, uids: list[int]) -> list[list[int]]:
    # Close UIDs are read as one range, with the unrequested ones in between.
    are_close = uids[-1] - uids[0] < 4 * len(uids)
    which = "BETWEEN ? AND ?" if are_close else "IN (SELECT value FROM json_each(?))"
    columns: list[list[int]] = [
        json.loads(text)
        for text in connection.execute(
            "SELECT json_group_array(uid), json_group_array(size), json_group_array(internal_date),"
            " json_group_array(zone) FROM (SELECT uid, size, internal_date, zone FROM messages NOT INDEXED"
            f" WHERE mailbox = ? AND uid {which} ORDER BY uid)",
            (mailbox, uids[0], uids[-1]) if are_close else (mailbox, json.dumps(uids)),
        ).fetchone()
    ]
    if len(columns[0]) > len(uids) or columns[0] != uids:
        asked = set(uids)
        chosen = [uid in asked for uid in columns[0]]
        return [list(compress(column, chosen)) for column in columns]
    return columns


async def check_flags(
    read: Read,
    pause: Callable[[], Awaitable[None]],
    mailbox: int,
    uids: Sequence[int],
    change: FlagChange,
) -> None:
    """Check whether ``change`` can be made to all of many messages.

    :raises OverQuota: see `check_keywords`.
    """
    checked: set[tuple[int, str]] = set()
    for start in range(0, len(uids), _PIECE):
        await pause()  # first, or many who ask at once would all be served before anybody else
        found = read(_flag_columns, mailbox, list(uids[start : start + _PIECE]))
        for columns in found - checked:
            check_keywords(change.apply(flags_of[columns]))
        checked |= found


def _flag_columns(connection: sqlite3.Connection, mailbox: int, uids: list[int]) -> set[tuple[int, str]]:
    rows = connection.execute(
        "SELECT DISTINCT flags, keywords FROM messages"
        " WHERE mailbox = ? AND uid IN (SELECT value FROM json_each(?))",
        (mailbox, json.dumps(uids)),
    )
    return set(rows.fetchall())


async def marked_deleted(read: Read, pause: Callable[[], Awaitable[None]], mailbox: int) -> array[int]:
    """The UIDs of the messages that have ``\\Deleted``.

    :raises NoSuchMailbox:
    """
    uids = array("I")
    last: int | None = 0 if read(_any_deleted, mailbox) else None
    while last is not None:
        await pause()  # first, or many who ask at once would all be served before anybody else
        found, last = read(_deleted_after, mailbox, last)
        uids.extend(found)
    return uids


def _any_deleted(connection: sqlite3.Connection, mailbox: int) -> bool:
    row = connection.execute("SELECT deleted FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    if row is None:
        raise NoSuchMailbox
    return bool(row[0])


def _deleted_after(connection: sqlite3.Connection, mailbox: int, after: int) -> tuple[list[int], int | None]:
    """The deleted UIDs in the next range, and the range's last UID, or None at the end."""
    uids, last = connection.execute(
        f"SELECT json_group_array(uid) FILTER (WHERE flags & {DELETED_BIT}), max(uid) FROM ({NEXT})",
        {"mailbox": mailbox, "after": after, "before": 1 << 32, "count": _PIECE},
    ).fetchone()
    return json.loads(uids), last


def read(
    connection: sqlite3.Connection,
    mailbox: int,
    uids: Sequence[int],
    parts: Part,
    file_content: Callable[[str, int], Content],
    most: int | None,
) -> list[MessageInfo]:
    """See `IBoundedReading.read_some`; summaries of an older `RENDER_VERSION` are left out, and not counted.

    :param file_content: makes the content for a file's name and size.
    :param most: octets; None for no limit.
    """
    # Unrequested columns are NULL; unneeded tables are not joined.
    columns = [
        "messages.uid",
        "messages.internal_date",
        "messages.size",
        _RENDERED.format("envelope") if Part.ENVELOPE in parts else "NULL",
        _RENDERED.format("body_structure") if Part.BODY_STRUCTURE in parts else "NULL",
        _RENDERED.format("offsets") if Part.OFFSETS in parts else "NULL",
        OCTETS if Part.CONTENT in parts else "NULL",
        f"printf('{EMAIL_ID.format('%d')}', messages.body)" if Part.IDS in parts else "NULL",
        f"printf('{THREAD_ID.format('%d')}', messages.thread)" if Part.IDS in parts else "NULL",
        "messages.saved" if Part.SAVE_DATE in parts else "NULL",
        "messages.zone",
    ]
    tables = "json_each(?) CROSS JOIN messages ON messages.mailbox = ? AND messages.uid = json_each.value"
    if parts & (Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT):
        tables += " CROSS JOIN bodies ON bodies.id = messages.body"
    if Part.CONTENT in parts:
        tables += " LEFT JOIN contents ON contents.body = bodies.id"
        columns.append("bodies.file")
    with snapshot(connection):
        cursor = connection.execute(
            f"SELECT {', '.join(columns)} FROM {tables}",
            (json.dumps(uids), mailbox),
        )
        rows = cursor if most is None or not parts & _LONG else _first_rows(cursor, most)
        if Part.CONTENT in parts:
            found = [
                _new_info(
                    (*row, _content(octets, file, row[2], file_content), email_id, thread_id, save_date, zone)
                )
                for *row, octets, email_id, thread_id, save_date, zone, file in rows
            ]
        else:
            found = list(map(_new_info, rows))
        cursor.close()
        check_exists(connection, mailbox)  # a deleted mailbox's messages are removed later
    found.sort()
    return found


_LONG = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT
_FIRST_LONG, _AFTER_LONG = 3, 7  # their columns


def _first_rows(cursor: sqlite3.Cursor, most: int) -> Iterator[Any]:
    """The rows up to the one with which there are ``most`` octets."""
    for row in cursor:
        yield row
        for octets in row[_FIRST_LONG:_AFTER_LONG]:
            if octets is not None:
                most -= len(octets)
        if most <= 0:
            return


def _content(
    octets: bytes | None, file: str | None, size: int, file_content: Callable[[str, int], Content]
) -> Content | None:
    if file is not None:
        return file_content(file, size)
    return None if octets is None else Content(octets)


def check_account(connection: sqlite3.Connection, account: int) -> None:
    """:raises NoSuchAccount:"""
    if connection.execute("SELECT 1 FROM accounts WHERE id = ?", (account,)).fetchone() is None:
        raise NoSuchAccount


def check_exists(connection: sqlite3.Connection, mailbox: int) -> None:
    if connection.execute("SELECT 1 FROM mailboxes WHERE id = ?", (mailbox,)).fetchone() is None:
        raise NoSuchMailbox
