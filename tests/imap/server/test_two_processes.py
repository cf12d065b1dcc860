"""Clients of two processes with one SQLite store: what one does while the other has not been told of it."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.auth import StoreRealm
from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._hints import Hints
from mailproto.imap import IMAPServerFactory
from mailproto.model import NewMessage
from mailproto.testing import LOOPBACK, MemoryTransport
from mailproto.testing._fixture import StoreFixture
from tests.auth.exchanges import WITH_CRAM

reactor: Any = installed

TEXT = b"Subject: x\r\n\r\nx\r\n"


class QResyncTests(TestCase):
    """RFC 7162 3.2: a client that comes back is told of all that was removed while it did not hear of it."""

    eventually = StoreFixture.eventually

    async def setUp(self) -> None:
        self.patch(Hints, "_look", lambda hints: None)  # no process is told of another's changes
        self.folder = self.mktemp()
        self.here = await self.started()
        await self.here.directory.add("alice", "")
        self.there = await (await (await self.started()).account("alice")).open("INBOX")
        await self.there.append([NewMessage(TEXT)] * 3)
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.factory = IMAPServerFactory(Portal(StoreRealm(self.here), [checker]), mechanisms=WITH_CRAM)
        self.transport = await self.signed_in()

    async def started(self) -> SQLiteStore:
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def signed_in(self) -> MemoryTransport:
        transport = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        self.addCleanup(transport.drop)
        self.transport = transport
        await self.say("l LOGIN alice secret")
        await self.say("e ENABLE QRESYNC")
        return transport

    async def say(self, command: str) -> str:
        """Send a command, and wait for its answer."""
        self.transport.send(f"{command}\r\n".encode())
        tag, heard = command.split()[0].encode(), bytearray()

        def is_answered() -> bool:
            heard.extend(self.transport.read())
            return any(line.startswith(tag + b" ") for line in heard.splitlines())

        await self.eventually(is_answered)
        return heard.decode()

    def known(self, heard: str) -> int:
        """The modseq up to which the client takes itself to know all changes."""
        *_, last = heard.rpartition("[HIGHESTMODSEQ ")
        found = [int(part.partition(")")[0]) for part in last.split("MODSEQ (")[1:]]
        return max([int(last.partition("]")[0]), *found])

    async def come_back(self, heard: str) -> str:
        self.transport.drop()  # with no LOGOUT, and so with no news
        await self.signed_in()
        return await self.say(f"s SELECT INBOX (QRESYNC ({self.there.uid_validity} {self.known(heard)}))")

    async def test_removed_in_the_other_process(self) -> None:
        for command in (
            "a FETCH 1 (BODY[TEXT])",
            "a UID FETCH 2 (BODY[TEXT])",
            "a FETCH 3:4 (BODY[TEXT])",
            "a STORE 1 +FLAGS (\\Flagged)",
            "a STORE 1 -FLAGS.SILENT (\\Flagged)",
        ):
            [new] = await self.there.append([NewMessage(TEXT, frozenset({"\\Deleted"}))])
            heard = await self.say("s SELECT INBOX")
            await self.there.expunge()
            heard += await self.say(command)
            self.assertIn(b"* VANISHED" if "UID" in command else b"MODSEQ (", heard.encode(), command)
            if "VANISHED" not in heard:
                self.assertIn(f"* VANISHED (EARLIER) {new.uid}\r\n", await self.come_back(heard), command)
