# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Work for the writer: changes of existing messages (flags, copies, moves, removals).

UIDs are passed as JSON arrays, so that one statement handles many of them (very many are divided by
`_long_changes`).  Removing a message deletes its row at once; its body is deleted later, if no other
message uses it.
"""

from __future__ import annotations

import json
import time
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence

from mailproto.backends._flags import check_keywords
from mailproto.backends._uid_runs import UidPairs
from mailproto.backends.sqlite import _contents
from mailproto.backends.sqlite._annotations import remove_annotations
from mailproto.backends.sqlite._flagbits import DELETED_BIT, SEEN_BIT, Columns, columns_of, flags_of
from mailproto.backends.sqlite._quotas import check_room
from mailproto.backends.sqlite._threads import join_threads, leave_threads
from mailproto.backends.sqlite._writer import Transaction
from mailproto.errors import NoSuchMailbox
from mailproto.model import FlagChange, FlagColumns, StoreResult

__all__ = [
    "TOMBSTONES",
    "copy",
    "discard_mailboxes",
    "discard_some",
    "expunge",
    "keep_claim",
    "move",
    "remove",
    "remove_unused_bodies",
    "store",
]

TOMBSTONES = 10_000
"""Runs of removed UIDs that a mailbox remembers at least; it remembers at most twice as many.

For changes since an earlier time, every UID that does not exist is reported instead.
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
    _, modseq, _ = _numbers(transaction, mailbox)
    modseq += 1  # used only if there is a change
    found, modseqs = array("I"), array("Q")
    refused: list[int] = []
    new_flags: list[frozenset[str]] = []
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
        found.append(uid)
        modseqs.append(last)
        new_flags.append(after[1])
    new_keywords = {becomes[before][0][1] for before in changing if becomes[before][0][1] != before[1]}
    transaction.keywords.check(transaction.connection, mailbox, new_keywords)
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
            "UPDATE mailboxes SET unseen = unseen + ?, deleted = deleted + ? WHERE id = ?",
            (unseen, deleted, mailbox),
        )
        _moved_on(transaction, mailbox, modseq)
    return StoreResult(FlagColumns(found, new_flags, modseqs), refused)


def copy(transaction: Transaction, source: int, uids: Sequence[int], target: int) -> UidPairs:
    """See `IMailbox.copy`."""
    pairs, _, into = _copy(transaction, source, uids, target)
    if pairs:
        check_room(transaction, into)
    return pairs


def _copy(
    transaction: Transaction, source: int, uids: Sequence[int], target: int
) -> tuple[UidPairs, int, int]:
    """Copy messages; returns the accounts of the source and the target, too."""
    _, _, from_ = _numbers(transaction, source)
    uid_next, modseq, into = _numbers(transaction, target)
    these = _present(transaction, source, uids)
    if not these:
        return UidPairs((), ()), from_, into
    asked = (source, json.dumps(these))
    if source != target:
        rows = transaction.execute(f"SELECT DISTINCT keywords FROM messages WHERE {_THESE}", asked)
        keywords = [keywords for (keywords,) in rows]
        transaction.keywords.check(transaction.connection, target, keywords)
    _count(transaction, target, *asked, sign=1)
    transaction.execute(
        "UPDATE bodies SET refs = refs + taken.count FROM"
        f" (SELECT body, count(*) AS count FROM messages WHERE {_THESE} GROUP BY body) AS taken"
        " WHERE bodies.id = taken.body",
        asked,
    )
    join_threads(transaction.connection, _THESE, asked)
    transaction.execute(
        "INSERT INTO messages"
        " (mailbox, uid, flags, keywords, modseq, saved, internal_date, zone, size, body, thread)"
        " SELECT ?, ? + row_number() OVER numbered, flags, keywords, ? + row_number() OVER numbered, ?,"
        f" internal_date, zone, size, body, thread FROM messages WHERE {_THESE}"
        " WINDOW numbered AS (ORDER BY uid)",
        (target, uid_next - 1, modseq, int(time.time()), *asked),
    )
    modseq += len(these)
    transaction.execute("UPDATE mailboxes SET uid_next = ? WHERE id = ?", (uid_next + len(these), target))
    _moved_on(transaction, target, modseq)
    return UidPairs(these, range(uid_next, uid_next + len(these))), from_, into


