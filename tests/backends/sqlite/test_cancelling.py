"""Whoever waits for a change may give up (a delivery's time limit does); each message keeps its octets."""

import os
import sqlite3
import threading
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _bodies
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._database import DATABASE
from mailproto.content import Content
from mailproto.model import NewMessage, Part, Placement

reactor: Any = installed

ALICE = "alice@example.org"
SMALL = b"Subject: small\r\n\r\nText.\r\n"
BIG = b"Subject: big\r\n\r\n" + b"x" * LARGE


class CancellingTests(TestCase):
    async def setUp(self):
        self.folder = self.mktemp()
        self.store = SQLiteStore(self.folder, reactor=reactor)
        await self.store.start()
        self.addCleanup(self.store.stop)
        await self.store.directory.add(ALICE, "hash")
        self.inbox = await (await self.store.account(ALICE)).open("INBOX")

    def files(self):
        return os.listdir(os.path.join(self.folder, DATABASE + "-bodies"))

    def ways(self, content):
        """The ways in which a message is stored."""
        yield lambda: self.store.deliver(content, [Placement(ALICE)])
        yield lambda: Deferred.fromCoroutine(self.inbox.append([NewMessage(content)]))

    async def give_up(self, storing):
        storing.cancel()
        try:
            await storing
        except CancelledError:
            return
        raise AssertionError("it went on")

    async def held_writer(self):
        """Keep the writer busy until the result is set."""
        begun, gate = Deferred(), threading.Event()
        self.store._database.writer.run(
            lambda transaction: (reactor.callFromThread(begun.callback, None), gate.wait(5))
        )
        await begun
        return gate

    async def messages(self):
        """All messages can be read; there is no file that none has."""
        await self.store._database.writer.run(lambda transaction: None)
        infos = await self.inbox.read(range(1, 100), Part.CONTENT)
        for info in infos:
            self.assertIn(bytes(info.content), (SMALL, BIG))
        with sqlite3.connect(os.path.join(self.folder, DATABASE)) as connection:
            rows = connection.execute("SELECT file FROM bodies WHERE file IS NOT NULL").fetchall()
        connection.close()
        self.assertEqual(sorted(self.files()), sorted(file for (file,) in rows))
        return len(infos)

    async def test_while_the_writer_is_busy(self):
        """The message is there, and can be read, or it is not there."""
        for content in (BIG, SMALL):
            for store in self.ways(content):
                gate = await self.held_writer()
                storing = store()
                await deferLater(reactor, 0.1)
                await self.give_up(storing)
                gate.set()
                await deferLater(reactor, 0.05)
                await self.messages()

    async def test_a_small_one_whose_turn_has_not_come_is_not_stored(self):
        gate = await self.held_writer()
        for store in self.ways(SMALL):
            await self.give_up(store())
        gate.set()
        self.assertEqual(await self.messages(), 0)

    async def test_while_the_file_is_written(self):
        """It is not stored, and nothing of it stays."""
        written, gate = threading.Event(), threading.Event()
        write = _bodies._write_synced

        def slow(*arguments):
            written.set()
            gate.wait(5)
            write(*arguments)

        self.patch(_bodies, "_write_synced", slow)
        for store in self.ways(BIG):
            storing = store()
            written.wait(5)
            await self.give_up(storing)
            gate.set()
            while self.store._database._underway:
                await deferLater(reactor, 0.01)
            self.assertEqual(await self.messages(), 0)
            written.clear()
            gate.clear()

    async def test_content_that_is_closed_while_it_is_written(self):
        """As a server does when the delivery is over."""
        content = Content(BIG)
        write = _bodies._write_synced

        def slow(path, content):
            with open(path + ".part", "wb"):
                content.close()
            os.unlink(path + ".part")
            write(path, content)

        self.patch(_bodies, "_write_synced", slow)
        await self.assertFailure(self.store.deliver(content, [Placement(ALICE)]), ValueError)
        self.assertEqual(self.files(), [])

    async def test_stopping_waits_for_it(self):
        gate = await self.held_writer()
        storing = self.store.deliver(BIG, [Placement(ALICE)])
        await deferLater(reactor, 0.1)
        await self.give_up(storing)
        stopped = Deferred.fromCoroutine(self.store.stop())
        self.assertNoResult(stopped)
        gate.set()
        await stopped


class TurnTests(TestCase):
    inbox: Any
    setUp = CancellingTests.setUp

    async def test_others_have_their_turn_while_many_messages_are_taken_apart(self):
        turns, is_over = [], []

        def turn():
            turns.append(None)
            if not is_over:
                reactor.callLater(0, turn)

        reactor.callLater(0, turn)
        found = await self.inbox._put(
            self.inbox._id, [NewMessage(SMALL)] * 1000, lambda append, weight: succeed(len(append.arrivals))
        )
        is_over.append(None)
        self.assertEqual(found, 1000)
        self.assertGreater(len(turns), 4)
