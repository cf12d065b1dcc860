# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""What is read, by a connection that never writes; each function sees one state of the database.

Reads run in the reactor's thread.  Measured with 500 envelopes and structures and a busy
reactor: 1.1 ms here, 2.1 ms in a thread of their own, which gives the interpreter lock away
at each row and has to win it back, so that nobody gains.  The price is that a disk that is
slow to read holds everybody up, by one batch at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from mailproto.backends.sqlite._flagbits import flags_of
from mailproto.content import Content
from mailproto.errors import NoSuchMailbox
from mailproto.model import Changes, MailboxStatus, MessageFlags, MessageInfo, Part

__all__ = ["EMAIL_ID", "MAILBOX_ID", "THREAD_ID", "changes_since", "read", "snapshot", "statuses"]

MAILBOX_ID, EMAIL_ID, THREAD_ID = "F{}", "M{}", "T{}"
"""What ids are to clients: the same number with another letter is another thing (RFC 8474 5.2)."""

_STATUS = (
    "SELECT name, messages, unseen, recent, uid_next, uid_validity, modseq, size, deleted,"
    f" printf('{MAILBOX_ID.format('%d')}', id) FROM mailboxes"
)

_new_info: Callable[[Sequence[Any]], MessageInfo] = partial(tuple.__new__, MessageInfo)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the database for several statements."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def statuses(connection: sqlite3.Connection, which: str, values: Sequence[Any]) -> dict[str, MailboxStatus]:
    """The status of each mailbox that the condition ``which`` holds for, by name."""
    return {name: MailboxStatus._make(row) for name, *row in connection.execute(_STATUS + which, values)}


def changes_since(connection: sqlite3.Connection, mailbox: int, modseq: int) -> Changes:
    """See `IMailbox.changes_since`."""
    with snapshot(connection):
        row = connection.execute(
            "SELECT modseq, uid_next, forgotten FROM mailboxes WHERE id = ?", (mailbox,)
        ).fetchone()
        if row is None:
            raise NoSuchMailbox
        now, uid_next, forgotten = row
        if modseq >= now:
            return Changes((), (), now)
        # The index for what changed lately; the table, in order already, for everything.
        rows = connection.execute(
            "SELECT uid, flags, keywords, modseq FROM messages"
            + (" INDEXED BY messages_changed" if modseq > 0 else " NOT INDEXED")
            + " WHERE mailbox = ? AND modseq > ? ORDER BY uid",
            (mailbox, modseq),
        )
        changed = [MessageFlags(uid, flags_of[bits, keywords], at) for uid, bits, keywords, at in rows]
        vanished: list[int] = []
        if modseq > 0:
            vanished = (
                _complement(connection, mailbox, uid_next)
                if modseq < forgotten
                else _tombstones(connection, mailbox, modseq)
            )
    return Changes(changed, vanished, now)


def _tombstones(connection: sqlite3.Connection, mailbox: int, modseq: int) -> list[int]:
    rows = connection.execute(
        "SELECT first, last FROM vanished WHERE mailbox = ? AND modseq > ?", (mailbox, modseq)
    )
    return sorted(uid for first, last in rows for uid in range(first, last + 1))


def _complement(connection: sqlite3.Connection, mailbox: int, uid_next: int) -> list[int]:
    """Every UID that was given and is not there: right for whoever asks, only long."""
    rows = connection.execute("SELECT uid FROM messages WHERE mailbox = ?", (mailbox,))
    return sorted(set(range(1, uid_next)).difference(uid for (uid,) in rows))


def read(
    connection: sqlite3.Connection,
    mailbox: int,
    uids: Sequence[int],
    parts: Part,
    file_content: Callable[[str, int], Content],
) -> list[MessageInfo]:
    """See `IMailbox.read`.

    :param file_content: opens the body in a file of that name and size.
    """
    # Columns that are not asked for are NULL; tables that are not needed are not joined.
    columns = [
        "messages.uid",
        "messages.internal_date",
        "messages.size",
        "bodies.envelope" if Part.ENVELOPE in parts else "NULL",
        "bodies.body_structure" if Part.BODY_STRUCTURE in parts else "NULL",
        "bodies.offsets" if Part.OFFSETS in parts else "NULL",
        "contents.octets" if Part.CONTENT in parts else "NULL",
        f"printf('{EMAIL_ID.format('%d')}', messages.body)" if Part.IDS in parts else "NULL",
        f"printf('{THREAD_ID.format('%d')}', messages.thread)" if Part.IDS in parts else "NULL",
    ]
    tables = "json_each(?) CROSS JOIN messages ON messages.mailbox = ? AND messages.uid = json_each.value"
    if parts & (Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT):
        tables += " CROSS JOIN bodies ON bodies.id = messages.body"
    if Part.CONTENT in parts:
        tables += " LEFT JOIN contents ON contents.body = bodies.id"
        columns.append("bodies.file")
    with snapshot(connection):
        rows = connection.execute(
            f"SELECT {', '.join(columns)} FROM {tables}",
            (json.dumps(uids), mailbox),
        )
        if Part.CONTENT in parts:
            found = [
                _new_info((*row, octets if file is None else file_content(file, row[2]), email_id, thread_id))
                for *row, octets, email_id, thread_id, file in rows
            ]
        else:
            found = list(map(_new_info, rows))
        if len(found) < len(uids):
            _see_that_it_is_there(connection, mailbox)
    found.sort()
    return found


def _see_that_it_is_there(connection: sqlite3.Connection, mailbox: int) -> None:
    if connection.execute("SELECT 1 FROM mailboxes WHERE id = ?", (mailbox,)).fetchone() is None:
        raise NoSuchMailbox
