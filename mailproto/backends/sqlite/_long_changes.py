"""Changes of many messages, in slices, so that other work does not wait for the whole change.

STORE, EXPUNGE, COPY and MOVE of 100,000 messages take SQLite more than a second, and there is only one
writer.  Each slice is its own transaction, and changes each of its messages completely. Other sessions may
see an unfinished change, as the RFCs allow, but it is always finished or undone:

- The change is recorded with the first slice, and the record is removed with the last one.  After a crash,
  the next start finishes the change, or another process that notices the crash.
- A COPY that fails is undone (RFC 9051 6.4.7): all messages are copied or none.

The writer lets accounts take turns with their slices (`_requests`).  The messages of deleted mailboxes, and
unused bodies, are removed later in the same way.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from array import array
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite import _changing
from mailproto.backends.sqlite._long_change import KINDS, LongChange, copying, expunging, moving, storing
from mailproto.backends.sqlite._peers import Peers
from mailproto.backends.sqlite._requests import LAST, REQUEST
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._threads import drop_unused_threads
from mailproto.backends.sqlite._writer import Transaction, Writer
from mailproto.errors import MailError, NoSuchMailbox, Unavailable

__all__ = [
    "SLICE",
    "LongChange",
    "LongChanges",
    "any_long_change",
    "copying",
    "expunging",
    "is_long",
    "moving",
    "storing",
]

SLICE = 1000
"""The most messages of one transaction: usually some 10 ms."""

FIRST = 100
"""Messages of a change's first slice; the later ones are as long as `SECONDS` allow."""

SECONDS = 0.01
"""The writer's processor time for a slice: messages with very many keywords take a hundred times as long."""

BODIES = 200
"""Bodies that are removed in one transaction: some 2 ms."""

STOPPING = 1.0
"""Seconds for which clearing goes on when the store stops."""

_CLEARING = "clearing"
"""The share of what no account waits for; see `Writer.submit`."""

RETRY = 10.0
"""Seconds until clearing is tried again after a failure, and until it begins after a start."""


