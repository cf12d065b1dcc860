"""The search index of a store, as the rest of the store sees it."""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger
from mailproto.backends.sqlite._bodies import Bodies, DaemonPool
from mailproto.backends.sqlite._failures import unavailable
from mailproto.backends.sqlite._search._builder import Builder
from mailproto.backends.sqlite._search._finding import find
from mailproto.backends.sqlite._search._near import near_words
from mailproto.backends.sqlite._search._numbers import Numbers
from mailproto.backends.sqlite._search._ordering import Answers, sorted_uids, threads
from mailproto.backends.sqlite._search._scanning import TextScan
from mailproto.backends.sqlite._search._schema import (
    FILES,
    SUFFIX,
    clear,
    connect_index,
    connect_without_index,
    open_index,
    transaction,
)
from mailproto.errors import Unavailable
from mailproto.message import Forest
from mailproto.model import ContentTest, Found, IndexState, InText, SortOrder, ThreadAlgorithm, Threads

__all__ = ["SearchIndex"]

THREADS = 2
"""How many searches are under way in a process; others wait for a thread."""

T = TypeVar("T")


class SearchIndex:
    """The index, built and read in threads of its own.

    :param path: the store's database.
    """

    _log = PackageLogger()

    def __init__(self, reactor: IReactorFromThreads, path: str, bodies: Bodies) -> None:
        self._reactor = reactor
        self._path = path
        self._index_path = path + SUFFIX
        self._bodies = bodies
        self._texts: bool | None = True
        self._pool = DaemonPool(0, THREADS, "mailproto-sqlite-search")
        self._connections: list[sqlite3.Connection] = []
        self._numbers = Numbers()
        self._answers = Answers()
        self._builder: Builder | None = None
        self._is_told = False

    def use(self, *, texts: bool | None) -> None:
        """See `IIndexed.use_index`."""
        self._texts = texts

    def start(self) -> None:
        """Start the threads; no file is opened yet."""
        self._pool.start()
        self._builder = Builder(self._path, self._index_path, self._bodies, texts=self._texts)
        self._builder.start()

    async def stop(self) -> None:
        """Stop the threads; searches must be over."""
        builder, self._builder = self._builder, None
        if builder is not None:
            await self._bodies.in_thread(builder.stop)
            self._pool.stop()
            while self._connections:
                self._connections.pop().close()

    def used(self) -> None:
        """The store is in use now."""
        if self._builder is not None:
            self._builder.used()

    def committed(self) -> None:
        """Something was committed in this process."""
        if self._builder is not None:
            self._builder.committed()

    async def find(self, mailbox: int, uids: Sequence[int], tests: Sequence[ContentTest]) -> Sequence[Found]:
        """See `IFinding.find`."""
        self.used()
        asked = array("I", uids)
        if not asked:
            return [Found(())] * len(tests)
        answers: list[Found | None] = [self._answers.get((mailbox, test), asked) for test in tests]
        if new := [test for test, answer in zip(tests, answers, strict=True) if answer is None]:
            try:
                found = iter(await self._found(mailbox, asked, new))
            except Unavailable:
                return [Found((), asked)] * len(tests)
            for place, (test, answer) in enumerate(zip(tests, answers, strict=True)):
                if answer is None:
                    answers[place] = answer = next(found)
                    if not answer.unknown:
                        self._answers.keep((mailbox, test), asked, answer, len(answer.passing))
        return [answer for answer in answers if answer is not None]

    async def _found(self, mailbox: int, uids: array[int], tests: Sequence[ContentTest]) -> list[Found]:
        """What the index knows, and for texts, what it does not know yet.

        :raises Unavailable:
        """
        found: list[Found] = await self._in_thread(find, self._bodies, self._numbers, mailbox, uids, tests)
        texts = {
            place: test
            for place, test in enumerate(tests)
            if isinstance(test, InText) and found[place].unknown
        }
        if texts:
            unknown = sorted(set[int]().union(*(found[place].unknown for place in texts)))
            scan = TextScan(mailbox, array("I", unknown), list(texts.values()))
            while not scan.is_over:
                if self._builder is not None:
                    self._builder.used()
                await self._in_thread(scan.go_on, self._bodies, self._numbers)
            for place, test in texts.items():
                found[place] = scan.completed(test, found[place])
        return found

    async def sort(self, mailbox: int, uids: Sequence[int], orders: Sequence[SortOrder]) -> Sequence[int]:
        """See `IFinding.sort`."""
        self.used()
        asked = array("I", uids)
        key = mailbox, tuple(orders)
        answer: array[int] | None = self._answers.get(key, asked) if asked else asked
        if answer is None:
            answer = await self._in_thread(sorted_uids, self._bodies, mailbox, asked, orders)
            self._answers.keep(key, asked, answer, len(answer))
        return answer

    async def thread(self, mailbox: int, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Threads:
        """See `IFinding.thread`."""
        self.used()
        asked = array("I", uids)
        key = mailbox, algorithm
        answer: Threads | None = self._answers.get(key, asked) if asked else Threads(asked, asked)
        if answer is None:
            forest: Forest = await self._in_thread(threads, self._bodies, mailbox, asked, algorithm)
            answer = Threads(forest.numbers, forest.depths)
            self._answers.keep(key, asked, answer, 2 * len(forest.numbers))
        return answer

    async def near_words(
        self, mailbox: int, uids: Sequence[int], words: Sequence[str]
    ) -> Sequence[Sequence[str]]:
        """See `INearWords.near_words`."""
        self.used()
        asked = array("I", uids)
        if not asked:
            return [[] for _ in words]
        found: list[list[str]] = await self._in_thread(near_words, self._numbers, mailbox, asked, words)
        return found

    def state(self) -> Deferred[IndexState]:
        """See `IIndexed.index_state`."""
        return self._in_thread(self._state)

    def begin_anew(self) -> Deferred[None]:
        """Empty the index, and hurry to build it."""

        def emptied(connection: sqlite3.Connection) -> None:
            index = open_index(self._index_path)
            try:
                with transaction(index):
                    clear(index)
            finally:
                index.close()
            if self._builder is not None:
                self._builder.hurry()

        return self._in_thread(emptied)

    def _in_thread(self, work: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Call ``work`` in a thread, with a connection first.

        :raises Unavailable: the store or the index cannot be read.
        """

        def in_thread() -> T:
            connection: sqlite3.Connection | None = None
            try:
                connection, is_whole = self._connection()
                connection.execute("BEGIN")  # all statements see one state
                try:
                    result = work(connection, *arguments)
                finally:
                    if connection.in_transaction:
                        connection.execute("COMMIT")
            except sqlite3.Error as error:
                if connection is not None:
                    connection.close()
                raise unavailable(error, self._index_path) from error
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            if is_whole:
                self._connections.append(connection)
            else:
                connection.close()
            return result

        return deferToThreadPool(self._reactor, self._pool, in_thread)

    def _connection(self) -> tuple[sqlite3.Connection, bool]:
        """A connection, and whether it has the index."""
        try:
            return self._connections.pop(), True
        except IndexError:
            pass
        try:
            return connect_index(self._path, self._index_path), True
        except (sqlite3.Error, OSError) as error:
            self._told(error)
            return connect_without_index(self._path), False

    def _state(self, connection: sqlite3.Connection) -> IndexState:
        headers, texts, has_texts = connection.execute(
            "SELECT headers, texts, has_texts FROM search.state"
        ).fetchone()
        upto = min(headers, texts) if has_texts else headers
        [bodies, behind] = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE id > ?) FROM bodies", (upto,)
        ).fetchone()
        octets = left_out = 0
        if texts:
            [octets] = connection.execute("SELECT coalesce(sum(size), 0) FROM search.texts").fetchone()
            [left_out] = connection.execute("SELECT count(*) FROM search.left_out").fetchone()
        size = 0
        for end in FILES:
            try:
                size += os.path.getsize(self._index_path + end)
            except OSError:
                continue
        return IndexState(bodies, bodies - behind, left_out, octets, size, bool(has_texts))

    def _told(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            self._log.warn(
                "{path}: searches go on without the index: {error}", path=self._index_path, error=str(error)
            )
