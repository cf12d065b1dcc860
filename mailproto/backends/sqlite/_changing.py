# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""The writer's work on messages that are there: flags, copies, moves, removals.

UIDs travel as JSON arrays: one statement for any number of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence

from mailproto.backends._flags import check_keywords
from mailproto.backends.sqlite._flagbits import DELETED_BIT, SEEN_BIT, Columns, columns_of, flags_of
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import NoSuchMailbox
from mailproto.model import FlagChange, FlagColumns, MessageFlags, StoreResult

__all__ = [
    "TOMBSTONES",
    "claim_recent",
    "copy",
    "discard_messages",
    "expunge",
    "forget_tombstones",
    "move",
    "store",
]

TOMBSTONES = 10_000
"""Runs of vanished UIDs that a mailbox remembers over a restart of the store.

Who asks for changes from before them is told of every UID that is not there instead.
"""

_THESE = "mailbox = ? AND uid IN (SELECT value FROM json_each(?))"


def store(
    transaction: Transaction,
    mailbox: int,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: int | None,
) -> StoreResult:
    """See `IMailbox.store`."""
    _, modseq = _numbers(transaction, mailbox)
    modseq += 1
    results: list[MessageFlags] = []
    refused: list[int] = []
    becomes: dict[Columns, tuple[Columns, frozenset[str]]] = {}
    changing: defaultdict[Columns, list[int]] = defaultdict(list)
    rows = transaction.execute(
        f"SELECT uid, modseq, flags, keywords FROM messages WHERE {_THESE}",
        (mailbox, json.dumps(uids)),
    ).fetchall()
    rows.sort()
    for uid, last, *columns in rows:
        if unchanged_since is not None and last > unchanged_since:
            refused.append(uid)
            continue
        before = (columns[0], columns[1])
        if (after := becomes.get(before)) is None:
            flags = check_keywords(change.apply(flags_of[before]))
            stored = columns_of(flags)
            after = becomes[before] = (stored, flags_of[stored])
        if after[0] != before:
            changing[before].append(uid)
            last = modseq
        results.append(MessageFlags(uid, after[1], last))
    unseen = deleted = 0
    for before, changed in changing.items():
        after_columns = becomes[before][0]
        transaction.execute(
            f"UPDATE messages SET flags = ?, keywords = ?, modseq = ? WHERE {_THESE}",
            (*after_columns, modseq, mailbox, json.dumps(changed)),
        )
        unseen += (_unseen(after_columns) - _unseen(before)) * len(changed)
        deleted += (_deleted(after_columns) - _deleted(before)) * len(changed)
    if changing:
        transaction.execute(
            "UPDATE mailboxes SET modseq = ?, unseen = unseen + ?, deleted = deleted + ? WHERE id = ?",
            (modseq, unseen, deleted, mailbox),
        )
        transaction.touched[mailbox] = modseq
    return StoreResult(FlagColumns.of(results), refused)


@adds_content
def copy(transaction: Transaction, source: int, uids: Sequence[int], target: int) -> list[tuple[int, int]]:
    """See `IMailbox.copy`."""
    _numbers(transaction, source)
    uid_next, modseq = _numbers(transaction, target)
    these = _present(transaction, source, uids)
    if not these:
        return []
    asked = (source, json.dumps(these))
    _count(transaction, target, *asked, sign=1)
    transaction.execute(
        "UPDATE bodies SET refs = refs + taken.count FROM"
        f" (SELECT body, count(*) AS count FROM messages WHERE {_THESE} GROUP BY body) AS taken"
        " WHERE bodies.id = taken.body",
        asked,
    )
    transaction.execute(
        "INSERT INTO messages (mailbox, uid, flags, keywords, modseq, internal_date, size, body)"
        " SELECT ?, ? + row_number() OVER numbered, flags, keywords, ? + row_number() OVER numbered,"
        f" internal_date, size, body FROM messages WHERE {_THESE}"
        " WINDOW numbered AS (ORDER BY uid)",
        (target, uid_next - 1, modseq, *asked),
    )
    modseq += len(these)
    transaction.execute(
        "UPDATE mailboxes SET uid_next = ?, modseq = ? WHERE id = ?", (uid_next + len(these), modseq, target)
    )
    transaction.touched[target] = modseq
    return list(zip(these, range(uid_next, uid_next + len(these)), strict=True))


def move(transaction: Transaction, source: int, uids: Sequence[int], target: int) -> list[tuple[int, int]]:
    """See `IMailbox.move`."""
    pairs = copy(transaction, source, uids, target)
    _remove(transaction, source, [uid for uid, _ in pairs])
    return pairs


def expunge(transaction: Transaction, mailbox: int, uids: Sequence[int] | None) -> list[int]:
    """See `IMailbox.expunge`."""
    _numbers(transaction, mailbox)
    among, asked = ("mailbox = ?", (mailbox,)) if uids is None else (_THESE, (mailbox, json.dumps(uids)))
    rows = transaction.execute(
        f"SELECT uid FROM messages WHERE {among} AND flags & {DELETED_BIT} ORDER BY uid",
        asked,
    )
    gone = [uid for (uid,) in rows]
    _remove(transaction, mailbox, gone)
    return gone


