"""What only the embedded queue has: files, a full disk, damage, and reads that do not grow."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _queue_leasing, _queue_reading
from mailproto.backends.sqlite._bodies import Body
from mailproto.backends.sqlite._queue_adding import UNREAD, add_all, entry
from mailproto.backends.sqlite._queue_leasing import Wanted, lease_all
from mailproto.backends.sqlite._queue_settling import settle_all, settlement
from mailproto.backends.sqlite._room import Room
from mailproto.backends.sqlite._schema import connect, prepare
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import LeaseLost, NoSuchAccount, StorageFull, Unavailable
from mailproto.model import Placement, QueueChange, QueueFilter, QueueState, RecipientResult
from mailproto.testing._queue_fixture import DOMAIN, NOW, SENT, failed, message, sent, waiting

reactor: Any = installed

LARGE = b"Subject: large\r\n\r\n" + b"x" * 70_000


class QueueCase(TestCase):
    """A store with a queue."""

    async def setUp(self) -> None:
        self.store = SQLiteStore(self.mktemp(), reactor=reactor)
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        self.queue = self.store.queue

    async def lease(self, *, now: float = NOW, messages: int = 100) -> Any:
        return await self.queue.lease(DOMAIN, now=now, until=now + 60, messages=messages, recipients=100)

    def files(self) -> list[str]:
        return os.listdir(self.store.path + "-bodies")

    async def files_afterwards(self) -> list[str]:
        """The files when those that are not needed have been removed, which is after the answer."""
        await self.store._database.writer.run(lambda transaction: None)
        return self.files()

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.store.path, isolation_level=None, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


class FileTests(QueueCase):
    """Large contents are in files, as long as somebody needs them."""

    async def test_a_file_is_there_until_the_last_is_sent(self) -> None:
        await self.queue.add([message("a", "b", content=LARGE)])
        [lease] = await self.lease()
        self.assertEqual(len(self.files()), 1)
        [first, second] = sent(lease)
        await self.queue.settle(lease, [first])
        [rest] = await self.lease()
        self.assertEqual(bytes(rest.message.content), LARGE)
        await self.queue.settle(rest, [second])
        self.assertEqual(await self.files_afterwards(), [])
        self.assertEqual(self.execute("SELECT id FROM bodies UNION ALL SELECT body FROM contents"), [])

    async def test_a_mailbox_keeps_it(self) -> None:
        await self.store.directory.add("alice", "")
        await self.queue.add([message(content=LARGE, placements=[Placement("alice")])])
        [lease] = await self.lease()
        await self.queue.settle(lease, sent(lease))
        self.assertEqual(len(self.files()), 1)
        self.assertEqual(self.execute("SELECT refs FROM bodies"), [(1,)])

    async def test_what_is_not_accepted_leaves_none(self) -> None:
        wrong = message(content=LARGE, placements=[Placement("nobody")])
        with self.assertRaises(NoSuchAccount):
            await self.queue.add([message(content=LARGE), wrong])
        await self.queue.add([message()])
        [lease] = await self.lease()
        with self.assertRaises(NoSuchAccount):
            await self.queue.settle(lease, failed(lease), [message(content=LARGE), wrong])
        await self.queue.change([lease.message.id], QueueChange.DELETE)
        with self.assertRaises(LeaseLost):
            await self.queue.settle(lease, failed(lease), [message(content=LARGE)])
        self.assertEqual(self.files(), [])

    async def test_it_is_opened_after_a_start(self) -> None:
        await self.queue.add([message(content=LARGE, skip=5)])
        await self.store.stop()
        self.store = SQLiteStore(self.store.path, reactor=reactor)
        await self.store.start()
        self.queue = self.store.queue
        [lease] = await self.lease()
        self.assertEqual(bytes(lease.message.content), LARGE[5:])


class LostTests(QueueCase):
    """Of what is damaged the rest is sent."""

    async def test_a_body_that_is_gone_raises_when_it_is_read(self) -> None:
        await self.queue.add(
            [
                message("file", content=LARGE),
                message("body"),
                message("octets"),
                message("short"),
                message("good"),
            ]
        )
        ids = [queued.id for queued in await self.queue.find(QueueFilter())]
        Path(self.store.path + "-bodies", self.files()[0]).unlink()
        self.execute(f"DELETE FROM bodies WHERE id = {ids[1]}")
        self.execute(f"DELETE FROM contents WHERE body IN ({ids[1]}, {ids[2]})")
        self.execute(f"UPDATE contents SET octets = x'00' WHERE body = {ids[3]}")
        leases = await self.lease()
        self.assertEqual([lease.message.id for lease in leases], ids)
        for lease in leases[:4]:
            self.assertEqual(len(lease.message.content), lease.message.size)
            with self.assertRaises(OSError):
                bytes(lease.message.content)
            got = await self.queue.get(lease.message.id)
            with self.assertRaises(OSError):
                bytes(got.content or b"")
            await self.queue.settle(lease, failed(lease), [message(content=b"It was lost.\r\n")])
        self.assertTrue(bytes(leases[4].message.content))
        self.assertEqual((await self.queue.counts(NOW)).messages, 5)

    async def test_an_envelope_that_is_damaged_is_left_out(self) -> None:
        await self.queue.add([message(f"u{n}") for n in range(5)])
        ids = [queued.id for queued in await self.queue.find(QueueFilter())]
        for id_, damaged in zip(
            ids, ("'['", "'[]'", "x'ff00'", "replace(envelope, 'ann', '\"')"), strict=False
        ):
            self.execute(f"UPDATE queued SET envelope = {damaged} WHERE id = {id_}")
        with capturedLogs() as events:
            [lease] = await self.lease()
        self.assertEqual([event["id"] for event in events if event["log_level"].name == "error"], ids[:4])
        self.assertEqual(lease.message.id, ids[4])
        [listed] = await self.queue.find(QueueFilter())
        self.assertEqual(listed.id, ids[4])
        with self.assertRaises(Unavailable):
            await self.queue.get(ids[0])
        await self.queue.regroup(lambda domain: "elsewhere")
        self.assertEqual(list(await self.queue.change(ids, QueueChange.DELETE)), ids)


class FullDiskTests(QueueCase):
    """As `tests.durability.test_full_disk`, where the room says that there is none."""

    async def test_what_adds_is_refused_and_the_rest_goes_on(self) -> None:
        await self.queue.add([message("a"), message("b"), message("c")])
        self.patch(Room, "is_short", lambda room, connection: True)
        self.patch(Room, "refusal", lambda room, connection: StorageFull())
        with self.assertRaises(StorageFull):
            await self.queue.add([message()])
        first, second, third = await self.lease()
        with self.assertRaises(StorageFull):
            await self.queue.settle(first, failed(first), [message("ann@x.example")])
        await self.queue.settle(first, sent(first))
        await self.queue.settle(second, waiting(second, NOW + 60))
        [third] = await self.queue.renew([third], NOW + 90)
        await self.queue.release([third])
        await self.queue.pause(DOMAIN, NOW + 100)
        self.assertEqual(
            list(await self.queue.change([third.message.id], QueueChange.DELETE)), [third.message.id]
        )
        counts = await self.queue.counts(NOW)
        self.assertEqual((counts.messages, counts.deferred), (1, 1))

    async def test_a_file_that_has_no_room(self) -> None:
        def check(room: Room) -> None:
            raise StorageFull

        self.patch(Room, "check", check)
        with self.assertRaises(StorageFull):
            await self.queue.add([message(content=LARGE)])
        self.assertEqual(self.files(), [])


class GrowthTests(SynchronousTestCase):
    """What is done for a lease, and read in the reactor's thread, does not grow with the queue."""

    def setUp(self) -> None:
        os.mkdir(folder := self.mktemp())
        path = os.path.join(folder, "mail.sqlite3")
        prepare(path)
        self.connection = connect(path)
        self.addCleanup(self.connection.close)

    def add(self, messages: int) -> None:
        """Add, to each of ten destinations alike, messages that are ready, and some that are not."""
        entries = [
            [
                entry(
                    message("u", destinations=[f"d{n % 10}"], due=NOW + n % 3, share=f"s{n % 7}"),
                    Body(b"x", None, 1, UNREAD),
                )
            ]
            for n in range(messages)
        ]
        self.connection.execute("BEGIN")
        transaction = Transaction(self.connection)
        add_all(transaction, entries)
        transaction.finish()
        self.connection.execute("COMMIT")

    def steps(self, work: Any, *arguments: Any) -> tuple[Any, int]:
        """The result, and how many hundreds of steps SQLite's machine took."""
        count = [0]

        def step() -> int:
            count[0] += 1
            return 0

        self.connection.set_progress_handler(step, 100)
        try:
            return work(*arguments), count[0]
        finally:
            self.connection.set_progress_handler(None, 0)  # type: ignore[arg-type]

    def all_steps(self) -> dict[str, int]:
        connection = self.connection
        transaction = Transaction(connection)
        [leased], leasing = self.steps(lease_all, transaction, [Wanted("d1", NOW, NOW + 1, 5, 5)])
        results = [RecipientResult(0, QueueState.SENT, SENT)]
        settlements = [settlement(token, results, ()) for token, _, _ in leased.leases]
        failures, settling = self.steps(settle_all, transaction, settlements)
        self.assertEqual(failures, [None] * 5)
        return {
            "lease": leasing,
            "settle": settling,
            "finish": self.steps(transaction.finish)[1],
            "due": self.steps(_queue_reading.due, connection, 10)[1],
            "destinations": self.steps(_queue_reading.destinations, connection, "", 10)[1],
            "read": self.steps(_queue_reading.messages_of, connection, leased.leases, None)[1],
        }

    def test_a_thousand_times_as_many(self) -> None:
        self.patch(_queue_leasing, "PROMOTED", 5)
        self.add(1000)
        self.all_steps()
        few = self.all_steps()
        for _ in range(20):
            self.add(1000)
        many = self.all_steps()
        for work, steps in few.items():
            self.assertLessEqual(many[work], steps + 3, (work, few, many))