def move(transaction: Transaction, source: int, uids: Sequence[int], target: int) -> UidPairs:
    """See `IMailbox.move`."""
    pairs, from_, into = _copy(transaction, source, uids, target)
    _remove(transaction, source, pairs.sources.tolist())
    if pairs and from_ != into:
        check_room(transaction, into)
    return pairs


def expunge(transaction: Transaction, mailbox: int, uids: Sequence[int]) -> Sequence[int]:
    """Remove those of ``uids`` that have ``\\Deleted``; returns the removed UIDs."""
    return _remove_where(transaction, mailbox, uids, f" AND flags & {DELETED_BIT}")


def remove(transaction: Transaction, mailbox: int, uids: Sequence[int]) -> Sequence[int]:
    """Remove those of ``uids`` that exist, whatever their flags; returns the removed UIDs."""
    return _remove_where(transaction, mailbox, uids, "")


def _remove_where(transaction: Transaction, mailbox: int, uids: Sequence[int], which: str) -> Sequence[int]:
    _numbers(transaction, mailbox)
    rows = transaction.execute(
        f"SELECT uid FROM messages WHERE {_THESE}{which} ORDER BY uid", (mailbox, json.dumps(uids))
    )
    gone = [uid for (uid,) in rows]
    _remove(transaction, mailbox, gone)
    return array("I", gone)