def claim_recent(transaction: Transaction, mailbox: int) -> int:
    """See `IRecent.claim_recent`."""
    uid_next, _ = _numbers(transaction, mailbox)
    [first] = transaction.execute(
        "SELECT min(uid) FROM messages WHERE mailbox = :id"
        " AND uid >= (SELECT unclaimed FROM mailboxes WHERE id = :id)",
        {"id": mailbox},
    ).fetchone()
    transaction.execute("UPDATE mailboxes SET unclaimed = uid_next, recent = 0 WHERE id = ?", (mailbox,))
    return uid_next if first is None else int(first)


def discard_messages(transaction: Transaction, mailbox: int) -> None:
    """Remove all that is kept of a mailbox, but its own row."""
    _release_bodies(transaction, "mailbox = ?", (mailbox,))
    transaction.execute("DELETE FROM messages WHERE mailbox = ?", (mailbox,))
    transaction.execute("DELETE FROM vanished WHERE mailbox = ?", (mailbox,))
    _drop_unused_bodies(transaction)


def _drop_unused_bodies(transaction: Transaction) -> None:
    """Remove the bodies that no message names."""
    transaction.execute("DELETE FROM contents WHERE body IN (SELECT id FROM bodies WHERE refs = 0)")
    files = transaction.execute("SELECT file FROM bodies WHERE refs = 0 AND file IS NOT NULL")
    transaction.unused.extend(file for (file,) in files)
    transaction.execute("DELETE FROM bodies WHERE refs = 0")


def forget_tombstones(connection: sqlite3.Connection) -> None:
    """Of each mailbox, drop the oldest tombstones beyond `TOMBSTONES`."""
    many = connection.execute(
        "SELECT mailbox FROM vanished GROUP BY mailbox HAVING count(*) > ?", (TOMBSTONES,)
    ).fetchall()
    for (mailbox,) in many:
        [last] = connection.execute(
            "SELECT modseq FROM vanished WHERE mailbox = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?",
            (mailbox, TOMBSTONES),
        ).fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?", (mailbox, last))
        connection.execute("UPDATE mailboxes SET forgotten = ? WHERE id = ?", (last, mailbox))
        connection.execute("COMMIT")


def _numbers(transaction: Transaction, mailbox: int) -> tuple[int, int]:
    row = transaction.execute("SELECT uid_next, modseq FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    if row is None:
        raise NoSuchMailbox
    return row[0], row[1]


def _present(transaction: Transaction, mailbox: int, uids: Sequence[int]) -> list[int]:
    rows = transaction.execute(
        f"SELECT uid FROM messages WHERE {_THESE} ORDER BY uid",
        (mailbox, json.dumps(uids)),
    )
    return [uid for (uid,) in rows]


def _count(transaction: Transaction, counting: int, mailbox: int, uids: str, *, sign: int) -> None:
    """Add messages of one mailbox to the figures of another, or take them off its own.

    All that come are recent; of those that go, the unclaimed were.
    """
    recent = "count(*)" if sign > 0 else "coalesce(sum(uid >= mailboxes.unclaimed), 0)"
    transaction.execute(
        "UPDATE mailboxes SET (messages, unseen, recent, deleted, size) = ("
        f"SELECT mailboxes.messages + {sign} * count(*),"
        f" mailboxes.unseen + {sign} * coalesce(sum(flags & {SEEN_BIT} = 0), 0),"
        f" mailboxes.recent + {sign} * {recent},"
        f" mailboxes.deleted + {sign} * coalesce(sum(flags & {DELETED_BIT} != 0), 0),"
        f" mailboxes.size + {sign} * coalesce(sum(messages.size), 0)"
        f" FROM messages WHERE {_THESE}) WHERE id = ?",
        (mailbox, uids, counting),
    )


def _remove(transaction: Transaction, mailbox: int, uids: Sequence[int]) -> None:
    """Take messages that are there away, and leave tombstones."""
    if not uids:
        return
    asked = (mailbox, json.dumps(uids))
    _count(transaction, mailbox, *asked, sign=-1)
    _release_bodies(transaction, _THESE, asked)
    transaction.execute(f"DELETE FROM messages WHERE {_THESE}", asked)
    _, modseq = _numbers(transaction, mailbox)
    modseq += 1
    transaction.connection.executemany(
        "INSERT INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)",
        ((mailbox, modseq, first, last) for first, last in _runs(uids)),
    )
    transaction.execute("UPDATE mailboxes SET modseq = ? WHERE id = ?", (modseq, mailbox))
    transaction.touched[mailbox] = modseq
    _drop_unused_bodies(transaction)


def _release_bodies(transaction: Transaction, which: str, asked: tuple[object, ...]) -> None:
    transaction.execute(
        "UPDATE bodies SET refs = refs - gone.count FROM"
        f" (SELECT body, count(*) AS count FROM messages WHERE {which} GROUP BY body) AS gone"
        " WHERE bodies.id = gone.body",
        asked,
    )


def _runs(uids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each stretch of consecutive UIDs."""
    first = last = uids[0]
    for uid in uids[1:]:
        if uid != last + 1:
            yield first, last
            first = uid
        last = uid
    yield first, last


def _unseen(columns: Columns) -> int:
    return not columns[0] & SEEN_BIT


def _deleted(columns: Columns) -> int:
    return bool(columns[0] & DELETED_BIT)