class LongChanges:
    """Does changes in slices, and removes unused data; for the reactor's thread."""

    _log = PackageLogger()

    def __init__(self, path: str, writer: Writer, clock: IReactorTime, peers: Peers) -> None:
        self._path = path
        self._writer = writer
        self._peers = peers
        self._clock = clock
        self._end = math.inf  # the time when clearing ends
        self._clearing: Deferred[None] | None = None
        self._wakes = 0
        self._retry: IDelayedCall | None = None
        self._to_undo: list[tuple[int, LongChange]] = []

    async def do(self, change: LongChange, uids: Sequence[int], share: Hashable) -> list[Any]:
        """Do ``change``; returns the results of its slices, usually one.

        :param uids: ascending.
        :param share: see `Writer.submit`.
        :raises MailError: the change failed.  Finished slices stay, except that a copy is undone.
        """
        if is_long(uids):
            return await self._do_slices(None, change, array("I", uids), share)
        apply, weight = (_copy_few if change.kind == "copy" else _apply), REQUEST + len(uids)
        return [await self._writer.run(apply, change, list(uids), share=share, weight=weight)]

    async def finish_interrupted(self, seconds: float = 0.0, *, is_alone: bool = False) -> None:
        """Finish changes that crashes of other processes interrupted.

        :param seconds: after this time the call returns, and the work goes on.
        :param is_alone: whether there is no other process, so that none needs to be checked.
        """
        in_time: Deferred[None] = Deferred()
        end = time.monotonic() + seconds

        def check() -> None:
            if time.monotonic() > end and not in_time.called:
                in_time.callback(None)

        async def finish() -> None:
            try:
                is_gone = (lambda _: True) if is_alone else self._peers.is_gone
                for job, change, uids in await self._writer.run(_take_over, self._peers.name, is_gone):
                    self._log.info(
                        "{path}: the {kind} of {count} messages that was interrupted goes on",
                        path=self._path,
                        kind=change.kind,
                        count=len(uids),
                    )
                    await self._finish(job, change, uids, check)
            except Exception:
                self._log.failure("{path}: what was interrupted could not be finished", path=self._path)
            if not in_time.called:
                in_time.callback(None)

        self._finishing = Deferred.fromCoroutine(finish())
        await in_time

    def clear(self) -> None:
        """Start removing data that belongs to no mailbox any more."""
        self._wakes += 1
        if self._clearing is None and self._end == math.inf:
            if self._retry is not None and self._retry.active():
                self._retry.cancel()
            self._clearing = Deferred.fromCoroutine(self._clear())
            self._clearing.addCallback(self._cleared)

    def clear_later(self) -> None:
        """Remove what an earlier process left, but not at once.

        A command that ends soon, such as ``mailproto store check``, then finds it first.
        """
        self._try_again()

    async def stop(self) -> None:
        """Finish clearing if little is left; otherwise the next start goes on with it."""
        with contextlib.suppress(MailError):
            await self._writer.run(_nothing, share=LAST)  # after this, all earlier commits are known here
        if self._wakes:
            self.clear()
        self._end = time.monotonic() + STOPPING
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        if self._clearing is not None:
            await self._clearing

    # -- slices

    async def _do_slices(
        self,
        job: int | None,
        change: LongChange,
        uids: array[int],
        share: Hashable = _CLEARING,
        after_each: Callable[[], None] = lambda: None,
    ) -> list[Any]:
        results = []
        do_slice = _copy_slice if change.kind == "copy" else _slice
        try:
            start, size = 0, min(FIRST, SLICE)  # then ten times as many at most, as long as that is quick
            while start < len(uids):
                some = uids[start : start + size].tolist()
                start += size
                all_uids = uids if job is None else None
                is_last = start >= len(uids)
                job, result, seconds = await self._writer.run(
                    do_slice,
                    job,
                    change,
                    all_uids,
                    some,
                    is_last,
                    self._peers.name,
                    share=share,
                    weight=REQUEST + len(some),
                )
                size = max(1, min(SLICE, size * 10, int(size * SECONDS / (seconds or SECONDS / 10))))
                results.append(result)
                after_each()
        except Exception:
            if job is not None and self._end == math.inf:  # else the next start goes on with it
                self._to_undo.append((job, change))
                await self._undo()
            raise
        return results

    async def _finish(
        self, job: int, change: LongChange, uids: array[int], after_each: Callable[[], None]
    ) -> None:
        try:
            await self._do_slices(job, change, uids, after_each=after_each)
        except Exception as error:
            self._log.warn(
                "{path}: the {kind} that was interrupted could not be finished: {error}",
                path=self._path,
                kind=change.kind,
                error=error,
            )

    async def _undo(self) -> None:
        """Remove the records of failed changes and the messages that they copied; try again later if that
        fails."""
        while self._to_undo:
            job, change = self._to_undo[0]
            try:
                undoing = await self._writer.run(_give_up, job, change, self._peers.name)
                del self._to_undo[0]
                if undoing is not None:
                    await self._do_slices(*undoing)
            except NoSuchMailbox:
                continue  # what was copied is gone with its mailbox
            except Exception as error:
                self._log.error(
                    "{path}: a {kind} that failed could not be undone yet: {error}",
                    path=self._path,
                    kind=change.kind,
                    error=error,
                )
                self._try_again()
                return

    # -- clearing

    async def _clear(self) -> None:
        try:
            await self._undo()
            seen = -1
            while seen != self._wakes:
                seen = self._wakes
                while await self._writer.run(_clear_some, share=_CLEARING, weight=SLICE):
                    if time.monotonic() > self._end:
                        return
        except Unavailable:
            self._try_again()  # the writer has logged the error
        except Exception:
            self._log.failure("{path}: what was deleted could not be cleared away", path=self._path)
            self._try_again()

    def _cleared(self, _: None) -> None:
        self._clearing = None

    def _try_again(self) -> None:
        if self._end == math.inf and (self._retry is None or not self._retry.active()):
            self._retry = self._clock.callLater(RETRY, self.clear)


def is_long(uids: Sequence[int]) -> bool:
    """Whether a change of so many messages is done in slices."""
    return len(uids) > min(FIRST, SLICE)


