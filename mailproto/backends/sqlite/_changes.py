# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""What has changed in a mailbox, for the sessions that have selected it.

A few changes are read in one step.  Many are read in pieces, as columns instead of rows, each piece in its
own snapshot.  The sessions that ask for the same many changes at the same time share one answer: after a
change of all messages, all who have selected the mailbox ask.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.backends._uid_runs import UidRuns
from mailproto.backends.sqlite._flagbits import flags_column, flags_of
from mailproto.backends.sqlite._known import Known
from mailproto.backends.sqlite._reading import NEXT, Read, check_exists, snapshot
from mailproto.errors import NoSuchMailbox
from mailproto.model import Changes, FlagColumns

__all__ = ["FEW", "PIECE", "ChangesReader"]

FEW = 1000
"""The most changes that are read as rows, in one step."""

PIECE = 5000
"""Messages that are read in one turn of the reactor: some 2 ms."""


_SMALL = 20
"""Answers with at most so many changes are remembered for themselves, because others cost more to be read."""

_REMEMBERED = 16
"""Answers that are remembered, for others who ask the same."""


_Key: TypeAlias = tuple[int, int, int]


class ChangesReader:
    """Answers `IMailbox.changes_since`.

    :param read: `Database.read`.
    :param known: `Database.known`.
    :param pause: `Database.pause`.
    """

    def __init__(self, read: Read, known: Known, pause: Callable[[], Awaitable[None]]) -> None:
        self._read = read
        self._known = known
        self._pause = pause
        # Who waits, by what is read: the mailbox, the modseq that was asked about, and the mailbox's own
        # at the beginning.  If that is still the same, nothing has changed since.
        self._waiting: dict[_Key, list[Deferred[Changes]]] = {}
        # Answers that were read in one step: small ones, and others.
        self._latest: tuple[dict[_Key, Changes], dict[_Key, Changes]] = ({}, {})

    async def changes_since(self, mailbox: int, modseq: int) -> Changes:
        """See `IMailbox.changes_since`.

        The result has the modseq from the beginning; a change that is made while the pieces are read may be
        in it, and is in the next call's result in any case.
        """
        key = mailbox, modseq, self._known.modseq(mailbox)
        small, others = self._latest
        latest = small.get(key) or others.get(key)
        if latest is not None:
            return latest
        waiting = self._waiting.get(key)
        if waiting is None:
            begun = self._read(_begin, mailbox, modseq)
            self._known.saw(mailbox, begun.modseq)
            key = mailbox, modseq, begun.modseq
            if begun.changed is not None:
                changes = Changes(begun.changed, begun.vanished, begun.modseq)
                of_its_size = small if len(changes.changed) + len(changes.vanished) <= _SMALL else others
                while len(of_its_size) >= _REMEMBERED:
                    del of_its_size[next(iter(of_its_size))]
                of_its_size[key] = changes
                return changes
            waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
            # It is nobody's own work: the others still wait when the first has gone.
            reading = Deferred.fromCoroutine(self._read_pieces(mailbox, modseq, begun))
            reading.addBoth(lambda result: Deferred.fromCoroutine(self._give(result, key)))
        answer: Deferred[Changes] = Deferred()
        waiting.append(answer)
        return await answer

    async def _give(self, result: Changes | Failure, key: tuple[int, int, int]) -> None:
        """Give the answer to one who waits after another; each takes some ms to take it in."""
        waiting = deque(self._waiting.pop(key))
        while waiting:
            if not (answer := waiting.popleft()).called:
                answer.callback(result)  # a Failure becomes an error
                if waiting:
                    await self._pause()

    async def _read_pieces(self, mailbox: int, modseq: int, begun: _Begun) -> Changes:
        await self._pause()
        uids, modseqs, vanished = array("I"), array("Q"), begun.vanished
        flags: list[frozenset[str]] = []
        last = 0
        read = self._read
        while piece := read(_piece, mailbox, modseq, last, begun.uid_next, begun.is_forgotten):
            uids.extend(piece.uids)
            flags += piece.flags
            modseqs.extend(piece.modseqs)
            if begun.is_forgotten:
                for uid in piece.there:
                    vanished.add(last + 1, uid - 1)
                    last = uid
            last = piece.last
            await self._pause()
        if begun.is_forgotten:
            vanished.add(last + 1, begun.uid_next - 1)
        read(check_exists, mailbox)
        return Changes(FlagColumns(uids, flags, modseqs), vanished, begun.modseq)


