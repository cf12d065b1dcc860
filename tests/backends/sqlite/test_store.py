"""What only the embedded store has: a folder, files, other processes, versions."""

import contextlib
import errno
import os
import sqlite3
import stat
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore, _rights
from mailproto.backends.sqlite import _account, _bodies, _changing, _reading, _schema
from mailproto.backends.sqlite._bodies import LARGE, Digesting
from mailproto.backends.sqlite._database import DATABASE
from mailproto.content import Content
from mailproto.errors import (
    LimitReached,
    NoSuchAccount,
    NoSuchMailbox,
    StorageFull,
    StoreUnusable,
    Unavailable,
)
from mailproto.message import summarise
from mailproto.model import AppendedMessage, FlagChange, FlagOperation, NewMessage, Part, Placement

reactor: Any = installed

ALICE = "alice@example.org"
TO_ALICE, TO_BOB = Placement(ALICE), Placement("bob@example.org")
SMALL = b"Subject: small\r\n\r\nText.\r\n"
BIG = b"Subject: big\r\n\r\n" + b"x" * LARGE


class StoreTests(TestCase):
    """A store in a folder of its own."""

    async def setUp(self):
        self.folder = self.mktemp()
        self.store = await self.started()
        await self.store.directory.add(ALICE, "hash")

    async def started(self):
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def inbox(self, store=None):
        return await (await (store or self.store).account(ALICE)).open("INBOX")

    def files(self):
        return sorted(os.listdir(os.path.join(self.folder, DATABASE + "-bodies")))

    def rows(self, statement):
        connection = sqlite3.connect(os.path.join(self.folder, DATABASE))
        self.addCleanup(connection.close)
        return connection.execute(statement).fetchall()

    def test_nobody_else_may_look(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, DATABASE)).st_mode), 0o600)

    async def test_what_was_kept_is_there_after_a_restart(self):
        inbox = await self.inbox()
        await inbox.append([NewMessage(SMALL, frozenset({"\\Seen", "Label"})), NewMessage(BIG)])
        before = await inbox.status(), (await inbox.changes_since(0)).changed
        await self.store.stop()
        inbox = await self.inbox(await self.started())
        self.assertEqual((await inbox.status(), (await inbox.changes_since(0)).changed), before)
        small, big = await inbox.read([1, 2], Part.CONTENT)
        self.assertEqual((small.content, bytes(big.content)), (SMALL, BIG))

    async def test_sessions_share_the_list_of_mailboxes(self):
        """A list of 10,000 names is a megabyte."""
        self.patch(_account, "_MANY", 10)
        accounts = [await self.store.account(ALICE) for _ in range(3)]
        for number in range(8):
            await accounts[0].create(f"box{number}")
        first, second, third = await gatherResults(
            [Deferred.fromCoroutine(account.list()) for account in accounts]
        )
        self.assertIs(first, second)
        self.assertIs(first, third)
        await accounts[1].subscribe("box7")
        self.assertIsNot(await accounts[0].list(), first)
        self.assertTrue(next(each for each in await accounts[2].list() if each.name == "box7").subscribed)
        self.assertFalse(next(each for each in first if each.name == "box7").subscribed)
        await self.store.directory.add("bob@example.org", "")
        await (await self.store.account("bob@example.org")).set_acl("INBOX", "alice", "lr")
        lists = self.store._database.lists
        del first, second, third
        first, second = await gatherResults(
            [Deferred.fromCoroutine(account.list()) for account in accounts[:2]]
        )
        self.assertIs(first, second)
        self.assertIn("user/bob@example.org/INBOX", [each.name for each in first])
        await (await self.store.account("bob@example.org")).set_acl("INBOX", "alice", "")
        self.assertNotIn("user/bob@example.org/INBOX", [each.name for each in await accounts[0].list()])
        del first, second
        self.assertEqual(len(lists), 0)

    async def test_identifiers_of_an_account_have_a_limit(self):
        self.patch(_rights, "MAX_ACCOUNT_IDENTIFIERS", 3)
        account = await self.store.account(ALICE)
        await account.set_acl("Sent", "bob", "l")
        await account.create("Sent/a/b")
        for asked in (account.create("Sent/c"), account.set_acl("Drafts", "bob", "l")):
            with self.assertRaises(LimitReached):
                await asked
        self.assertNotIn("Sent/c", [each.name for each in await account.list()])
        self.assertEqual(list(await account.acl("Drafts")), [ALICE])
        await account.set_acl("Sent", "bob", "lr")

    async def test_a_body_is_stored_once(self):
        await self.store.directory.add("bob@example.org", "")
        for content in (SMALL, BIG):
            await self.store.deliver(content, [TO_ALICE, TO_BOB, TO_ALICE])
        inbox = await self.inbox()
        await inbox.copy([1, 2], await (await self.store.account(ALICE)).open("Sent"))
        self.assertEqual(self.rows("SELECT count(*), sum(refs) FROM bodies"), [(2, 8)])
        self.assertEqual(self.rows("SELECT count(*) FROM contents"), [(1,)])
        self.assertEqual(len(self.files()), 1)

    async def test_a_body_goes_with_the_last_message_that_has_it(self):
        account = await self.store.account(ALICE)
        inbox, sent = await self.inbox(), await account.open("Sent")
        await inbox.append(
            [NewMessage(BIG, frozenset({"\\Deleted"})), NewMessage(SMALL, frozenset({"\\Deleted"}))]
        )
        await inbox.copy([1, 2], sent)
        await inbox.copy([1], inbox)
        await inbox.expunge()
        self.assertEqual(len(self.files()), 1)
        [info] = await sent.read([1], Part.CONTENT)
        self.assertEqual(bytes(info.content), BIG)
        await account.delete("Sent")
        await self.store.stop()
        self.assertEqual(self.files(), [])
        self.assertEqual(
            self.rows("SELECT (SELECT count(*) FROM bodies) + (SELECT count(*) FROM contents)"), [(0,)]
        )

    async def test_a_message_made_to_be_slow_keeps_no_other_waiting(self):
        self.patch(Digesting.go_on, "__defaults__", (0.0,))
        slow = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\n" * 9000
        inbox = await self.inbox()
        order: list[Any] = []
        await gatherResults(
            [
                self.store.deliver(slow, [TO_ALICE]).addCallback(order.append),
                Deferred.fromCoroutine(inbox.append([NewMessage(slow)])).addCallback(order.append),
                self.store.deliver(b"Subject: x\r\n\r\nx\r\n", [TO_ALICE]).addCallback(order.append),
            ]
        )
        self.assertEqual(order[0][0].uid, 1)
        infos = await inbox.read([1, 2, 3], Part.BODY_STRUCTURE | Part.SIZE)
        self.assertEqual([info.size for info in infos], [17, len(slow), len(slow)])
        structure = summarise(slow).body_structure
        self.assertEqual([info.body_structure for info in infos[1:]], [structure] * 2)

    async def test_nothing_is_left_of_a_deleted_account(self):
        await self.store.deliver(BIG, [TO_ALICE])
        inbox = await self.inbox()
        await inbox.store([1], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        await (await self.store.account(ALICE)).rename("INBOX", "Old")
        await self.store.directory.delete(ALICE)
        await self.store.stop()
        self.assertEqual(self.files(), [])
        for table in (
            "accounts",
            "mailboxes",
            "messages",
            "vanished",
            "bodies",
            "contents",
            "subscriptions",
            "retired",
            "names",
            "threads",
            "thread_keys",
        ):
            self.assertEqual(self.rows(f"SELECT count(*) FROM {table}"), [(0,)], table)

    async def test_a_large_message_that_nobody_gets_leaves_no_file(self):
        [outcome] = await self.store.deliver(BIG, [Placement("nobody@example.org")])
        self.assertIsInstance(outcome, NoSuchAccount)
        inbox = await self.inbox()
        await self.store.directory.delete(ALICE)
        await self.assertFailure(Deferred.fromCoroutine(inbox.append([NewMessage(BIG)] * 2)), NoSuchMailbox)
        missing = Content.of_file(self.mktemp(), LARGE + 1)
        [outcome] = await self.store.deliver(missing, [TO_ALICE])
        self.assertIsInstance(outcome, Unavailable)
        self.assertEqual(self.files(), [])

    async def test_a_large_message_for_which_there_is_no_room(self):
        def full(path, content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(_bodies, "_write_synced", full)
        [outcome] = await self.store.deliver(BIG, [TO_ALICE])
        self.assertIsInstance(outcome, StorageFull)
        self.assertEqual(self.files(), [])

    async def test_files_that_a_crash_left_are_swept_at_the_next_start(self):
        inbox = await self.inbox()
        await inbox.append([NewMessage(BIG)])
        named = self.files()
        await self.store.stop()
        for name in ("0123", "4567.part"):
            with open(os.path.join(self.folder, DATABASE + "-bodies", name), "wb"):
                pass
        await self.started()
        self.assertEqual(self.files(), named)

    async def test_nothing_is_swept_under_another_process(self):
        with open(os.path.join(self.folder, DATABASE + "-bodies", "coming"), "wb"):
            pass
        await self.started()
        self.assertEqual(self.files(), ["coming"])

    async def test_another_process_changes_accounts(self):
        other = await self.started()
        directory = self.store.directory
        await other.directory.add("bob@example.org", "one")
        self.assertEqual(await directory.find("BOB@example.org"), "bob@example.org")
        self.assertEqual((await self.store.deliver(SMALL, [TO_BOB]))[0].uid, 1)
        await other.directory.set_password_hash("bob@example.org", "two")
        self.assertEqual(await directory.password_hash("bob@example.org"), "two")
        await other.directory.delete("bob@example.org")
        await self.assertFailure(Deferred.fromCoroutine(directory.find("bob@example.org")), NoSuchAccount)

    async def test_two_processes_deliver_to_one_mailbox(self):
        other = await self.started()
        for store in (self.store, other, self.store, other):
            [appended] = await store.deliver(SMALL, [TO_ALICE])
            self.assertIsInstance(appended, AppendedMessage)
        changes = await (await self.inbox()).changes_since(0)
        self.assertEqual([message.uid for message in changes.changed], [1, 2, 3, 4])

    async def test_a_stopped_store_is_unavailable(self):
        inbox = await self.inbox()
        await self.store.stop()
        for asked in (inbox.status(), inbox.append([NewMessage(SMALL)]), self.store.directory.names()):
            await self.assertFailure(Deferred.fromCoroutine(asked), Unavailable)
        [outcome] = await self.store.deliver(SMALL, [TO_ALICE])
        self.assertIsInstance(outcome, Unavailable)

    async def test_stop_waits_for_large_deliveries(self):
        delivered = self.store.deliver(BIG, [TO_ALICE])
        self.assertNoResult(delivered)
        await self.store.stop()
        self.assertIsInstance(self.successResultOf(delivered)[0], AppendedMessage)

    async def test_forgotten_tombstones_are_made_up_for(self):
        inbox = await self.inbox()
        await inbox.append(
            [NewMessage(SMALL, frozenset({"\\Deleted"}) if uid % 2 else frozenset()) for uid in range(1, 8)]
        )
        since = (await inbox.status()).modseq
        self.patch(_changing, "TOMBSTONES", 1)
        gone = await inbox.expunge()
        self.assertEqual(list(gone), [1, 3, 5, 7])
        self.assertEqual(self.rows("SELECT count(*) FROM vanished"), [(0,)])
        self.assertEqual(list((await inbox.changes_since(since)).vanished), [1, 3, 5, 7])
        self.assertEqual(list((await inbox.changes_since(since + 1)).vanished), [])

    async def test_recent_tombstones_are_kept(self):
        inbox = await self.inbox()
        await inbox.append([NewMessage(SMALL, frozenset({"\\Deleted"}))] * 12)
        since = (await inbox.status()).modseq
        self.patch(_changing, "TOMBSTONES", 2)
        for uid in (2, 4, 6, 8, 10):
            await inbox.expunge([uid])
        self.assertEqual(self.rows("SELECT first FROM vanished"), [(8,), (10,)])
        self.assertEqual(self.rows("SELECT tombstones FROM mailboxes WHERE name = 'INBOX'"), [(2,)])
        self.assertEqual(list((await inbox.changes_since(since)).vanished), [2, 4, 6, 8, 10])
        self.assertEqual(list((await inbox.changes_since(since + 3)).vanished), [8, 10])

    async def test_the_summary_of_a_mailbox_agrees_with_its_messages(self):
        inbox = await self.inbox()
        await inbox.append(
            [NewMessage(SMALL, frozenset({"\\Seen"})), NewMessage(SMALL, frozenset({"\\Deleted"}))] * 3
        )
        await inbox.claim_recent()
        await inbox.copy([1, 2, 3], inbox)
        await inbox.store([2, 3, 7], FlagChange(FlagOperation.SET, frozenset({"\\Deleted", "Label"})))
        await inbox.expunge([1, 2, 3, 7])
        self.assertEqual(
            self.rows("SELECT messages, unseen, recent, deleted, size FROM mailboxes WHERE name = 'INBOX'"),
            self.rows(
                "SELECT count(*), sum(flags & 1 = 0),"
                " sum(uid >= (SELECT unclaimed FROM mailboxes WHERE name = 'INBOX')),"
                " sum(flags & 8 != 0), sum(size) FROM messages"
            ),
        )

    def test_a_read_that_fails_is_unavailable(self):
        error = self.assertRaises(
            Unavailable, self.store._database.read, lambda connection: connection.execute("nonsense")
        )
        self.assertTrue(error.detail.startswith(f"{self.store.path}: OperationalError: "), error.detail)
        self.assertIn("nonsense", error.detail)

    def test_a_damaged_database_is_named_so(self):
        """RFC 5530: CORRUPTION tells a client that trying again does not help."""

        def fail(connection):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT | 1 << 8  # an extended code
            raise error

        error = self.assertRaises(Unavailable, self.store._database.read, fail)
        self.assertEqual((error.imap, error.code), ("CORRUPTION", 451))

    async def test_a_snapshot_is_ended_by_errors_too(self):
        def fail(connection):
            with _reading.snapshot(connection):
                raise ValueError

        self.assertRaises(ValueError, self.store._database.read, fail)
        self.assertEqual(list(await self.store.directory.names()), [ALICE])


class SchemaTests(TestCase):
    """Which databases are taken."""

    def setUp(self):
        self.path = self.mktemp()

    def pragma(self, name):
        connection = sqlite3.connect(self.path)
        [value] = connection.execute(f"PRAGMA {name}").fetchone()
        connection.close()
        return value

    def execute(self, statement):
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement)
        connection.close()

    def test_a_new_database(self):
        _schema.prepare(self.path)
        _schema.prepare(self.path)
        self.assertEqual(self.pragma("user_version"), len(_schema.MIGRATIONS))
        self.assertEqual(self.pragma("application_id"), _schema.APPLICATION_ID)
        self.assertEqual(self.pragma("journal_mode"), "wal")

    def test_migrations_bring_an_old_database_up(self):
        _schema.prepare(self.path, ("CREATE TABLE a (x); -- one;\nINSERT INTO a VALUES (1);",))
        steps = ("never again", "CREATE TABLE b AS SELECT x + 1 AS x FROM a;")
        _schema.prepare(self.path, steps)
        self.assertEqual(self.pragma("user_version"), 2)
        connection = sqlite3.connect(self.path)
        self.assertEqual(connection.execute("SELECT x FROM b").fetchall(), [(2,)])
        connection.close()

    def test_a_migration_that_fails_leaves_everything_as_it_was(self):
        _schema.prepare(self.path, ("CREATE TABLE a (x);",))
        self.assertRaises(
            sqlite3.OperationalError, _schema.prepare, self.path, ("", "CREATE TABLE b (x);\nnonsense;")
        )
        self.assertEqual(self.pragma("user_version"), 1)
        _schema.prepare(self.path, ("", "CREATE TABLE b (x);"))

    def test_a_later_version_is_refused(self):
        _schema.prepare(self.path)
        self.execute("PRAGMA user_version = 99")
        error = self.assertRaises(StoreUnusable, _schema.prepare, self.path)
        self.assertIn("schema version 99", str(error))
        self.assertEqual(self.pragma("user_version"), 99)

    def test_databases_of_something_else_are_refused(self):
        self.execute("CREATE TABLE t (x)")
        self.assertRaises(StoreUnusable, _schema.prepare, self.path)
        self.execute("PRAGMA application_id = 5")
        self.assertRaises(StoreUnusable, _schema.prepare, self.path)

    async def test_a_start_that_fails_leaves_nothing_open(self):
        os.mkdir(self.path)
        folder, self.path = self.path, os.path.join(self.path, DATABASE)
        self.execute("CREATE TABLE t (x)")
        await self.assertFailure(
            Deferred.fromCoroutine(SQLiteStore(folder, reactor=reactor).start()), StoreUnusable
        )
        left = []
        for descriptor in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                left.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        self.assertEqual([each for each in left if each.startswith(os.path.abspath(folder))], [])

    async def test_the_store_says_so_at_its_start(self):
        os.mkdir(self.path)
        folder, self.path = self.path, os.path.join(self.path, DATABASE)
        self.execute("CREATE TABLE t (x)")
        store = SQLiteStore(folder, reactor=reactor)
        await self.assertFailure(Deferred.fromCoroutine(store.start()), StoreUnusable)
        await store.stop()
        with open(self.path, "wb") as file:
            file.write(b"no database" * 1000)
        store = SQLiteStore(folder, reactor=reactor)
        error = await self.assertFailure(Deferred.fromCoroutine(store.start()), StoreUnusable)
        to_do = "restore it from a backup, or choose another place"
        self.assertEqual(str(error), f"{self.path}: file is not a database; {to_do}")
        await store.stop()
