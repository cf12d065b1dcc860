# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""``mailproto store check``: checks whether a store is consistent, also while it is in use.

Each check reads one snapshot, in a thread with its own connection, so that nothing waits for it. Repairs
are short transactions of the writer.  A wrong count is repaired by adding the difference that was found,
instead of setting the right count: other changes in the meantime affect both sides alike.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mailproto.backends.sqlite._check_counts import (
    account_counts,
    counters,
    mailbox_counts,
    name_counts,
    usage_counts,
)
from mailproto.backends.sqlite._contents import LENGTH
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._faults import Fault, Look
from mailproto.backends.sqlite._queue_check import QUEUE_COUNTERS, QUEUE_ROWS
from mailproto.backends.sqlite._reading import snapshot
from mailproto.backends.sqlite._rendering import next_stale, render_anew
from mailproto.backends.sqlite._schema import connect
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import MailError
from mailproto.model import CheckResult
from mailproto.printable import printable

__all__ = ["SHOWN", "check_database"]

SHOWN = 20
"""The most faults of one kind that are reported one by one; further ones are only counted."""

ORPHAN_AGE = 3600.0
"""Seconds after which an unused file cannot belong to a running delivery any more."""

_MENDED_AT_ONCE = 100


async def check_database(database: Database, report: Callable[[str], None], *, repair: bool) -> CheckResult:
    """See `ICheckable.check`."""
    found: Counter[str] = Counter()
    repaired = 0
    connection = await database.bodies.in_thread(lambda: connect(database.path))
    try:
        for look in (*_LOOKS, _files(database)):
            faults = await database.bodies.in_thread(lambda look=look: _faults(connection, look))  # type: ignore[misc]
            for fault in faults:
                found[fault.kind] += 1
                if found[fault.kind] <= SHOWN:
                    report(fault.text)
            if repair:
                repaired += await _mend(database, faults)
        counts: dict[str, int] = {}
        try:
            rendered = await _render(database, connection)
            counts.update(await database.bodies.in_thread(lambda: _counts(connection)))
            counts["summaries made anew"] = rendered
        except sqlite3.DatabaseError as error:
            fault = _unreadable(error)
            found[fault.kind] += 1
            report(fault.text)
    finally:
        connection.close()
    if repaired:
        database.long_changes.clear()  # only now are all counts right
    for kind, count in found.items():
        if count > SHOWN:
            report(f"{kind}: {count - SHOWN} more")
    return CheckResult(counts, found.total(), repaired)


def _faults(connection: sqlite3.Connection, look: Look) -> list[Fault]:
    try:
        with snapshot(connection):
            return list(look(connection))
    except sqlite3.DatabaseError as error:
        return [_unreadable(error)]


def _unreadable(error: sqlite3.Error) -> Fault:
    return Fault("database", f"the database cannot be read: {printable(str(error))}")


async def _mend(database: Database, faults: Sequence[Fault]) -> int:
    """Repair faults; returns how many were repaired."""
    mendable = [fault.mending for fault in faults if fault.mending is not None]
    mended = 0
    for start in range(0, len(mendable), _MENDED_AT_ONCE):
        piece = mendable[start : start + _MENDED_AT_ONCE]
        try:
            await database.writer.run(_mend_some, piece)
        except (MailError, sqlite3.Error):
            continue
        mended += len(piece)
    files = [fault.file for fault in faults if fault.file is not None]
    await database.bodies.in_thread(lambda: database.bodies.remove(files))
    return mended + len(files)


def _mend_some(transaction: Transaction, mendings: Sequence[tuple[str, Sequence[Any]]]) -> None:
    for statement, values in mendings:
        transaction.execute(statement, values)


async def _render(database: Database, connection: sqlite3.Connection) -> int:
    """Renew old summaries; returns how many there were."""
    count = after = 0
    while bodies := await database.bodies.in_thread(
        lambda after=after: next_stale(connection, after)  # type: ignore[misc]
    ):
        await render_anew(database, bodies)
        after = bodies[-1].id
        count += len(bodies)
    return count


# -- checks, each in one snapshot


def _integrity(connection: sqlite3.Connection) -> Iterator[Fault]:
    for (text,) in connection.execute(f"PRAGMA integrity_check({SHOWN})"):
        if text != "ok":
            yield Fault("database", f"the database is damaged: {printable(text)}; restore a copy of it")