class _Begun(NamedTuple):
    """The first step: the mailbox's state, and the changes if they are few.

    :ivar changed: None if there are many.
    :ivar vanished: the removed UIDs, unless ``is_forgotten``.
    :ivar is_forgotten: whether the tombstones of that time have been dropped: then every UID that does not
        exist counts as removed.
    """

    modseq: int
    uid_next: int
    changed: FlagColumns | None
    vanished: UidRuns
    is_forgotten: bool


class _Piece(NamedTuple):
    """The columns of the changed messages in a range.

    :ivar last: the greatest UID in the range.
    :ivar there: all UIDs in the range, if they were requested.
    """

    uids: array[int]
    flags: list[frozenset[str]]
    modseqs: array[int]
    last: int
    there: list[int]


def _begin(connection: sqlite3.Connection, mailbox: int, modseq: int) -> _Begun:
    with snapshot(connection):
        row = connection.execute(
            "SELECT modseq, uid_next, forgotten, messages FROM mailboxes WHERE id = ?", (mailbox,)
        ).fetchone()
        if row is None:
            raise NoSuchMailbox
        now, uid_next, forgotten, messages = row
        if modseq >= now:
            return _Begun(now, uid_next, FlagColumns(), UidRuns(), is_forgotten=False)
        is_forgotten = 0 < modseq < forgotten
        vanished = UidRuns()
        if modseq > 0 and not is_forgotten:
            vanished = _tombstones(connection, mailbox, modseq)
        if is_forgotten or (modseq == 0 and messages > FEW):
            return _Begun(now, uid_next, None, vanished, is_forgotten)
        rows = connection.execute(
            "SELECT uid, flags, keywords, modseq FROM messages"
            + (" INDEXED BY messages_changed" if modseq > 0 else " NOT INDEXED")
            + " WHERE mailbox = ? AND modseq > ? LIMIT ?",
            (mailbox, modseq, FEW + 1),
        ).fetchall()
    if len(rows) > FEW:
        return _Begun(now, uid_next, None, vanished, is_forgotten=False)
    rows.sort()
    changed = FlagColumns(
        [row[0] for row in rows],
        [flags_of[bits, keywords] for _, bits, keywords, _ in rows],
        [row[3] for row in rows],
    )
    return _Begun(now, uid_next, changed, vanished, is_forgotten=False)


def _piece(
    connection: sqlite3.Connection, mailbox: int, modseq: int, after: int, before: int, all_of_them: bool
) -> _Piece | None:
    """The changes in the next range, or None at the end."""
    asked = {"mailbox": mailbox, "modseq": modseq, "after": after, "before": before, "count": PIECE}
    # SQLite aggregates in the order of the table, which is by UID.
    with snapshot(connection):
        row = connection.execute(
            "SELECT max(uid), json_group_array(uid) FILTER (WHERE modseq > :modseq),"
            " json_group_array(flags) FILTER (WHERE modseq > :modseq),"
            " json_group_array(modseq) FILTER (WHERE modseq > :modseq), max(keywords > '')"
            + (", json_group_array(uid)" if all_of_them else ", '[]'")
            + f" FROM ({NEXT})",
            asked,
        ).fetchone()
        last, uids_text, bits_text, modseqs, has_keywords, there = row
        if last is None:
            return None
        uids = array("I", json.loads(uids_text))
        bits = json.loads(bits_text)
        flags = flags_column(bits)
        if has_keywords:
            # Row by row: each may have many keywords, and most rows have the same ones.
            at = 0
            for uid, keywords in connection.execute(
                f"SELECT uid, keywords FROM ({NEXT}) WHERE modseq > :modseq AND keywords > ''", asked
            ):
                at = uids.index(uid, at)
                flags[at] = flags_of[bits[at], keywords]
    return _Piece(uids, flags, array("Q", json.loads(modseqs)), last, json.loads(there))


def _tombstones(connection: sqlite3.Connection, mailbox: int, modseq: int) -> UidRuns:
    rows = connection.execute(
        "SELECT first, last FROM vanished WHERE mailbox = ? AND modseq > ?", (mailbox, modseq)
    ).fetchall()
    rows.sort()
    uids = UidRuns()
    for first, last in rows:
        uids.add(first, last)
    return uids
