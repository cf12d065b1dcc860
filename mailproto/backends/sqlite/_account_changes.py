"""Tells which mailboxes of an account have changed, in pieces of some milliseconds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from mailproto.backends._annotations import SERVER
from mailproto.backends.sqlite import _reading
from mailproto.backends.sqlite._annotations import SERVER_ID, annotations_since
from mailproto.backends.sqlite._reading import Read, snapshot
from mailproto.errors import NoSuchAccount
from mailproto.model import AccountChanges, MailboxStatus

__all__ = ["changes_since"]

_AT_ONCE = 200
"""Mailboxes whose status is read in one turn of the reactor."""


async def changes_since(
    read: Read, pause: Callable[[], Awaitable[None]], account: int, modseq: int
) -> AccountChanges:
    """See `IMailboxChanges.mailbox_changes`."""
    now, listed, annotations = read(_begin, account, modseq)
    statuses: dict[str, MailboxStatus] = {}
    last = (modseq, 1 << 62)
    while keys := read(_changed, account, last, now):
        statuses |= read(_statuses, [id_ for _, id_ in keys])
        last = keys[-1]
        if len(keys) < _AT_ONCE:
            break
        await pause()
    return AccountChanges(statuses, listed > modseq, annotations, now)


def _begin(
    connection: sqlite3.Connection, account: int, modseq: int
) -> tuple[int, int, dict[str, list[str]]]:
    with snapshot(connection):
        row = connection.execute("SELECT modseq, listed FROM accounts WHERE id = ?", (account,)).fetchone()
        if row is None:
            raise NoSuchAccount
        changed = annotations_since(connection, account, account, modseq)
        names = dict(
            connection.execute(
                "SELECT id, name FROM mailboxes WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(changed)),),
            ).fetchall()
            if changed
            else ()
        )
    names[SERVER_ID] = SERVER
    return row[0], row[1], {names[id_]: entries for id_, entries in changed.items() if id_ in names}


def _changed(
    connection: sqlite3.Connection, account: int, after: tuple[int, int], upto: int
) -> list[tuple[int, int]]:
    """The modseqs and the ids of the mailboxes that have changed next.

    Those of an old store may have the same modseq.
    """
    return connection.execute(
        "SELECT modseq, id FROM mailboxes INDEXED BY mailboxes_changed"
        " WHERE account = ? AND (modseq, id) > (?, ?) AND modseq <= ? ORDER BY modseq, id LIMIT ?",
        (account, *after, upto, _AT_ONCE),
    ).fetchall()


def _statuses(connection: sqlite3.Connection, ids: Sequence[int]) -> dict[str, MailboxStatus]:
    which = " WHERE id IN (SELECT value FROM json_each(?))"
    return _reading.statuses(connection, which, (json.dumps(ids),))
