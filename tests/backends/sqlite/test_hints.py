"""Changes of other processes: who tells of them, and that processes write in turns."""

import fcntl
import os
import socket
import threading
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _hints, _known, _reading
from mailproto.backends.sqlite._peers import Peers, Turns
from mailproto.errors import NoSuchAccount, NoSuchMailbox, OverQuota
from mailproto.model import NewMessage, Placement, QuotaLimits
from mailproto.testing._fixture import StoreFixture

reactor: Any = installed

ALICE = "alice@example.org"
TO_ALICE, TO_BOB = Placement(ALICE), Placement("bob@example.org")
SMALL = b"Subject: small\r\n\r\nText.\r\n"


class HintTests(TestCase):
    """Two stores of one folder, as two processes have them."""

    eventually = StoreFixture.eventually

    async def setUp(self):
        self.folder = self.mktemp()
        self.store = await self.started()
        await self.store.directory.add(ALICE, "hash")

    async def started(self):
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def inbox(self):
        return await (await self.store.account(ALICE)).open("INBOX")

    async def test_changes_of_other_processes_are_hinted_at(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)  # the other one tells, or nothing does
        self.store = await self.started()
        other = await self.started()
        inbox, updates = await self.inbox(), []
        end = inbox.watch(updates.append)
        began = time.monotonic()
        for _ in range(3):
            count = len(updates)
            await other.deliver(SMALL, [TO_ALICE])
            await self.eventually(lambda count=count: len(updates) > count)
            self.assertEqual(updates[-1], (await inbox.status()).modseq)
        self.assertLess(time.monotonic() - began, 3)
        end()
        count = len(updates)
        await other.deliver(SMALL, [TO_ALICE])
        self.assertEqual(len(updates), count)

    async def test_what_another_process_has_changed_is_seen_at_once(self):
        """What is remembered of a mailbox counts only while no other process has the store open."""
        inbox = await self.inbox()
        before = await inbox.status()
        for _ in range(2):
            other = SQLiteStore(self.folder, reactor=reactor)
            await other.start()
            for _ in range(2):
                await other.deliver(SMALL, [TO_ALICE])
                after = await inbox.status()
                self.assertEqual(after.messages, before.messages + 1)
                self.assertEqual(len((await inbox.changes_since(before.modseq)).changed), 1)
                before = after
            await other.stop()

    async def test_what_a_process_that_has_ended_has_changed_is_seen(self):
        """Nobody watches the mailbox, and nobody asked while the other process had the store open."""
        inbox = await self.inbox()
        await self.eventually(lambda: self.store._database._peers.alone_since())
        for count in range(1, 3):
            before = await inbox.status()
            await inbox.changes_since(before.modseq)
            other = SQLiteStore(self.folder, reactor=reactor)
            await other.start()
            await other.deliver(SMALL, [TO_ALICE])
            await other.stop()
            self.assertEqual((await inbox.status()).messages, count)
            self.assertEqual(len((await inbox.changes_since(before.modseq)).changed), 1)

    async def committed(self, inbox):
        """Deliver a message; return when it is in the database, before the reactor has heard of it."""
        before = await inbox.status()
        await inbox.changes_since(before.modseq)
        database, held = self.store._database, []
        deliver = database.writer._deliver
        self.patch(database.writer, "_deliver", lambda *given: held.append(given))
        delivery = ensureDeferred(self.store.deliver(SMALL, [TO_ALICE]))
        await self.eventually(lambda: bool(held))

        def hear():
            database.writer._deliver = deliver
            for given in held:
                deliver(*given)
            return delivery

        self.addCleanup(hear)
        return before

    async def test_what_is_claimed_is_seen(self):
        """Who claims a message, and does not see it, would not tell of it as recent later."""
        inbox = await self.inbox()
        await self.eventually(lambda: self.store._database._peers.alone_since())
        before = await self.committed(inbox)
        self.assertEqual(await inbox.claim_recent(), range(1, 2))
        changes = await inbox.changes_since(before.modseq)
        self.assertEqual(list(changes.changed.uids), [1])

    async def test_the_status_is_as_new_as_the_changes(self):
        inbox = await self.inbox()
        await self.eventually(lambda: self.store._database._peers.alone_since())
        await self.committed(inbox)
        changes = await inbox.changes_since(0)
        status = await inbox.status()
        self.assertEqual((list(changes.changed.uids), status.recent), ([1], 1))
        self.assertEqual(status.modseq, changes.modseq)

    async def test_what_is_remembered_of_a_mailbox(self):
        inbox = await self.inbox()
        await self.eventually(lambda: self.store._database._peers.alone_since())
        reads = []
        read = _reading.statuses
        self.patch(_known, "statuses", lambda *given: reads.append(given) or read(*given))
        for _ in range(3):
            await self.store.deliver(SMALL, [TO_ALICE])
            self.assertEqual((await inbox.status()).recent, 1)
            await inbox.claim_recent()
            self.assertEqual((await inbox.status()).recent, 0)
            reads.clear()
            for _ in range(5):
                await inbox.status()
            self.assertLess(len(reads), 3)

    async def test_what_is_remembered_of_an_account(self):
        """Until something is changed, a session that begins reads nothing."""
        await self.eventually(lambda: self.store._database._peers.alone_since())
        directory = self.store.directory

        async def begin():
            revisions = await directory.revisions([await directory.find(ALICE.upper())])
            inbox = await self.inbox()
            inbox.watch(lambda _: None)()
            return await directory.password_hash(ALICE), revisions[ALICE], inbox

        _, revision, inbox = await begin()
        self.assertEqual(inbox, await self.inbox())
        reads, database = [], self.store._database
        read = database.read
        self.patch(database.known, "_read", lambda *given: reads.append(given[0]) or read(*given))
        for number in range(3):
            await begin()
            self.assertEqual(reads, [])
            await directory.set_password_hash(ALICE, f"another {number}")
            changed, later, _ = await begin()
            self.assertEqual(changed, f"another {number}")
            self.assertGreater(later, revision)
            reads.clear()
        await (await self.store.account(ALICE)).rename("Sent", "Old")
        await self.assertFailure(
            ensureDeferred((await self.store.account(ALICE)).open("Sent")), NoSuchMailbox
        )
        other = await self.started()
        await other.directory.set_password_hash(ALICE, "elsewhere")
        self.assertEqual((await begin())[0], "elsewhere")
        await other.directory.delete(ALICE)
        await self.assertFailure(ensureDeferred(directory.find(ALICE)), NoSuchAccount)
        self.assertEqual(await directory.revisions([ALICE]), {})

    async def test_the_directory_is_hinted_at_as_well(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)
        self.store = await self.started()
        other, heard = await self.started(), []
        self.store.directory.watch(lambda: heard.append("a hint"))
        await other.directory.set_password_hash(ALICE, "another")
        await self.eventually(lambda: bool(heard))

    async def test_whatever_moves_in_an_account_is_hinted_at(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)
        self.store = await self.started()
        other = await self.started()
        there, told = await other.account(ALICE), []
        (await self.store.account(ALICE)).watch(told.append)

        async def in_mailbox(name):
            await (await there.open(name)).append([NewMessage(SMALL)])

        for change in (
            lambda: other.deliver(SMALL, [TO_ALICE]),
            lambda: in_mailbox("Sent"),
            lambda: there.annotate("Sent", {"/shared/color": b"red"}),
            lambda: there.set_acl("Sent", "anyone", "lr"),
            lambda: there.create("new"),
            lambda: there.rename("new", "newer"),
            lambda: there.subscribe("newer"),
            lambda: there.unsubscribe("newer"),
            lambda: there.delete("newer"),
            lambda: other.directory.delete(ALICE),
        ):
            last = max(told, default=0)
            await change()
            await self.eventually(lambda last=last: max(told, default=0) > last)

    async def test_what_anyone_sees_in_another_process_is_told(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)
        self.store = await self.started()
        other = await self.started()
        await other.directory.add("bob@example.org", "hash")
        bob, here = await other.account("bob@example.org"), await self.store.account(ALICE)
        told = []
        here.watch(told.append)
        before = await here.mailbox_changes(0)
        for rights in ("lr", ""):
            await bob.set_acl("Sent", "anyone", rights)
            await self.eventually(lambda before=before: max(told, default=0) > before.modseq)
            before = await here.mailbox_changes(before.modseq)
            self.assertTrue(before.list_changed)

    async def test_what_anyone_sees_is_written_for_those_only_who_watch(self):
        await self.store.directory.add("bob@example.org", "hash")
        here, bob = await self.store.account(ALICE), await self.store.account("bob@example.org")
        before = (await here.mailbox_changes(0)).modseq
        await bob.set_acl("Sent", "anyone", "lr")
        await self.store.deliver(SMALL, [TO_BOB])
        self.assertEqual((await here.mailbox_changes(0)).modseq, before)

    async def test_what_another_process_changed_is_told(self):
        """Limits, rights and annotations are the store's, not a process's."""
        other = await self.started()
        await self.store.directory.add("bob@example.org", "hash")
        here = await self.store.account(ALICE)
        before = (await here.mailbox_changes(0)).modseq
        there = await other.account(ALICE)
        await there.annotate("Sent", {"/shared/color": b"red"})
        await other.deliver(SMALL, [TO_ALICE])
        changes = await here.mailbox_changes(before)
        self.assertEqual(
            (set(changes.statuses), changes.annotations), ({"INBOX", "Sent"}, {"Sent": ["/shared/color"]})
        )
        await other.set_default_limits(QuotaLimits(messages=1))
        [outcome] = await self.store.deliver(SMALL, [TO_ALICE])
        self.assertIsInstance(outcome, OverQuota)
        bob = await self.store.account("bob@example.org")
        await there.set_acl("INBOX", "bob@example.org", "lr")
        shared = await bob.open(f"user/{ALICE}/INBOX")
        self.assertEqual((await shared.status()).messages, 1)
        await there.set_acl("INBOX", "bob@example.org", "")
        with self.assertRaises(NoSuchMailbox):
            await shared.status()

    async def test_what_is_recent_is_claimed_by_one_process(self):
        """Both ask before either's claim is committed, so that only the transaction can say whose it is."""
        other = await self.started()
        mailboxes = [await self.inbox(), await (await other.account(ALICE)).open("INBOX")]
        for last in range(2, 12, 2):
            await mailboxes[0].append([NewMessage(SMALL)] * 2)
            both = [ensureDeferred(mailbox.claim_recent()) for mailbox in mailboxes]
            claimed = sorted([await each for each in both], key=len)
            self.assertEqual([list(each) for each in claimed], [[], [last - 1, last]])
            for mailbox in mailboxes:
                self.assertEqual((await mailbox.status()).recent, 0)

    async def test_who_claims_later_gets_what_came_between(self):
        other = await self.started()
        one, two = await self.inbox(), await (await other.account(ALICE)).open("INBOX")
        await one.append([NewMessage(SMALL)] * 2)
        first = ensureDeferred(one.claim_recent())
        await two.append([NewMessage(SMALL)] * 3)
        second = await two.claim_recent()
        self.assertEqual([list(await first), list(second)], [[1, 2], [3, 4, 5]])

    async def test_what_another_process_deletes_is_hinted_at(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)
        self.store = await self.started()
        other, told = await self.started(), []
        account = await self.store.account(ALICE)
        (await account.open("Sent")).watch(told.append)
        await (await other.account(ALICE)).delete("Sent")
        await self.eventually(lambda: bool(told))
        (await account.open("Junk")).watch(told.append)
        count = len(told)
        await other.directory.delete(ALICE)
        await self.eventually(lambda: len(told) > count)

    async def test_a_process_that_cannot_be_told_looks_often(self):
        class Socket(socket.socket):
            def bind(self, address):
                raise OSError("no sockets here")

        self.patch(socket, "socket", Socket)
        self.store = await self.started()
        self.patch(socket, "socket", Socket.__base__)
        other, updates = await self.started(), []
        (await self.inbox()).watch(updates.append)
        await other.deliver(SMALL, [TO_ALICE])
        await self.eventually(lambda: bool(updates))

    async def test_a_path_that_is_long_for_a_socket(self):
        self.patch(_hints, "LOOK_INTERVAL", 60)
        self.folder = os.path.join(self.folder, "x" * 120)
        self.store, other = await self.started(), await self.started()
        await self.store.directory.add(ALICE, "hash")
        updates = []
        (await self.inbox()).watch(updates.append)
        await other.deliver(SMALL, [TO_ALICE])
        await self.eventually(lambda: bool(updates))

    async def test_sockets_of_killed_processes_go(self):
        folder = self.store.path + "-peers"
        [own] = os.listdir(folder)
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        dead.bind(f"/proc/self/fd/{(descriptor := os.open(folder, os.O_RDONLY))}/dead")
        dead.close()
        os.close(descriptor)
        await self.store.deliver(SMALL, [TO_ALICE])
        await self.eventually(lambda: os.listdir(folder) == [own])
        await self.store.stop()
        self.assertEqual(os.listdir(folder), [])

    async def test_a_clock_that_is_set_back_delays_no_hint(self):
        self.store = await self.started()
        inbox, updates, other = await self.inbox(), [], await self.started()
        inbox.watch(updates.append)
        back = time.time() - 36_000
        self.patch(time, "time", lambda: back)
        self.patch(reactor, "seconds", lambda: back)
        for count in range(3):
            await other.deliver(SMALL, [TO_ALICE])
            end = time.monotonic() + 5
            while len(updates) <= count and time.monotonic() < end:
                await self.store._database.pause()
            self.assertGreater(len(updates), count)

    async def hints_of_two(self, between):
        """What is heard in a look at one mailbox at a time, when ``between`` comes after the first."""
        self.patch(_hints, "AT_ONCE", 1)
        other = await self.started()
        await self.store.directory.add("bob@example.org", "hash")
        heard = []

        def listen(modseq):
            heard.append("a hint")
            if len(heard) == 1:
                reactor.callFromThread(between, heard)

        for name in (ALICE, "bob@example.org"):
            (await (await self.store.account(name)).open("INBOX")).watch(listen)
        await other.deliver(SMALL, [TO_ALICE, TO_BOB])
        await self.eventually(lambda: bool(heard))
        return heard

    async def test_others_have_the_reactor_while_many_mailboxes_are_looked_at(self):
        heard = await self.hints_of_two(lambda heard: heard.append("somebody else"))
        await self.eventually(lambda: len(heard) == 3)
        self.assertEqual(heard, ["a hint", "somebody else", "a hint"])

    async def test_a_store_that_stops_meanwhile_looks_at_no_more(self):
        stopped = []
        heard = await self.hints_of_two(
            lambda heard: stopped.append(Deferred.fromCoroutine(self.store.stop()))
        )
        await self.eventually(lambda: bool(stopped))
        await stopped[0]
        self.assertEqual(heard, ["a hint"])