class TogetherTests(QueueCase):
    """What arrives at the same time shares a commit, and nothing else."""

    async def test_leases_of_many_destinations_take_as_many_statements_as_of_one(self) -> None:
        """Half of them have recipients that become due only now."""
        names = [f"d{n}.example" for n in range(50)]
        for name in names:
            await self.queue.add([message(f"u@{name}", f"v@{name}", due=NOW + 5 * (name < "d3"))])
        connection = connect(self.store.path)
        self.addCleanup(connection.close)

        def statements(names: list[str]) -> int:
            done: list[str] = []
            connection.execute("BEGIN IMMEDIATE")
            connection.set_trace_callback(done.append)
            wanted = [Wanted(name, NOW + 9, NOW + 60, 100, 1) for name in names]
            transaction = Transaction(connection)
            leased = lease_all(transaction, wanted)
            transaction.finish()
            connection.set_trace_callback(None)
            connection.execute("ROLLBACK")
            self.assertEqual([len(each.leases) for each in leased], [1] * len(names))
            return len(done)

        few, many = statements(names[:2] + names[-2:]), statements(names)
        self.assertLessEqual(many, few + 7)  # INSERTs of 32, 16 and fewer rows, into three tables
        twice = [*names, *names]
        wanted = [Wanted(name, NOW + 9, NOW + 60, 100, 1) for name in twice]
        leased = await gatherResults([self.store._database.writer.submit(lease_all, each) for each in wanted])
        self.assertEqual([len(each.leases) for each in leased], [1] * 100)  # to one recipient each time

    async def test_what_is_leased_together_is_read_together(self) -> None:
        names = [f"d{n}.example" for n in range(10)]
        await self.queue.add([message(f"u{n}@d{n}.example") for n in range(10)])
        numbers: list[int] = []
        read = _queue_reading.messages_of

        def counted(connection: Any, leases: Any, open_file: Any) -> Any:
            numbers.append(len(leases))
            return read(connection, leases, open_file)

        self.patch(_queue_reading, "messages_of", counted)
        asked = [
            Deferred.fromCoroutine(
                self.queue.lease(name, now=NOW, until=NOW + 60 + at, messages=5, recipients=5)
            )
            for at, name in enumerate(names)
        ]
        leased = await gatherResults(asked)
        self.assertEqual([len(each) for each in leased], [1] * 10)
        self.assertEqual([each.message.recipients[0].destination for [each] in leased], names)
        self.assertEqual([each.until for [each] in leased], [NOW + 60 + at for at in range(10)])
        self.assertEqual(sum(numbers), 10)
        self.assertLess(len(numbers), 4)

    async def test_one_that_fails_keeps_nobody(self) -> None:
        await self.store.directory.add("alice", "")
        await self.queue.add([message(f"u{n}") for n in range(10)])
        leases = await self.lease()
        await self.queue.change([leases[0].message.id], QueueChange.DELETE)
        bad = message(placements=[Placement("nobody")])
        done: list[Deferred[Any]] = []
        for lease in leases:
            done.append(self.queue.settle(lease, sent(lease)))
            done.append(self.queue.add([message("x", placements=[Placement("alice")])]))
            done.append(self.queue.add([bad]))
            done.append(Deferred.fromCoroutine(self.queue.renew([lease], NOW + 900)))
        errors: list[type] = []
        for each in done:
            each.addErrback(lambda failure: errors.append(failure.type))
        await gatherResults(done)
        self.assertEqual(sorted(error.__name__ for error in errors), ["LeaseLost"] + ["NoSuchAccount"] * 10)
        self.assertEqual((await self.queue.counts(NOW)).messages, 10)
