"""Changes of many messages: in slices, whole in the end, and in nobody's way."""

import fcntl
import os
import sqlite3
import threading
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _changes, _changing, _checkpoints, _database, _long_changes, _reading
from mailproto.backends.sqlite._database import DATABASE
from mailproto.backends.sqlite._long_changes import expunging, moving
from mailproto.backends.sqlite._peers import Peers
from mailproto.errors import NoSuchMailbox, OverQuota, StorageFull
from mailproto.interfaces import IMetadata
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part, Placement
from mailproto.testing._fixture import StoreFixture

reactor: Any = installed

ALICE = "alice@example.org"
SMALL = b"Subject: small\r\n\r\nText.\r\n"
COUNT = 20
ALL = list(range(1, COUNT + 1))


def adding(*flags):
    return FlagChange(FlagOperation.ADD, frozenset(flags))


class LongChangeTests(TestCase):
    """An INBOX of `COUNT` messages, in slices of three."""

    eventually = StoreFixture.eventually

    async def setUp(self):
        self.patch(_long_changes, "SLICE", 3)
        self.patch(_changes, "FEW", 2)
        self.patch(_reading, "_PIECE", 4)
        self.patch(_changes, "PIECE", 4)
        self.folder = self.mktemp()
        self.store = await self.started(self.folder)
        await self.store.directory.add(ALICE, "hash")
        self.account = await self.store.account(ALICE)
        self.inbox, self.trash = await self.account.open("INBOX"), await self.account.open("Trash")
        await self.inbox.append([NewMessage(SMALL)] * COUNT)

    async def started(self, folder):
        store = SQLiteStore(folder, reactor=reactor)  # type: ignore[arg-type]
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    def rows(self, statement, folder=None):
        connection = sqlite3.connect(os.path.join(folder or self.folder, DATABASE))
        self.addCleanup(connection.close)
        return connection.execute(statement).fetchall()

    def before_slice(self, number, act):
        """Have ``act(transaction)`` called in the writer's thread before a slice."""
        original, count = _long_changes._slice, iter(range(1, 1000))

        def slice_(transaction, *arguments):
            if next(count) == number:
                act(transaction)
            return original(transaction, *arguments)

        self.patch(_long_changes, "_slice", slice_)

    def fail_from_slice(self, number):
        """Have a copy's slices fail from this one on."""
        original = _long_changes._slice

        def slice_(transaction, job, change, uids, some, *others):
            if change.kind == "copy" and some[0] > 3 * (number - 1):
                raise StorageFull
            return original(transaction, job, change, uids, some, *others)

        self.patch(_long_changes, "_slice", slice_)

    def copy_of_the_store_at_slice(self, number):
        """What a kill before this slice leaves: a folder, once it was reached."""
        folder = self.mktemp()
        os.mkdir(folder)

        def copy(transaction):
            source = sqlite3.connect(os.path.join(self.folder, DATABASE))
            target = sqlite3.connect(os.path.join(folder, DATABASE))
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
            target.close()
            source.close()

        self.before_slice(number, copy)
        return folder

    async def counts(self, store):
        account = await store.account(ALICE)
        return [
            ((status := await (await account.open(name)).status()).messages, status.size)
            for name in ("INBOX", "Trash")
        ]

    def test_it_gives_columns(self):
        self.assertTrue(IMetadata.providedBy(self.inbox))

    async def test_results_are_of_all_slices(self):
        stored = await self.inbox.store(ALL, adding("\\Deleted", "word"))
        self.assertEqual([message.uid for message in stored.changed], ALL)
        self.assertEqual({message.flags for message in stored.changed}, {frozenset({"\\Deleted", "word"})})
        self.assertEqual([message.uid for message in (await self.inbox.changes_since(0)).changed], ALL)
        copied = await self.inbox.copy(ALL, self.trash)
        self.assertEqual(copied, list(zip(ALL, ALL, strict=True)))
        moved = await self.inbox.move(ALL[10:], self.trash)
        self.assertEqual(moved, [(uid, uid + COUNT - 10) for uid in ALL[10:]])
        self.assertEqual(list(await self.inbox.expunge()), ALL[:10])
        self.assertEqual((await self.trash.status()).messages, COUNT + 10)
        self.assertEqual(self.rows("SELECT * FROM long_changes"), [])
        self.assertEqual(self.rows("SELECT * FROM long_changes_progress"), [])

    async def test_what_a_kill_interrupts_is_finished_by_the_next_start(self):
        size = len(SMALL)
        full, empty = (COUNT, COUNT * size), (0, 0)
        await self.inbox.store(ALL, adding("\\Deleted"))
        for change, expected in (
            (lambda: self.inbox.copy(ALL, self.trash), [full, full]),
            (lambda: self.inbox.store(ALL, adding("\\Seen", "word"), None), [full, full]),
            (lambda: self.trash.expunge(), [full, empty]),
            (lambda: self.inbox.move(ALL, self.trash), [empty, full]),
        ):
            copies = [self.copy_of_the_store_at_slice(number) for number in (2, 5)]
            await change()
            for folder in copies:
                self.assertEqual(len(self.rows("SELECT * FROM long_changes", folder)), 1)
                store = await self.started(folder)
                self.assertEqual(await self.counts(store), expected)
                self.assertEqual(self.rows("SELECT * FROM long_changes", folder), [])
            flags = (await (await (await store.account(ALICE)).open("INBOX")).changes_since(0)).changed.flags
            self.assertIn(len(set(flags)), (0, 1))

    async def interrupted_beside_others(self):
        """A folder in which a copy was interrupted, and the process that is at work on it."""
        folder = self.copy_of_the_store_at_slice(2)
        await self.inbox.copy(ALL, self.trash)
        path = os.path.join(folder, DATABASE)
        lock = os.open(path + "-lock", os.O_CREAT | os.O_RDWR, 0o600)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_SH)  # no start is alone
        owner = Peers(path + "-peers")
        owner.open()
        self.addCleanup(owner.close)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE long_changes SET owner = ?", (owner.name,))
        connection.commit()
        connection.close()
        return folder, owner

    async def test_another_start_finishes_what_a_kill_interrupts(self):
        folder, owner = await self.interrupted_beside_others()
        store = await self.started(folder)
        self.assertEqual(len(self.rows("SELECT * FROM long_changes", folder)), 1)
        owner.close()
        await self.started(folder)
        self.assertEqual((await self.counts(store))[1][0], COUNT)
        self.assertEqual(self.rows("SELECT * FROM long_changes", folder), [])

    async def test_another_process_finishes_what_a_kill_interrupts(self):
        folder, owner = await self.interrupted_beside_others()
        store = await self.started(folder)
        inbox = await (await store.account(ALICE)).open("INBOX")
        await inbox.store([1], adding("\\Seen"))
        self.assertEqual(len(self.rows("SELECT * FROM long_changes", folder)), 1)
        owner._socket.close()
        await inbox.store([2], adding("\\Seen"))
        await self.eventually(lambda: not self.rows("SELECT * FROM long_changes", folder))
        self.assertEqual((await self.counts(store))[1][0], COUNT)

    async def test_a_store_that_stops_leaves_the_rest_to_the_next_start(self):
        folder = self.copy_of_the_store_at_slice(2)
        await self.inbox.copy(ALL, self.trash)
        self.patch(_database, "FINISHING", -1)
        store, stops = SQLiteStore(folder, reactor=reactor), threading.Event()
        self.before_slice(2, lambda _: stops.wait(10))  # else it may be done with the rest before
        await store.start()
        with capturedLogs() as events:
            stopped = Deferred.fromCoroutine(store.stop())
            stops.set()
            await stopped
        self.assertNotIn("undone", str(list(map(formatEvent, events))))
        self.assertEqual(len(self.rows("SELECT * FROM long_changes", folder)), 1)
        self.patch(_database, "FINISHING", 5)
        self.assertEqual((await self.counts(await self.started(folder)))[1][0], COUNT)

    async def test_columns_of_many_messages_are_of_one_state(self):
        await self.inbox.store(ALL, adding("old"))
        database = self.store._database
        reader, writer = database._reader, sqlite3.connect(database.path)
        self.addCleanup(writer.close)

        class Interrupted:
            """The reader; another process changes something before each of its statements."""

            in_transaction = property(lambda _: reader.in_transaction)

            def execute(self, statement, *values):
                if reader.in_transaction and statement != "COMMIT":
                    reader.execute("SELECT * FROM mailboxes").fetchall()  # the snapshot begins
                with writer:
                    writer.execute("DELETE FROM messages WHERE uid = (SELECT min(uid) FROM messages)")
                    writer.execute("UPDATE messages SET flags = 1 - flags, keywords = 'new'")
                    writer.execute("UPDATE messages SET keywords = 'old' WHERE flags = 0")
                return reader.execute(statement, *values)

        self.patch(database, "_reader", Interrupted())
        changes = await self.inbox.changes_since(0)
        combinations = {tuple(sorted(flags)) for flags in changes.changed.flags}
        self.assertLessEqual(combinations, {("old",), ("\\Seen", "new")})

    async def test_a_copy_that_fails_is_undone(self):
        await self.trash.append([NewMessage(SMALL)])
        for number in (7, 2):
            self.fail_from_slice(number)
            await self.assertFailure(Deferred.fromCoroutine(self.inbox.copy(ALL, self.trash)), StorageFull)
            self.assertEqual((await self.trash.status()).messages, 1)
            self.assertEqual(self.rows("SELECT * FROM long_changes"), [])
        self.assertEqual(self.rows("SELECT max(refs) FROM bodies"), [(1,)])

    async def test_an_undo_that_fails_is_done_later(self):
        original, failing = _long_changes._give_up, [True]

        def give_up(*arguments):
            if failing:
                raise StorageFull
            return original(*arguments)

        self.patch(_long_changes, "_give_up", give_up)
        self.fail_from_slice(4)
        await self.assertFailure(Deferred.fromCoroutine(self.inbox.copy(ALL, self.trash)), StorageFull)
        self.assertEqual((await self.trash.status()).messages, 9)
        failing.clear()
        await self.inbox.store([1], adding("\\Deleted"))
        await self.inbox.expunge()  # something else to be cleared away
        await self.eventually(lambda: self.rows("SELECT * FROM long_changes") == [])
        self.assertEqual((await self.trash.status()).messages, 0)

    async def test_a_target_that_goes_meanwhile(self):
        for change in (self.inbox.copy, self.inbox.move):
            await self.account.create("target")
            target = await self.account.open("target")
            with capturedLogs() as events:
                changing = Deferred.fromCoroutine(change(ALL, target))
                deleting = Deferred.fromCoroutine(self.account.delete("target"))
                await self.assertFailure(changing, NoSuchMailbox)
                await deleting
            self.assertEqual(list(map(formatEvent, events)), [])
            self.assertEqual(self.rows("SELECT * FROM long_changes"), [])

    async def test_too_many_keywords_change_nothing(self):
        await self.inbox.store([COUNT], adding(*(f"k{number}" for number in range(60))))
        before = await self.inbox.status()
        many = adding(*(f"other{number}" for number in range(60)))
        await self.assertFailure(Deferred.fromCoroutine(self.inbox.store(ALL, many)), OverQuota)
        self.assertEqual(await self.inbox.status(), before)

    async def test_deliveries_do_not_wait_for_all_of_it(self):
        done = []
        changing = Deferred.fromCoroutine(self.inbox.store(ALL, adding("\\Seen")))
        changing.addCallback(lambda _: done.append("change"))
        delivering = self.store.deliver(SMALL, [Placement(ALICE)])
        delivering.addCallback(lambda _: done.append("delivery"))
        await gatherResults([changing, delivering])
        self.assertEqual(done, ["delivery", "change"])

    async def test_slices_are_as_long_as_their_time_allows(self):
        for name, value in (("SLICE", 1000), ("FIRST", 2), ("SECONDS", 0.01)):
            self.patch(_long_changes, name, value)
        sizes, seconds = [], [0.001, 0.02, 0.04, 0.0, 0.0, 0.0]
        original = _long_changes._slice

        def slice_(*arguments):
            job, result, _ = original(*arguments)
            sizes.append(len(arguments[4]))
            return job, result, seconds[len(sizes) - 1]

        self.patch(_long_changes, "_slice", slice_)
        await self.inbox.append([NewMessage(SMALL)] * 60)
        uids = list(range(1, COUNT + 61))
        await self.inbox.store(uids, adding("\\Seen"))
        self.assertEqual(sizes[:5], [2, 20, 10, 2, 20])
        self.assertEqual(sum(sizes), len(uids))
        self.assertEqual((await self.inbox.status()).unseen, 0)

    async def test_slices_of_all_changes_take_turns(self):
        order = []
        original = _long_changes._slice

        def slice_(transaction, job, change, *arguments):
            order.append(change.kind)
            return original(transaction, job, change, *arguments)

        self.patch(_long_changes, "_slice", slice_)
        database = self.store._database
        trash = self.trash._id
        await gatherResults(
            Deferred.fromCoroutine(database.long_changes.do(change, ALL, share))
            for share, change in enumerate([moving(self.inbox._id, trash), expunging(trash)])
        )
        self.assertEqual(order[:6], ["move", "expunge"] * 3)

    async def test_a_deleted_mailbox_is_cleared_away_afterwards(self):
        await self.account.create("gone")
        await self.inbox.move(ALL, await self.account.open("gone"))
        self.patch(_long_changes.LongChanges, "clear", lambda self: None)
        await self.account.delete("gone")
        self.assertEqual(self.rows("SELECT count(*) FROM messages"), [(COUNT,)])
        await self.store.stop()
        self.patch(_long_changes.LongChanges, "clear", LongChanges_clear)
        self.patch(_long_changes, "RETRY", 0.01)
        await self.started(self.folder)
        empty = [(0, 0, 0, 0)]
        await self.eventually(
            lambda: (
                self.rows(
                    "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM bodies),"
                    " (SELECT count(*) FROM contents), (SELECT count(*) FROM discarded)"
                )
                == empty
            )
        )

    async def test_expunge_of_nothing_asks_nothing_of_the_writer(self):
        self.patch(self.store._database.writer, "run", lambda *_, **__: self.fail("the writer is asked"))
        self.patch(_reading, "_deleted_after", lambda *_: self.fail("messages are looked at"))
        self.assertEqual(list(await self.inbox.expunge()), [])

    async def test_what_is_recent_is_claimed_without_waiting(self):
        begun, gate = Deferred(), threading.Event()
        self.store._database.writer.run(
            lambda transaction: (reactor.callFromThread(begun.callback, None), gate.wait(5))
        )
        await begun
        self.assertEqual(await self.inbox.claim_recent(), range(1, COUNT + 1))
        self.assertEqual((await self.inbox.status()).recent, 0)
        self.assertEqual((await self.account.status(["INBOX"]))["INBOX"].recent, 0)
        self.assertEqual(await self.inbox.claim_recent(), range(COUNT + 1, COUNT + 1))
        self.assertEqual(self.rows("SELECT recent FROM mailboxes WHERE name = 'INBOX'"), [(COUNT,)])
        gate.set()
        await self.eventually(
            lambda: self.rows("SELECT recent FROM mailboxes WHERE name = 'INBOX'") == [(0,)]
        )
        await self.inbox.append([NewMessage(SMALL)])
        self.assertEqual((await self.inbox.status()).recent, 1)
        self.assertEqual(await self.inbox.claim_recent(), range(COUNT + 1, COUNT + 2))

    async def test_a_claim_that_cannot_be_kept_is_no_failure(self):
        def fail(*_):
            raise StorageFull

        self.patch(_changing, "keep_claim", fail)
        self.assertEqual(await self.inbox.claim_recent(), range(1, COUNT + 1))
        await self.store._database.writer.run(lambda transaction: None)
        self.assertEqual((await self.inbox.status()).recent, 0)
        self.assertEqual(await self.inbox.claim_recent(), range(COUNT + 1, COUNT + 1))

    async def test_names_cost_the_same_however_many_there_are(self):
        steps, writer = [0], self.store._database.writer

        async def cost_of(change):
            steps[0] = 0
            await change
            return steps[0]

        def count():
            steps[0] += 1

        await writer.run(lambda transaction: transaction.connection.set_progress_handler(count, 1))
        few = await cost_of(self.account.create("few/names"))
        renaming = await cost_of(self.account.rename("few", "renamed"))
        for number in range(400):
            await self.account.create(f"folder{number}")
        self.assertLess(await cost_of(self.account.create("many/names")), few * 1.5)
        self.assertLess(await cost_of(self.account.rename("many", "others")), renaming * 1.5)
        await writer.run(lambda transaction: transaction.connection.set_progress_handler(None, 1))

    async def test_a_long_inbox_is_renamed(self):
        await self.account.rename("INBOX", "old/mail")
        self.assertEqual((await self.inbox.status()).messages, 0)
        self.assertEqual((await (await self.account.open("old/mail")).status()).messages, COUNT)


