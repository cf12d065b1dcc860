"""The only thread that writes, with group commit.

Requests that arrive while a batch commits form the next batch.  There is no timer: a request waits only for
those of the same turn of the reactor, but under load one sync serves all requests that arrived during the
last one. Within a batch, requests of the same kind are done together, with few statements (`kinds_of`).  If
that fails, each is done again by itself, so that one failure does not affect the others.

Each request is short: a change of many messages is divided into slices (`_long_changes`).  `Requests` decides
which ones are the next batch, so that no delivery waits long, and no account for another one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite._checkpoints import Checkpoints
from mailproto.backends.sqlite._keywords import Keywords
from mailproto.backends.sqlite._requests import REQUEST, Request, Requests, kinds_of
from mailproto.backends.sqlite._room import Room, takes_room
from mailproto.backends.sqlite._schema import connect
from mailproto.backends.sqlite._transactions import Transaction, do_each_kind, do_together
from mailproto.errors import StorageFull, Unavailable

__all__ = ["Transaction", "Writer"]

ANSWERING = 0.004
"""Seconds for which results are passed on in one turn of the reactor."""

A = TypeVar("A")
R = TypeVar("R")


class Writer:
    """Does work in transactions, in its own thread; results arrive in the reactor's thread.

    :param committed: called in the reactor's thread, with the transaction, after each batch that changed
        something, and before the batch is answered.
    :param unlink: called in the writer's thread after each batch with files to remove.
    :param room: decides what is done when the disk is full.
    :param turn: a context manager around each batch, with which processes take turns.
    :param ended: called in the reactor's thread after each batch, before its results are given.
    """

    _log = PackageLogger()

    def __init__(
        self,
        reactor: IReactorFromThreads,
        path: str,
        committed: Callable[[Transaction], None],
        unlink: Callable[[Sequence[str]], None],
        room: Room,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._path = path
        self._committed = committed
        self._unlink = unlink
        self._room = room
        self._turn = turn
        self._batch_ended = ended
        self._checkpoints = Checkpoints(path)
        self._keywords = Keywords()
        self._requests = Requests()
        self._submitted: list[Request] = []  # in this turn of the reactor
        self._passing: IDelayedCall | None = None  # at its end
        self._answers: deque[Callable[[], None]] = deque()  # to be given in the reactor's thread
        self._is_answering = False
        self._open = False
        self._ended: Deferred[None] = Deferred()

    def start(self) -> None:
        """Start the thread; the database must exist."""
        self._open = True
        self._checkpoints.start()
        threading.Thread(target=self._run, name="mailproto-sqlite-writer", daemon=True).start()

    def stop(self) -> Deferred[None]:
        """Finish all submitted work; the result fires when the connection is closed."""
        self._open = False
        if self._passing is not None:
            self._passing.cancel()
            self._pass_on()
        self._requests.end()
        return self._ended

    def submit(
        self,
        work: Callable[[Transaction, Sequence[A]], Sequence[R | Failure]],
        argument: A,
        *,
        share: Hashable = None,
        weight: int = 0,
    ) -> Deferred[R]:
        """Call ``work`` in the writer's thread, together with requests of the same kind.

        ``work`` gets several arguments, and returns a result or a `Failure` for each.  If it raises, its
        changes are undone, and it is called again for fewer arguments; the error of a single argument is that
        request's result.  A request that is cancelled is not done, unless its turn has come already.

        :param share: whose request it is, such as an account's id; None for what comes first.  Requests of
            one share are done in their order.
        :param weight: how long it takes, in hundredths of a millisecond.
        """
        if not self._open:
            return fail(Unavailable(detail="the store is stopped"))
        result: Deferred[R] = Deferred()
        self._submitted.append(Request(work, argument, result, share, weight))
        if self._passing is None:
            self._passing = self._clock.callLater(0, self._pass_on)
        return result

    def _pass_on(self) -> None:
        """Give the thread what was submitted in a turn of the reactor.

        If it were woken up for the first of these, it would do that one alone, and compete for the
        interpreter lock with all that the reactor has still to do.
        """
        submitted, self._submitted, self._passing = self._submitted, [], None
        self._requests.put(submitted)

    def run(
        self, work: Callable[..., R], *arguments: Any, share: Hashable = None, weight: int = REQUEST
    ) -> Deferred[R]:
        """Call ``work(transaction, *arguments)`` in the writer's thread; see `submit`."""
        return self.submit(_each, (work, arguments), share=share, weight=weight)

    # In the writer's thread

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        batch: list[Request] = []
        while self._requests.collect(batch):
            try:
                connection = self._serve(connection, batch)
            except Exception as error:
                # Nothing known raises here; but a thread that ends would leave every request unanswered.
                self._log.failure("{path}: unexpected error in the writer", path=self._path)
                lost = Unavailable(detail=f"{type(error).__name__}: {error}")
                self._answer(batch, [Failure(lost) for _ in batch], None)
                _close(connection)
                connection = None
            batch = []
        self._checkpoints.stop()
        _close(connection)
        self._reactor.callFromThread(self._give, [partial(self._ended.callback, None)])

    def _serve(
        self, connection: sqlite3.Connection | None, batch: Sequence[Request]
    ) -> sqlite3.Connection | None:
        """Answer a batch; returns the connection for the next one, None if that needs a new one."""
        try:
            connection = connection or connect(self._path)
        except sqlite3.Error as error:
            self._fail(batch, error)
            return None
        with self._turn():
            usable = self._commit(connection, batch)
        if not usable:
            connection.close()
            return None
        self._checkpoints.committed(connection)
        return connection

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> bool:
        """Do and commit a batch, and answer it; False if the connection cannot be used any more."""
        again = False
        while not self._room.is_short(connection):
            error = self._try(connection, batch)
            if error is None:
                return True
            if not _roll_back(connection):
                self._fail(batch, error)
                return False
            if not self._room.is_over(error):
                # The disk is failing, or another process holds the lock: the whole batch failed, but the
                # next one may succeed.
                self._fail(batch, error)
                return True
            if not self._room.make(connection, error, again=again):
                break
            again = True
        return self._commit_without_room(connection, batch)

    def _commit_without_room(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> bool:
        """The same on a full disk, each request by itself; those that add no content may use the
        reserve."""
        room = self._room
        adding = [request for request in batch if _adds(request)]
        others = [request for request in batch if not _adds(request)]
        used = False
        while others:
            error = self._try(connection, others[:1])
            if error is not None:
                if not _roll_back(connection):
                    self._fail(others + adding, error)
                    return False
                if room.is_over(error) and room.give_back():
                    used = True
                    continue
                self._fail(others[:1], error)
            del others[:1]
        if used:
            room.settle(connection)
        return self._add_without_room(connection, adding)

    def _add_without_room(self, connection: sqlite3.Connection, adding: list[Request]) -> bool:
        """Do the requests that add content together, or in parts if the log has room for a part only.

        Once a single request has no room, the rest is not parted any more.
        """
        parts, may_part = [adding] if adding else [], True
        while parts:
            part = parts.pop(0)
            error, usable = self._add(connection, part)
            if error is None:
                continue
            if not usable:
                self._fail([*part, *chain.from_iterable(parts)], error)
                return False
            if may_part and len(part) > 1 and self._room.is_over(error):
                half = len(part) // 2
                parts[:0] = [part[:half], part[half:]]
            else:
                may_part = False
                self._fail(part, error)
        return True

    def _add(self, connection: sqlite3.Connection, adding: list[Request]) -> tuple[Exception | None, bool]:
        """Do requests together; the error, and whether the connection can still be used."""
        room, is_settled = self._room, False
        while True:
            with room.inside_database(connection):
                error = room.refusal(connection) or self._try(connection, adding)
                usable = error is None or _roll_back(connection)
            if error is None or not usable or not room.is_over(error):
                return error, usable
            if not is_settled:
                room.settle(connection)  # perhaps only the log had no room
                is_settled = True
            elif not room.lend(connection):
                return error, usable

    def _try(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> Exception | None:
        """Do, commit and answer a batch; if it fails, nothing is answered, and the error is returned."""
        kinds = kinds_of(batch)
        batch = [request for _, requests in kinds for request in requests]
        try:
            done = do_together(connection, self._keywords, kinds)
            results, transaction = done or do_each_kind(connection, self._keywords, kinds)
        except Exception as error:
            return error
        self._answer(batch, results, transaction)
        if transaction.unused:
            self._unlink(transaction.unused)
        return None

    def _fail(self, batch: Sequence[Request], error: Exception) -> None:
        failure = self._room.failure(error)
        if not isinstance(failure, StorageFull):  # `Room` logs that, once
            self._log.error(
                "{path}: {count} changes were not made: {error}",
                path=self._path,
                count=len(batch),
                error=failure.detail,
            )
        self._answer(batch, [Failure(failure) for _ in batch], None)

    def _answer(
        self, batch: Sequence[Request], results: Sequence[Any], transaction: Transaction | None
    ) -> None:
        self._reactor.callFromThread(self._deliver, batch, results, transaction)

    # In the reactor's thread

    def _deliver(
        self, batch: Sequence[Request], results: Sequence[Any], transaction: Transaction | None
    ) -> None:
        self._batch_ended()
        answers: list[Callable[[], None]] = [
            partial(_answer_one, request.result, result)
            for request, result in zip(batch, results, strict=True)
        ]
        if transaction is not None and (
            transaction.touched
            or transaction.accounts
            or transaction.accounts_changed
            or transaction.sharing_changed
            or transaction.queue_changed
            or transaction.leaves_work
        ):
            # Who hears an answer, and asks in another session, finds that this one knows of the change.
            answers.insert(0, partial(self._committed, transaction))
        self._give(answers)

    def _give(self, answers: Sequence[Callable[[], None]]) -> None:
        """Give answers after those that wait already; in between, others have their turn."""
        self._answers.extend(answers)
        if not self._is_answering:
            self._is_answering = True
            self._give_some()

    def _give_some(self) -> None:
        end = time.monotonic() + ANSWERING
        while self._answers:
            try:
                self._answers.popleft()()
            except Exception:
                self._log.failure("{path}: unexpected error after a commit", path=self._path)
            if time.monotonic() > end and self._answers:
                self._reactor.callFromThread(self._give_some)
                return
        self._is_answering = False


def _answer_one(request: Deferred[Any], result: Any) -> None:
    if not request.called:  # after an unexpected error, some of a batch are answered twice
        request.callback(result)  # a Failure makes it an errback


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()


def _each(
    transaction: Transaction, pieces: Sequence[tuple[Callable[..., R], tuple[Any, ...]]]
) -> Sequence[R]:
    return [work(transaction, *arguments) for work, arguments in pieces]


def _roll_back(connection: sqlite3.Connection) -> bool:
    """Roll back; returns whether the connection has no transaction any more."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return True


def _adds(request: Request) -> bool:
    """Whether the request adds content, which may not use the reserve."""
    return takes_room(request.argument[0] if request.work is _each else request.work)