class PeersTests(SynchronousTestCase):
    """The processes that have a store open, as one of them sees the others."""

    def test_each_thread_sees_all_the_others(self):
        folder = self.mktemp()
        peers, other = Peers(folder), Peers(folder)
        for each in (peers, other):
            each.open()
            self.addCleanup(each.close)
        seen = set()

        def look():
            for _ in range(1000):
                peers._listed = 0  # as after a change
                seen.add(tuple(peers.others()))

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(seen, {(other.name,)})


class TurnTests(SynchronousTestCase):
    """Processes that always have something to write."""

    def test_each_has_its_turn(self):
        """Who waits is next, though who has just written asks again at once."""
        path = self.mktemp()
        both = [Peers(path + "-peers") for _ in range(2)]
        for peers in both:
            peers.open()
            self.addCleanup(peers.close)
        greedy, patient = (Turns(path, peers, 60) for peers in both)
        self.addCleanup(greedy.close)
        self.addCleanup(patient.close)
        order = []

        def write():
            with patient.turn():
                order.append("patient")
                time.sleep(0.005)
                order.append("patient is done")

        for _ in range(5):
            order.clear()
            thread = threading.Thread(target=write)
            with greedy.turn():
                thread.start()
                self.wait_until_held(path + "-next")
                self.assertEqual(order, [])
            with greedy.turn():
                order.append("greedy")
            thread.join()
            self.assertEqual(order, ["patient", "patient is done", "greedy"])

    def wait_until_held(self, path):
        """Until somebody has the lock."""
        end = time.monotonic() + 60
        with open(path, "ab") as file:
            while time.monotonic() < end:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                fcntl.flock(file, fcntl.LOCK_UN)
                time.sleep(0.001)
        self.fail("nobody waits")

    def test_a_turn_that_never_comes_is_not_waited_for(self):
        path = self.mktemp()
        first, second = Peers(path + "-peers"), Peers(path + "-peers")
        for peers in (first, second):
            peers.open()
            self.addCleanup(peers.close)
        holder, waiter = Turns(path, first, 0.05), Turns(path, second, 0.05)
        self.addCleanup(holder.close)
        self.addCleanup(waiter.close)
        with holder.turn(), waiter.turn():
            pass
        with waiter.turn():
            pass

    def test_without_locks_there_are_no_turns_and_no_failure(self):
        path = self.mktemp()
        first, second = Peers(path + "-peers"), Peers(path + "-peers")
        for peers in (first, second):
            peers.open()
            self.addCleanup(peers.close)
        os.mkdir(path + "-turn")
        done = []
        with Turns(path, first, 0.05).turn():
            done.append("written")
        self.assertEqual(done, ["written"])

    def test_a_process_alone_asks_for_no_turn(self):
        path = self.mktemp()
        peers = Peers(path + "-peers")
        peers.open()
        self.addCleanup(peers.close)
        with Turns(path, peers, 10).turn():
            pass
        self.assertFalse(os.path.exists(path + "-turn"))
