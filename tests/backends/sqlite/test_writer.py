"""The group commit: what a batch is, and what a failure in it costs."""

import contextlib
import errno
import gc
import os
import sqlite3
import threading
import time
import weakref
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from mailproto.backends.sqlite import _writer
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._room import Room, adds_content
from mailproto.backends.sqlite._writer import Writer
from mailproto.errors import NoSuchMailbox, StorageFull, Unavailable

reactor: Any = installed


class WriterTests(TestCase):
    """A writer on a database with one table."""

    def setUp(self):
        self.path = self.mktemp()
        self.sqlite("PRAGMA journal_mode = WAL", "CREATE TABLE t (x UNIQUE)")
        self.committed, self.unlinked = [], []
        self.room = Room(self.path)
        self.addCleanup(self.room.close)
        self.writer = Writer(reactor, self.path, self.committed.append, self.unlinked.extend, self.room)
        self.writer.start()
        self.addCleanup(lambda: self.writer.stop())

    def sqlite(self, *statements):
        connection = sqlite3.connect(self.path)
        with connection:
            rows = [connection.execute(statement).fetchall() for statement in statements]
        connection.close()
        return rows[-1]

    def rows(self):
        return [x for (x,) in self.sqlite("SELECT x FROM t ORDER BY x")]

    async def hold(self):
        """Keep the writer busy, so that what comes is one batch; the result lets it go."""
        begun, gate = Deferred(), threading.Event()
        self.writer.run(lambda transaction: (reactor.callFromThread(begun.callback, None), gate.wait(5)))
        await begun
        return gate

    async def test_an_unexpected_error_is_an_answer_and_not_the_end(self):
        """A writer that ended would leave every later request, and `stop`, without an answer."""
        for place in (self.writer._checkpoints, self.room):
            name = "committed" if place is not self.room else "is_short"

            def broken(connection, place=place, name=name):
                place.__dict__.pop(name)
                raise RuntimeError("not foreseen")

            with self.subTest(place=name):
                setattr(place, name, broken)
                one = self.writer.run(lambda transaction: transaction.execute("INSERT INTO t VALUES (1)"))
                if place is self.room:
                    error = await self.assertFailure(one, Unavailable)
                    self.assertEqual(error.detail, "RuntimeError: not foreseen")
                else:
                    await one  # it was committed and answered before
                await self.writer.run(lambda transaction: transaction.execute("INSERT INTO t VALUES (2)"))
                self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
                self.assertEqual(self.sqlite("SELECT count(*) FROM t WHERE x = 2"), [(1,)])
                self.sqlite("DELETE FROM t")

    async def test_neighbours_of_one_kind_are_done_together(self):
        calls = []

        def work(transaction, arguments):
            calls.append(list(arguments))
            transaction.connection.executemany("INSERT INTO t VALUES (?)", [(x,) for x in arguments])
            return [x * 10 for x in arguments]

        gate = await self.hold()
        results = gatherResults([self.writer.submit(work, x) for x in (1, 2, 3)])
        gate.set()
        self.assertEqual(await results, [10, 20, 30])
        self.assertEqual(calls, [[1, 2, 3]])
        self.assertEqual(self.rows(), [1, 2, 3])

    async def test_what_may_be_done_in_any_order_is_sorted_by_kind(self):
        """But it does not change places with what must be done in order."""
        calls = []

        def kind(name):
            def work(transaction, arguments):
                calls.append((name, list(arguments)))
                return [(name, x) for x in arguments]

            return work

        a, b = in_any_order(kind("a")), in_any_order(kind("b"))
        other = kind("other")
        asked = [(a, 1), (b, 2), (a, 3), (other, 4), (b, 5), (other, 6), (other, 7), (a, 8), (b, 9), (a, 10)]
        gate = await self.hold()
        results = gatherResults([self.writer.submit(work, x) for work, x in asked])
        gate.set()
        self.assertEqual([x for _, x in await results], list(range(1, 11)))
        self.assertEqual(
            calls,
            [
                ("a", [1, 3]),
                ("b", [2]),
                ("other", [4]),
                ("b", [5]),
                ("other", [6, 7]),
                ("a", [8, 10]),
                ("b", [9]),
            ],
        )

    async def test_what_comes_in_one_turn_of_the_reactor_is_one_batch(self):
        """The thread is not woken up for the first request, to do that alone."""
        calls = []

        def work(transaction, arguments):
            calls.append(list(arguments))
            return arguments

        first = [self.writer.submit(work, x) for x in (1, 2)]
        time.sleep(0.05)  # in which a waiting thread would have begun
        await gatherResults([*first, self.writer.submit(work, 3)])
        self.assertEqual(calls, [[1, 2, 3]])

    async def test_a_failure_may_be_a_result(self):
        """So that one of many need not undo the others."""

        def work(transaction, arguments):
            return [Failure(NoSuchMailbox()) if x == 2 else x for x in arguments]

        gate = await self.hold()
        first, second, third = (self.writer.submit(work, x) for x in (1, 2, 3))
        gate.set()
        self.assertEqual((await first, await third), (1, 3))
        await self.assertFailure(second, NoSuchMailbox)

    async def test_one_failure_spoils_nobody_else(self):
        def work(transaction, arguments):
            for x in arguments:
                transaction.execute("INSERT INTO t VALUES (?)", (x,))
                transaction.unused.append(f"file{x}")
                transaction.touched[x] = 1
                if x == 2:
                    raise NoSuchMailbox
            return arguments

        gate = await self.hold()
        first, second, third = (self.writer.submit(work, x) for x in (1, 2, 3))
        gate.set()
        self.assertEqual((await first, await third), (1, 3))
        await self.assertFailure(second, NoSuchMailbox)
        self.assertEqual(self.rows(), [1, 3])
        await self.writer.run(lambda transaction: None)
        [transaction] = self.committed
        self.assertEqual(transaction.touched, {1: 1, 3: 1})
        self.assertEqual(self.unlinked, ["file1", "file3"])

    async def test_failures_leave_nothing_that_only_the_collector_finds(self):
        """A collection of all objects stops a busy server for a tenth of a second."""
        errors = []

        class Noted(NoSuchMailbox):
            def __init__(self):
                super().__init__()
                errors.append(weakref.ref(self))

        def fail(transaction):
            raise Noted

        async def ask():
            with contextlib.suppress(NoSuchMailbox):
                await self.writer.run(fail)

        gc.disable()
        self.addCleanup(gc.enable)
        gate = await self.hold()
        asking = gatherResults([Deferred.fromCoroutine(ask()) for _ in range(3)])
        gate.set()
        await asking
        await self.writer.run(lambda transaction: None)
        self.assertGreater(len(errors), 3)
        self.assertEqual({error() for error in errors}, {None})

    async def test_an_unexpected_error_is_the_result_as_it_is(self):
        await self.assertFailure(self.writer.run(lambda transaction: 1 // 0), ZeroDivisionError)
        await self.assertFailure(
            self.writer.run(lambda transaction: transaction.execute("nonsense")), sqlite3.OperationalError
        )
        self.assertEqual(await self.writer.run(lambda transaction: 5), 5)

    async def test_answers_that_take_long_leave_others_their_turn(self):
        self.patch(_writer, "ANSWERING", 0)
        order = []
        self.writer._committed = lambda transaction: order.append("committed") or 1 // 0

        def answered(result):
            order.append(result)
            reactor.callLater(0, order.append, "another")
            return result

        def touch(transaction, x):
            transaction.touched[x] = 1
            return x

        gate = await self.hold()
        results = gatherResults([self.writer.run(touch, x).addCallback(answered) for x in range(3)])
        gate.set()
        await results
        # Whoever hears an answer finds that other sessions were told of the change.
        self.assertEqual([each for each in order if each != "another"], ["committed", 0, 1, 2])
        self.assertIn("another", order[2:4])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_batch_is_answered_in_one_turn_of_the_reactor(self):
        calls = []
        original = reactor.callFromThread
        gate = await self.hold()
        self.patch(reactor, "callFromThread", lambda *arguments: (calls.append(1), original(*arguments)))
        results = gatherResults([self.writer.run(lambda transaction, x: x, x) for x in range(20)])
        gate.set()
        self.assertEqual(await results, list(range(20)))
        self.assertEqual(len(calls), 2)

    async def test_a_full_disk_costs_what_does_not_fit(self):
        def fill(transaction):
            transaction.execute("INSERT INTO t VALUES (randomblob(1000000))")

        await self.writer.run(
            lambda transaction: transaction.execute("PRAGMA max_page_count = 50").fetchall()
        )
        gate = await self.hold()
        results = [
            self.writer.run(lambda transaction: transaction.execute("INSERT INTO t VALUES (1)").rowcount),
            self.writer.run(fill),
        ]
        gate.set()
        self.assertEqual(await results[0], 1)
        error = await self.assertFailure(results[1], StorageFull)
        self.assertIn("full", error.detail)
        self.assertEqual((error.code, error.enhanced), (452, "4.3.1"))
        self.assertEqual(self.rows(), [1])
        self.assertEqual(self.committed, [])
        await self.writer.run(lambda transaction: transaction.execute("INSERT INTO t VALUES (2)").rowcount)
        self.assertEqual(self.rows(), [1, 2])

    async def test_new_content_does_not_use_the_reserve(self):
        @adds_content
        def add(transaction):
            transaction.execute("INSERT INTO t VALUES (randomblob(1000000))")

        def change(transaction):
            transaction.execute("INSERT INTO t VALUES (randomblob(1000000))")

        def no_room(*arguments):
            raise OSError(errno.ENOSPC, "no room")

        self.room.open()
        self.room.fill()
        self.patch(os, "posix_fallocate", no_room)
        before = os.path.getsize(self.path + "-reserve")
        for work, after in ((add, before), (change, 0)):
            await self.writer.run(
                lambda transaction: transaction.execute("PRAGMA max_page_count = 50").fetchall()
            )
            await self.assertFailure(self.writer.run(work), StorageFull)
            self.assertEqual(os.path.getsize(self.path + "-reserve"), after)

    async def test_a_lock_that_is_held_too_long_costs_one_batch(self):
        await self.writer.run(lambda transaction: transaction.execute("PRAGMA busy_timeout = 1").fetchall())
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        error = await self.assertFailure(self.writer.run(lambda transaction: 5), Unavailable)
        self.assertIn("locked", error.detail)  # type: ignore[attr-defined]
        other.execute("ROLLBACK")
        other.close()
        self.assertEqual(await self.writer.run(lambda transaction: 5), 5)

    async def test_a_connection_that_is_lost_is_made_anew(self):
        error = await self.assertFailure(
            self.writer.run(lambda transaction: transaction.connection.close()), Unavailable
        )
        self.assertIn("closed", error.detail)
        self.assertEqual(await self.writer.run(lambda transaction: 5), 5)

    async def test_stop_finishes_what_was_begun(self):
        gate = await self.hold()
        result = self.writer.run(lambda transaction: transaction.execute("INSERT INTO t VALUES (1)").rowcount)
        stopped = self.writer.stop()
        refused = self.writer.run(lambda transaction: None)
        await self.assertFailure(refused, Unavailable)
        self.assertNoResult(stopped)
        gate.set()
        self.assertEqual(await result, 1)
        await stopped
        self.assertEqual(self.rows(), [1])
        self.writer.stop = lambda: None