def _strays(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Rows of mailboxes that do not exist; those in ``discarded`` will be removed anyway."""
    for table in ("messages", "vanished"):
        for mailbox, count in connection.execute(
            f"SELECT mailbox, count(*) FROM {table} WHERE mailbox NOT IN (SELECT id FROM mailboxes)"
            " AND mailbox NOT IN (SELECT mailbox FROM discarded) GROUP BY mailbox"
        ):
            yield Fault(
                "strays",
                f"{count} rows of {table} belong to mailbox {mailbox}, which is not there",
                ("INSERT OR IGNORE INTO discarded (mailbox) VALUES (?)", (mailbox,)),
            )


def _stray_annotations(connection: sqlite3.Connection) -> Iterator[Fault]:
    for account, mailbox, count in connection.execute(
        "SELECT annotations.account, mailbox, count(*) FROM annotations LEFT JOIN mailboxes"
        " ON mailboxes.id = mailbox AND mailboxes.account = annotations.account"
        " LEFT JOIN accounts ON accounts.id = annotations.account"
        " WHERE accounts.id IS NULL OR (mailbox > 0 AND mailboxes.id IS NULL)"
        " GROUP BY annotations.account, mailbox"
    ):
        yield Fault(
            "strays",
            f"{count} annotations belong to mailbox {mailbox} of account {account}, which is not there",
            ("DELETE FROM annotations WHERE account = ? AND mailbox = ?", (account, mailbox)),
        )


def _stray_rights(connection: sqlite3.Connection) -> Iterator[Fault]:
    for mailbox, count in connection.execute(
        "SELECT mailbox, count(*) FROM acl WHERE mailbox NOT IN (SELECT id FROM mailboxes) GROUP BY mailbox"
    ):
        yield Fault(
            "strays",
            f"{count} identifiers have rights to mailbox {mailbox}, which is not there",
            ("DELETE FROM acl WHERE mailbox = ?", (mailbox,)),
        )


def _bodies(connection: sqlite3.Connection) -> Iterator[Fault]:
    for id_, refs, count in connection.execute(
        "SELECT id, refs, coalesce(count, 0) FROM bodies LEFT JOIN"
        " (SELECT body, count(*) AS count FROM (SELECT body FROM messages UNION ALL SELECT id FROM queued)"
        " GROUP BY body) ON body = id WHERE refs != coalesce(count, 0)"
    ):
        yield Fault(
            "bodies",
            f"body {id_} is counted {refs} times, but {count} messages have it",
            ("UPDATE bodies SET refs = refs + ? WHERE id = ?", (count - refs, id_)),
        )
    for mailbox, uid, body in connection.execute(
        "SELECT mailbox, uid, body FROM messages WHERE body NOT IN (SELECT id FROM bodies)"
        " UNION ALL SELECT NULL, id, id FROM queued WHERE id NOT IN (SELECT id FROM bodies)"
    ):
        yield Fault("lost", f"{_message(connection, mailbox, uid)} has lost its content: no body {body}")
    for mailbox, uid, body in connection.execute(
        "SELECT mailbox, uid, body FROM messages JOIN bodies ON bodies.id = body WHERE file IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.body = bodies.id)"
        " UNION ALL SELECT NULL, id, id FROM queued JOIN bodies USING (id) WHERE file IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.body = bodies.id)"
    ):
        yield Fault(
            "lost", f"{_message(connection, mailbox, uid)} has lost its content: body {body} is empty"
        )
    for mailbox, uid, size, length in connection.execute(
        f"SELECT mailbox, uid, size, {LENGTH} FROM messages"
        f" JOIN contents ON contents.body = messages.body WHERE size != {LENGTH}"
        f" UNION ALL SELECT NULL, id, size + skip, {LENGTH} FROM queued"
        f" JOIN contents ON contents.body = queued.id WHERE size + skip != {LENGTH}"
    ):
        yield Fault("sizes", f"{_message(connection, mailbox, uid)} has {length} octets, and not {size}")
    for table in ("contents", "content_rests"):
        for (body,) in connection.execute(
            f"SELECT body FROM {table} WHERE body NOT IN (SELECT id FROM bodies)"
        ):
            yield Fault(
                "orphans",
                f"the octets of body {body} belong to nothing",
                (
                    f"DELETE FROM {table} WHERE body = ? AND NOT EXISTS (SELECT 1 FROM bodies WHERE id = ?)",
                    (body, body),
                ),
            )


def _threads(connection: sqlite3.Connection) -> Iterator[Fault]:
    for id_, kept, count in connection.execute(
        "SELECT id, messages, coalesce(count, 0) FROM threads LEFT JOIN"
        " (SELECT thread, count(*) AS count FROM messages GROUP BY thread) ON thread = id"
        " WHERE messages != coalesce(count, 0)"
    ):
        yield Fault(
            "threads",
            f"thread {id_} is counted {kept} times, but {count} messages are in it",
            ("UPDATE threads SET messages = messages + ? WHERE id = ?", (count - kept, id_)),
        )
    for thread, count in connection.execute(
        "SELECT thread, count(*) FROM messages WHERE thread NOT IN (SELECT id FROM threads) GROUP BY thread"
    ):
        yield Fault(
            "threads",
            f"{count} messages are in thread {thread}, which is not there",
            ("INSERT OR IGNORE INTO threads (id, messages, keys) VALUES (?, ?, x'')", (thread, count)),
        )
    for key, thread in connection.execute(
        "SELECT key, thread FROM thread_keys WHERE thread NOT IN (SELECT id FROM threads)"
    ):
        yield Fault(
            "orphans",
            f"a key leads to thread {thread}, which is not there",
            ("DELETE FROM thread_keys WHERE key = ? AND thread = ?", (key, thread)),
        )


def _files(database: Database) -> Look:
    def look(connection: sqlite3.Connection) -> Iterator[Fault]:
        named = set()
        for mailbox, uid, file, size in connection.execute(
            "SELECT mailbox, uid, file, size FROM bodies JOIN messages ON messages.body = bodies.id"
            " WHERE file IS NOT NULL UNION ALL SELECT NULL, queued.id, file, size + skip FROM bodies"
            " JOIN queued ON queued.id = bodies.id WHERE file IS NOT NULL"
        ).fetchall():
            named.add(file)
            try:
                length = os.path.getsize(database.bodies.path(file))
            except OSError as error:
                if not _is_there_still(database, file):
                    continue  # it has been removed in the meantime
                yield Fault("lost", f"{_message(connection, mailbox, uid)} has lost its content: {error}")
                continue
            if length != size:
                yield Fault(
                    "sizes",
                    f"{_message(connection, mailbox, uid)} has {length} octets in {file}, and not {size}",
                )
        named |= {file for (file,) in connection.execute("SELECT file FROM bodies WHERE file IS NOT NULL")}
        for file, age in database.bodies.files():
            if file not in named and age > ORPHAN_AGE:
                yield Fault("orphans", f"no message has the file {printable(file)}", file=file)

    return look


def _is_there_still(database: Database, file: str) -> bool:
    connection = connect(database.path)
    try:
        row = connection.execute("SELECT 1 FROM bodies WHERE file = ? AND refs > 0", (file,)).fetchone()
        return row is not None
    finally:
        connection.close()


def _message(connection: sqlite3.Connection, mailbox: int | None, uid: int) -> str:
    if mailbox is None:
        return f"message {uid} in the queue"
    row = connection.execute(
        "SELECT accounts.name, mailboxes.name FROM mailboxes JOIN accounts ON accounts.id = account"
        " WHERE mailboxes.id = ?",
        (mailbox,),
    ).fetchone()
    return f"message {uid} in {printable('/'.join(row)) if row else f'mailbox {mailbox}'}"


def _counts(connection: sqlite3.Connection) -> Mapping[str, int]:
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("accounts", "mailboxes", "messages", "queued", "bodies", "threads")
    }


_LOOKS: Sequence[Look] = (
    _integrity,
    *QUEUE_ROWS,
    _bodies,  # first: one that is counted wrongly would be cleared away after any other repair
    mailbox_counts,
    account_counts,
    usage_counts,
    name_counts,
    counters,
    _strays,
    _stray_annotations,
    _stray_rights,
    _threads,
    *QUEUE_COUNTERS,
)