LongChanges_clear = _long_changes.LongChanges.clear


class CheckpointTests(TestCase):
    """The log is copied by a thread of its own."""

    eventually = StoreFixture.eventually

    async def test_the_log_goes_into_the_database_while_the_store_is_open(self):
        self.patch(_checkpoints, "CHANGES", 10)
        self.patch(_checkpoints, "PAUSE", 0.01)
        folder = self.mktemp()
        store = SQLiteStore(folder, reactor=reactor)  # type: ignore[arg-type]
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.directory.add(ALICE, "hash")
        inbox = await (await store.account(ALICE)).open("INBOX")
        await inbox.append([NewMessage(SMALL + b"x" * 30_000)] * 30)
        path = os.path.join(folder, DATABASE)
        await self.eventually(lambda: os.path.getsize(path) > 30 * 30_000)
        for name, value in (("secure_delete", 2), ("temp_store", 2), ("synchronous", 2)):
            found = await store._database.writer.run(
                lambda transaction, name=name: transaction.execute(f"PRAGMA {name}").fetchone()[0]
            )
            self.assertEqual(found, value, name)

    async def test_the_log_is_made_short_again(self):
        self.patch(_checkpoints, "LOG_OCTETS", 1 << 20)
        self.patch(_checkpoints, "CHANGES", 1)
        self.patch(_checkpoints, "PAUSE", 0.01)
        folder = self.mktemp()
        store = SQLiteStore(folder, reactor=reactor)  # type: ignore[arg-type]
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.directory.add(ALICE, "hash")
        await store._database.writer.run(
            lambda transaction: transaction.execute("PRAGMA journal_size_limit = 500000").fetchall()
        )
        inbox = await (await store.account(ALICE)).open("INBOX")
        log = os.path.join(folder, DATABASE + "-wal")
        await inbox.append([NewMessage(SMALL + b"x" * 60_000)] * 100)
        self.assertGreater(os.path.getsize(log), 5_000_000)
        for _ in range(200):
            if os.path.getsize(log) < 1_000_000:
                break
            await inbox.store([1], adding("\\Seen"))
            await inbox.store([1], FlagChange(FlagOperation.REMOVE, frozenset({"\\Seen"})))
        self.assertLess(os.path.getsize(log), 1_000_000)
        [info] = await inbox.read([100], Part.SIZE)
        self.assertEqual(info.size, len(SMALL) + 60_000)
