"""What only the embedded store has of threads: an index with limits, which other processes share."""

from __future__ import annotations

import sqlite3
import struct
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _threads
from mailproto.backends.sqlite._schema import connect, prepare
from mailproto.backends.sqlite._threads import MAX_KEYS
from mailproto.message import ANCESTORS_LIMIT
from mailproto.model import AppendedMessage, FlagChange, FlagOperation, NewMessage, Part, Placement
from mailproto.testing._ids import mail

ALICE, BOB = "alice@example.org", "bob@example.org"


class ThreadTests(TestCase):
    """`mailproto.backends.sqlite._threads`."""

    async def setUp(self) -> None:
        self.folder = self.mktemp()
        self.store = await self.started()
        for name in (ALICE, BOB):
            await self.store.directory.add(name, "")

    async def started(self) -> SQLiteStore:
        reactor: Any = installed
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.store.path, isolation_level=None, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    async def thread_of(self, content: bytes, store: SQLiteStore | None = None) -> str | None:
        store = store or self.store
        [appended] = await store.deliver(content, [Placement(ALICE)])
        assert isinstance(appended, AppendedMessage), appended
        [info] = await (await (await store.account(ALICE)).open("INBOX")).read([appended.uid], Part.IDS)
        return info.thread_id

    async def no_faults(self) -> None:
        lines: list[str] = []
        await self.store.check(lines.append)
        self.assertEqual(lines, [])
        leading = {
            (key, thread)
            for thread, keys in self.execute("SELECT id, keys FROM threads")
            for key in struct.unpack(f">{len(keys) // 8}q", keys)
        }
        self.assertLessEqual(set(self.execute("SELECT key, thread FROM thread_keys")), leading)

    async def test_processes_share_threads_and_ids(self) -> None:
        other = await self.started()
        stores = (self.store, other)
        first = await self.thread_of(mail("0@x"))
        threads = set()
        for number in range(1, 9):
            threads.add(
                await self.thread_of(mail(f"{number}@x", answers=f"{number - 1}@x"), stores[number % 2])
            )
        self.assertEqual(threads, {first})
        await gatherResults(
            [
                store.deliver(mail(f"a{n}@x"), [Placement(ALICE), Placement(BOB)])
                for n in range(50)
                for store in stores
            ]
        )
        inbox = await (await self.store.account(ALICE)).open("INBOX")
        found = await inbox.read(range(1, 200), Part.IDS)
        self.assertEqual(len({info.email_id for info in found}), 109)
        self.assertEqual(len({info.thread_id for info in found}), 51)
        await self.no_faults()

    async def test_nothing_is_left_of_threads_that_are_gone(self) -> None:
        account = await self.store.account(ALICE)
        inbox = await account.open("INBOX")
        for number in range(20):
            refers = " ".join(f"{number}-{each}@y" for each in range(number))
            await inbox.append([NewMessage(mail(f"{number}@x", subject=f"Re: {number}", refers=refers))])
        await inbox.copy(range(1, 11), await account.open("Sent"))
        await inbox.store(range(1, 21), FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        await inbox.expunge()
        await self.no_faults()
        await account.delete("Sent")
        await self.store.stop()
        for table in ("threads", "thread_keys", "bodies", "contents", "messages"):
            self.assertEqual(self.execute(f"SELECT count(*) FROM {table}"), [(0,)], table)
        self.store = await self.started()
        self.assertGreater(self.execute("SELECT last FROM object_ids")[0][0], 39)

    async def test_a_thread_that_never_ends_has_a_limited_index(self) -> None:
        inbox = await (await self.store.account(ALICE)).open("INBOX")
        threads = set()
        for number in range(3 * MAX_KEYS):
            # Each has a new subject, too.
            threads.add(
                await self.thread_of(
                    mail(f"{number}@x", subject=f"s{number}", refers=f"root@x {number - 1}@x")
                )
            )
            await inbox.store(range(1, number + 1), FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
            await inbox.expunge()
        self.assertEqual(len(threads), 1)
        self.assertLessEqual(self.execute("SELECT count(*) FROM thread_keys")[0][0], MAX_KEYS)
        self.assertLessEqual(self.execute("SELECT max(length(keys)) FROM threads")[0][0], 8 * MAX_KEYS)
        await self.no_faults()

    async def test_many_messages_of_one_thread_at_once(self) -> None:
        inbox = await (await self.store.account(ALICE)).open("INBOX")
        for start in (0, 400):
            await inbox.append(
                [
                    NewMessage(mail(f"{number}@x", answers=f"{max(number - 1, 0)}@x"))
                    for number in range(start, start + 400)
                ]
            )
            found = await inbox.read(range(1, start + 401), Part.IDS)
            self.assertEqual(len({info.thread_id for info in found}), 1)
            await self.no_faults()
        await inbox.store(range(1, 801), FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        await inbox.expunge()
        await self.store.stop()
        self.assertEqual(self.execute("SELECT count(*) FROM thread_keys"), [(0,)])
        self.store = await self.started()

    async def test_the_most_expensive_header(self) -> None:
        """10 KB of References leave a limited number of rows, and take milliseconds."""
        for value in ("<a@x> ", "<>", "<a", '<"a b"@x>', "(" * 9 + "<x@y>", "<(a)b@c>\r\n "):
            field = (value * 10_000)[:10_000]
            content = f"Message-ID: {field}\r\nReferences: {field}\r\nIn-Reply-To: {field}\r\n\r\n".encode()
            began = time.perf_counter()
            await self.thread_of(content)
            self.assertLess(time.perf_counter() - began, 1)
        distinct = " ".join(f"<{number}@x>" for number in range(1200))
        await self.thread_of(f"References: {distinct}\r\n\r\n".encode())
        self.assertLess(self.execute("SELECT max(length(keys)) / 8 FROM threads")[0][0], ANCESTORS_LIMIT + 3)
        await self.no_faults()

    async def test_what_fails_leaves_no_trace(self) -> None:
        """A delivery that is undone uses up nothing that the next one would have had."""
        before = self.execute("SELECT last FROM object_ids")
        self.execute("CREATE TRIGGER no BEFORE INSERT ON messages BEGIN SELECT raise(ABORT, 'no'); END")
        failed = self.store.deliver(mail("1@x"), [Placement(ALICE)])
        await self.assertFailure(failed, sqlite3.IntegrityError)
        self.execute("DROP TRIGGER no")
        self.assertEqual(self.execute("SELECT last FROM object_ids"), before)
        self.assertEqual(self.execute("SELECT count(*) FROM thread_keys"), [(0,)])
        await self.thread_of(mail("2@x", answers="1@x"))
        await self.no_faults()


class ClearingTests(SynchronousTestCase):
    def test_threads_with_very_many_keys_are_removed_a_few_at_a_time(self) -> None:
        self.patch(_threads, "_KEYS_AT_ONCE", 5)
        path = self.mktemp()
        prepare(path)
        connection = connect(path)
        self.addCleanup(connection.close)
        for thread in range(1, 6):
            keys = [thread * 10 + key for key in range(4)]
            packed = _threads._packed(keys)
            connection.execute("INSERT INTO threads VALUES (?, ?, ?)", (thread, int(thread == 5), packed))
            connection.executemany("INSERT INTO thread_keys VALUES (?, ?)", [(key, thread) for key in keys])
        left = []
        for more in (True, False):
            self.assertEqual(_threads.drop_unused_threads(connection, 3), more)
            left.append([count for (count,) in connection.execute(_COUNTS)])
        self.assertEqual(left, [[3, 12], [1, 4]])


_COUNTS = "SELECT count(*) FROM threads UNION ALL SELECT count(*) FROM thread_keys"