def keep_claim(transaction: Transaction, mailbox: int, claimed: range) -> range:
    """Messages with UIDs below the end of ``claimed`` are no longer recent.

    :returns: those of ``claimed`` that no other process has claimed before.
    """
    row = transaction.execute("SELECT unclaimed FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    upto = claimed.stop
    if row is None or row[0] >= upto:
        return range(upto, upto)
    transaction.execute(
        "UPDATE mailboxes SET unclaimed = :upto, recent ="
        " (SELECT count(*) FROM messages WHERE mailbox = mailboxes.id AND uid >= :upto)"
        " WHERE id = :mailbox",
        {"mailbox": mailbox, "upto": upto},
    )
    return range(max(claimed.start, row[0]), upto)


def discard_mailboxes(transaction: Transaction, which: str, those: tuple[object, ...]) -> None:
    """Delete the mailboxes that match the condition ``which``; `discard_some` removes their messages."""
    remove_annotations(transaction, which, those)
    transaction.execute(f"DELETE FROM acl WHERE mailbox IN (SELECT id FROM mailboxes WHERE {which})", those)
    transaction.execute(f"INSERT INTO discarded (mailbox) SELECT id FROM mailboxes WHERE {which}", those)
    transaction.execute(f"DELETE FROM mailboxes WHERE {which}", those)
    transaction.leaves_work = True


def discard_some(transaction: Transaction, count: int) -> bool:
    """Remove up to ``count`` messages of deleted mailboxes; returns whether there was such a mailbox."""
    row = transaction.execute("SELECT mailbox FROM discarded LIMIT 1").fetchone()
    if row is None:
        return False
    [mailbox] = row
    rows = transaction.execute(
        "SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid LIMIT ?", (mailbox, count)
    )
    uids = [uid for (uid,) in rows]
    if uids:
        asked = (mailbox, uids[0], uids[-1])
        _release_bodies(transaction, "mailbox = ? AND uid BETWEEN ? AND ?", asked)
        transaction.execute("DELETE FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?", asked)
    else:
        transaction.execute("DELETE FROM vanished WHERE mailbox = ?", (mailbox,))
        transaction.execute("DELETE FROM discarded WHERE mailbox = ?", (mailbox,))
    return True


def remove_unused_bodies(transaction: Transaction, count: int) -> bool:
    """Remove up to ``count`` unused bodies; returns whether there may be more."""
    rows = transaction.execute(
        "SELECT id, file FROM bodies INDEXED BY bodies_unused WHERE refs = 0 LIMIT ?", (count,)
    ).fetchall()
    if rows:
        ids = json.dumps([id_ for id_, _ in rows])
        _contents.remove(transaction.execute, ids)
        transaction.execute("DELETE FROM bodies WHERE id IN (SELECT value FROM json_each(?))", (ids,))
        transaction.unused.extend(file for _, file in rows if file is not None)
    return len(rows) == count


def _numbers(transaction: Transaction, mailbox: int) -> tuple[int, int, int]:
    """The mailbox's next UID, and the last modseq and the id of its account."""
    row = transaction.execute(
        "SELECT mailboxes.uid_next, accounts.modseq, accounts.id FROM mailboxes"
        " JOIN accounts ON accounts.id = mailboxes.account WHERE mailboxes.id = ?",
        (mailbox,),
    ).fetchone()
    if row is None:
        raise NoSuchMailbox
    return row[0], row[1], row[2]


def _moved_on(transaction: Transaction, mailbox: int, modseq: int) -> None:
    """Set the new modseq of a changed mailbox and its account."""
    [account] = transaction.execute(
        "UPDATE mailboxes SET modseq = ? WHERE id = ? RETURNING account", (modseq, mailbox)
    ).fetchone()
    transaction.execute("UPDATE accounts SET modseq = ? WHERE id = ?", (modseq, account))
    transaction.touched[mailbox] = transaction.accounts[account] = modseq


def _present(transaction: Transaction, mailbox: int, uids: Sequence[int]) -> list[int]:
    rows = transaction.execute(
        f"SELECT uid FROM messages WHERE {_THESE} ORDER BY uid",
        (mailbox, json.dumps(uids)),
    )
    return [uid for (uid,) in rows]


def _count(transaction: Transaction, counting: int, mailbox: int, uids: str, *, sign: int) -> None:
    """Add messages of one mailbox to the counts of another, or subtract them from its own.

    All added messages are recent; of the removed ones, those that were not claimed.
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
    """Remove existing messages, and leave tombstones."""
    if not uids:
        return
    asked = (mailbox, json.dumps(uids))
    _count(transaction, mailbox, *asked, sign=-1)
    _release_bodies(transaction, _THESE, asked)
    transaction.execute(f"DELETE FROM messages WHERE {_THESE}", asked)
    _, modseq, _ = _numbers(transaction, mailbox)
    modseq += 1
    runs = [(mailbox, modseq, first, last) for first, last in _runs(uids)]
    transaction.connection.executemany(
        "INSERT INTO vanished (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)", runs
    )
    [tombstones] = transaction.execute(
        "UPDATE mailboxes SET tombstones = tombstones + ? WHERE id = ? RETURNING tombstones",
        (len(runs), mailbox),
    ).fetchone()
    if tombstones > 2 * TOMBSTONES:
        _forget_tombstones(transaction, mailbox)
    _moved_on(transaction, mailbox, modseq)
    transaction.leaves_work = True


def _forget_tombstones(transaction: Transaction, mailbox: int) -> None:
    """Drop the oldest tombstones beyond `TOMBSTONES`."""
    [last] = transaction.execute(
        "SELECT modseq FROM vanished WHERE mailbox = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?",
        (mailbox, TOMBSTONES),
    ).fetchone()
    dropped = transaction.execute(
        "DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?", (mailbox, last)
    ).rowcount
    transaction.execute(
        "UPDATE mailboxes SET forgotten = ?, tombstones = tombstones - ? WHERE id = ?",
        (last, dropped, mailbox),
    )


def _release_bodies(transaction: Transaction, which: str, asked: tuple[object, ...]) -> None:
    leave_threads(transaction.connection, which, asked)
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