def any_long_change(connection: sqlite3.Connection) -> bool:
    """Whether there is a running or an interrupted long change, in any process."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM long_changes)").fetchone()[0])


# In the writer's thread


def _apply(transaction: Transaction, change: LongChange, uids: Sequence[int]) -> Any:
    """Apply a change to a few messages."""
    return KINDS[change.kind](transaction, change, uids)


def _slice(
    transaction: Transaction,
    job: int | None,
    change: LongChange,
    uids: array[int] | None,
    some: Sequence[int],
    is_last: bool,
    owner: str,
) -> tuple[int, Any, float]:
    """Do the next slice; returns the job, the result, and the seconds that it took.

    :param job: None for the first slice: then the change is recorded with all ``uids``.
    """
    begin = time.thread_time()
    if job is None:
        job = _write_down(transaction, change, uids or array("I"), owner)
    result = _apply(transaction, change, some)
    if is_last:
        _strike_out(transaction, job)
        return job, result, time.thread_time() - begin
    transaction.execute("UPDATE long_changes_progress SET upto = ? WHERE id = ?", (some[-1], job))
    if change.kind == "copy" and result:
        runs = _copied(transaction, job)
        first, last = result[0][1], result[-1][1]
        if runs and runs[-1][1] + 1 == first:
            runs[-1][1] = last
        else:
            runs.append([first, last])
        transaction.execute(
            "UPDATE long_changes_progress SET copied = ? WHERE id = ?", (json.dumps(runs), job)
        )
    return job, result, time.thread_time() - begin


@adds_content
def _copy_few(transaction: Transaction, change: LongChange, uids: Sequence[int]) -> Any:
    return _apply(transaction, change, uids)


@adds_content
def _copy_slice(*arguments: Any) -> tuple[int, Any, float]:
    return _slice(*arguments)


def _write_down(transaction: Transaction, change: LongChange, uids: array[int], owner: str) -> int:
    job = transaction.execute(
        "INSERT INTO long_changes (kind, mailbox, target, arguments, uids, owner) VALUES (?, ?, ?, ?, ?, ?)",
        (*change, uids.tobytes(), owner),
    ).lastrowid
    transaction.execute("INSERT INTO long_changes_progress (id, upto, copied) VALUES (?, 0, '[]')", (job,))
    return int(job or 0)


def _strike_out(transaction: Transaction, job: int) -> None:
    transaction.execute("DELETE FROM long_changes WHERE id = ?", (job,))
    transaction.execute("DELETE FROM long_changes_progress WHERE id = ?", (job,))


def _copied(transaction: Transaction, job: int) -> list[list[int]]:
    [text] = transaction.execute("SELECT copied FROM long_changes_progress WHERE id = ?", (job,)).fetchone()
    runs: list[list[int]] = json.loads(text)
    return runs


def _give_up(
    transaction: Transaction, job: int, change: LongChange, owner: str
) -> tuple[int, LongChange, array[int]] | None:
    """Remove the record of a failed change; returns the change that undoes it, if there is one."""
    copied = array("I")
    if change.kind == "copy":
        for first, last in _copied(transaction, job):
            copied.extend(range(first, last + 1))
    _strike_out(transaction, job)
    if not copied:
        return None
    undoing = LongChange("remove", change.target or 0)
    return _write_down(transaction, undoing, copied, owner), undoing, copied


def _take_over(
    transaction: Transaction, owner: str, is_gone: Callable[[str], bool]
) -> list[tuple[int, LongChange, array[int]]]:
    """Make ``owner`` the owner of interrupted changes; returns them, each with its remaining UIDs."""
    owners = transaction.execute("SELECT DISTINCT owner FROM long_changes")
    gone = [each for (each,) in owners.fetchall() if is_gone(each)]
    rows = transaction.execute(
        "SELECT id, upto, uids, kind, mailbox, target, arguments FROM long_changes"
        " JOIN long_changes_progress USING (id) WHERE owner IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(gone),),
    ).fetchall()
    transaction.execute(
        "UPDATE long_changes SET owner = ? WHERE owner IN (SELECT value FROM json_each(?))",
        (owner, json.dumps(gone)),
    )
    found = []
    for job, upto, octets, *change in rows:
        uids = array("I")
        uids.frombytes(octets)
        remaining = array("I", (uid for uid in uids if uid > upto))
        found.append((job, LongChange(*change), remaining))
    return found


def _nothing(transaction: Transaction) -> None:
    pass


def _clear_some(transaction: Transaction) -> bool:
    """Remove some messages of a deleted mailbox, some bodies or threads; False if nothing is left."""
    return (
        _changing.discard_some(transaction, SLICE)
        or _changing.remove_unused_bodies(transaction, BODIES)
        or drop_unused_threads(transaction.connection, BODIES)
    )
