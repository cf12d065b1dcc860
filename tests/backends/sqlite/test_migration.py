"""Stores that earlier versions made become stores of this one, with all that is in them.

``store_N.sql`` was dumped from a store that the code of schema version N had made, by the same program:
mail for two accounts, a large body, flags, tombstones, copies, names with and without a mailbox.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _database
from mailproto.backends.sqlite._database import DATABASE
from mailproto.backends.sqlite._queue_schema import DEADLINES
from mailproto.backends.sqlite._schema import MIGRATIONS, connect, prepare
from mailproto.errors import StoreUnusable
from mailproto.message import RENDER_VERSION
from mailproto.model import Part, Placement

VERSIONS = (1, 2, 3)

LARGE = b"Subject: large\r\n\r\n" + b"x" * 70_000

THREADS = {
    # uid in Alice's INBOX: which thread
    1: "lunch",
    2: "lunch",
    3: "lunch",
    4: "lunch",  # a parent that came after its child
    5: "lunch",  # by its subject alone
    8: "large",
    9: "draft",
}
WORK = {1: "lunch", 2: "large", 3: "other", 4: "draft"}


def store_of_version(version: int, folder: str) -> None:
    """Make the folder of a store as it was then."""
    os.makedirs(os.path.join(folder, DATABASE + "-bodies"))
    connection = sqlite3.connect(os.path.join(folder, DATABASE))
    connection.executescript(Path(__file__).with_name(f"store_{version}.sql").read_text(encoding="utf-8"))
    for (name,) in connection.execute("SELECT file FROM bodies WHERE file IS NOT NULL").fetchall():
        Path(folder, DATABASE + "-bodies", name).write_bytes(LARGE)
    connection.close()


class MigrationTests(TestCase):
    """A store of each version."""

    async def started(self, folder: str) -> SQLiteStore:
        reactor: Any = installed
        store = SQLiteStore(folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    def test_there_is_one_of_each_version_before_functions_gave_threads(self) -> None:
        for version in VERSIONS:
            folder = self.mktemp()
            store_of_version(version, folder)
            connection = sqlite3.connect(os.path.join(folder, DATABASE))
            self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (version,))
            connection.close()

    async def test_everything_is_there(self) -> None:
        for version in VERSIONS:
            folder = self.mktemp()
            store_of_version(version, folder)
            store = await self.started(folder)
            self.assertEqual(list(await store.directory.names()), ["Alice@example.org", "carol@example.org"])
            self.assertEqual(await store.directory.password_hash("alice@example.org"), "alice's record")
            account = await store.account("alice@example.org")
            entries = {entry.name: entry for entry in await account.list()}
            self.assertTrue(entries["Work/Lunch"].subscribed)
            self.assertLessEqual({"New", "Work"}, set(entries))
            inbox, work = await account.open("INBOX"), await account.open("Work/Lunch")
            status = await inbox.status()
            self.assertEqual((status.messages, status.recent, status.unseen, status.uid_next), (7, 1, 5, 10))
            self.assertEqual(status.modseq, 14)
            changes = await inbox.changes_since(8)
            self.assertEqual(list(changes.vanished), [6, 7])
            flags = {message.uid: set(message.flags) for message in (await inbox.changes_since(0)).changed}
            self.assertEqual(flags, {uid: {"\\Seen", "$Label"} if uid < 3 else set() for uid in THREADS})
            read = await inbox.read(range(1, 10), ~Part(0))
            self.assertEqual([info.internal_date for info in read[:5]], list(range(10**9 + 1, 10**9 + 6)))
            self.assertEqual(bytes(read[5].content or b""), LARGE)
            self.assertEqual((await work.status()).messages, 4)

    async def test_nothing_is_wrong_with_it(self) -> None:
        for version in VERSIONS:
            folder = self.mktemp()
            store_of_version(version, folder)
            store = await self.started(folder)
            lines: list[str] = []
            result = await store.check(lines.append)
            self.assertEqual((result.faults, lines), (0, []))
            self.assertEqual(result.counts["summaries made anew"], 9)

    async def test_not_while_a_program_of_that_version_uses_it(self) -> None:
        """It would go on writing as if nothing had changed."""
        folder = self.mktemp()
        store_of_version(VERSIONS[-1], folder)
        path = os.path.join(folder, DATABASE)
        lock = os.open(path + "-lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self.patch(_database, "ALONE_WITHIN", 0.1)
        reactor: Any = installed
        store = SQLiteStore(folder, reactor=reactor)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), StoreUnusable)
        self.assertIn("end that first", str(error))
        connection = connect(path)
        self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (VERSIONS[-1],))
        connection.close()
        os.close(lock)
        await (await self.started(folder)).account("alice@example.org")

    async def test_several_programs_of_this_version_begin_at_once(self) -> None:
        folder = self.mktemp()
        store_of_version(VERSIONS[0], folder)
        reactor: Any = installed
        stores = [SQLiteStore(folder, reactor=reactor) for _ in range(4)]
        await gatherResults([Deferred.fromCoroutine(store.start()) for store in stores])
        for store in stores:
            self.assertEqual((await store.account("alice@example.org")).name, "Alice@example.org")
            await store.stop()

    async def test_threads_and_ids(self) -> None:
        for version in VERSIONS:
            folder = self.mktemp()
            store_of_version(version, folder)
            store = await self.started(folder)
            account = await store.account("alice@example.org")
            inbox, work = await account.open("INBOX"), await account.open("Work/Lunch")
            here = {info.uid: info for info in await inbox.read(range(1, 10), Part.IDS)}
            there = {info.uid: info for info in await work.read(range(1, 10), Part.IDS)}
            threads: dict[str, set[str | None]] = {}
            for expected, found in ((THREADS, here), (WORK, there)):
                for uid, thread in expected.items():
                    threads.setdefault(thread, set()).add(found[uid].thread_id)
            self.assertEqual({name: len(ids) for name, ids in threads.items()}, dict.fromkeys(threads, 1))
            self.assertEqual(len(set.union(*threads.values())), len(threads))
            self.assertEqual(here[1].email_id, there[1].email_id)
            self.assertEqual(len({info.email_id for info in here.values()}), len(here))
            other = await (await store.account("carol@example.org")).open("INBOX")
            [first, second] = await other.read([1, 2], Part.IDS)
            self.assertEqual(first.thread_id, second.thread_id)
            self.assertNotIn(first.thread_id, threads["lunch"])
            # What comes now goes on from there.
            before = (await account.open("Work")).status()
            modseq = max((await inbox.status()).modseq, (await work.status()).modseq, (await before).modseq)
            [appended] = await store.deliver(
                b"Message-ID: <new@x>\r\nReferences: <late@x>\r\n\r\n",
                [Placement("alice@example.org", "Work")],
            )
            self.assertGreater(getattr(appended, "modseq", 0), modseq)
            [new] = await (await account.open("Work")).read([1], Part.IDS)
            self.assertIn(new.thread_id, threads["draft"])
            self.assertNotIn(new.email_id, {info.email_id for info in (*here.values(), *there.values())})

    async def test_the_schema_is_that_of_a_new_store(self) -> None:
        path = self.mktemp()
        prepare(path)
        for version in VERSIONS:
            folder = self.mktemp()
            store_of_version(version, folder)
            prepare(os.path.join(folder, DATABASE))
            self.assertEqual(columns(os.path.join(folder, DATABASE)), columns(path))


def columns(path: str) -> dict[str, list[tuple[Any, ...]]]:
    """The columns of each table, and those of each index."""
    connection = connect(path)
    try:
        found = {}
        for kind, name in connection.execute("SELECT type, name FROM sqlite_master").fetchall():
            found[name] = connection.execute(f"PRAGMA {kind}_info({name})").fetchall()
        return found
    finally:
        connection.close()


class LaterVersionTests(SynchronousTestCase):
    """Later versions differ by SQL alone: their tables are made by the steps up to them."""

    def test_before_deadlines_zones_and_sharing(self) -> None:
        path, new = self.mktemp(), self.mktemp()
        prepare(path, MIGRATIONS[: MIGRATIONS.index(DEADLINES)])
        connection = connect(path)
        self.addCleanup(connection.close)
        connection.executemany(
            "INSERT INTO queued VALUES (?, ?, ?, 0, '', 0, 9, 1, '{}')",
            [(1, 1000, 1000 + 5 * 86_400), (2, 1000, 1500)],
        )
        connection.execute(
            "INSERT INTO messages"
            " (mailbox, uid, flags, keywords, modseq, saved, internal_date, size, body, thread)"
            " VALUES (1, 7, 0, '', 3, 5, 1000000007, 9, 1, 1)"
        )
        prepare(path)
        # The next thing that time does to a message: a notice that it is late, or its end.
        self.assertEqual(
            connection.execute("SELECT id, deadline FROM queued ORDER BY id").fetchall(),
            [(1, 1000 + 4 * 3600), (2, 1500)],
        )
        self.assertEqual(
            connection.execute("SELECT uid, saved, internal_date, zone FROM messages").fetchall(),
            [(7, 5, 1_000_000_007, 0)],
        )
        self.assertEqual(connection.execute("SELECT revision, sharing FROM directory").fetchall(), [(0, 0)])
        prepare(new)
        self.assertEqual(columns(path), columns(new))


class SpeedTests(SynchronousTestCase):
    """A migration is waited for."""

    def test_many_messages_take_no_minute(self) -> None:
        """10,000 here, so that the test is short: 100,000 take ten times as long."""
        path = self.mktemp()
        prepare(path, MIGRATIONS[:3])
        connection = connect(path)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO accounts VALUES (1, 'a', 'a', '', 1)")
        connection.execute(
            "INSERT INTO mailboxes (id, account, name, uid_validity) VALUES (1, 1, 'INBOX', 1)"
        )
        text = b"Subject: %d\r\nMessage-ID: <%d@x>\r\nReferences: <%d@x>\r\n\r\n" + b"text\r\n" * 300
        for number in range(1, 10_001):
            connection.execute(
                "INSERT INTO contents VALUES (?, ?)", (number, text % (number, number, number - number % 10))
            )
            connection.execute("INSERT INTO bodies VALUES (?, 1, NULL, '', '', '')", (number,))
            connection.execute(
                "INSERT INTO messages VALUES (1, ?, 0, '', ?, 0, ?, ?)", (number, number, len(text), number)
            )
        connection.execute("COMMIT")
        began = time.process_time()
        prepare(path)
        self.assertLess(time.process_time() - began, 6)
        self.assertEqual(connection.execute("SELECT count(*) FROM threads").fetchone(), (1001,))
        self.assertEqual(
            connection.execute("SELECT count(*) FROM messages WHERE thread = 0").fetchone(), (0,)
        )
        self.assertEqual(
            connection.execute("SELECT max(rendered) < ? FROM bodies", (RENDER_VERSION,)).fetchone(), (1,)
        )
        connection.close()
