"""Accounts on Dovecot, served by our IMAP and POP3 servers, and while other clients change them."""

from __future__ import annotations

import imaplib
import poplib
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.auth import Password
from mailproto.backends.remote import RemoteAccount, remote_portal
from mailproto.client import ServerAddress
from mailproto.imap import IMAPClient, IMAPServerFactory
from mailproto.interfaces.add_ons import IFinding
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part
from mailproto.pop3 import POP3ServerFactory
from mailproto.testing import running_server
from tests.imap.client.test_with_our_server import MIXED
from tests.interop.daemons import PASSWORD, dovecot

reactor: Any = installed


class DovecotTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        port = int((dovecot().folder / "imap_port").read_text())
        self.server = ServerAddress("127.0.0.1", port, tls="none")

    def open(self) -> Deferred[IMAPClient]:
        server = ServerAddress(
            "127.0.0.1", self.server.port, tls="none", credentials=Password("carol", PASSWORD)
        )
        return Deferred.fromCoroutine(IMAPClient.open(reactor, server))

    async def test_served_by_imap_and_pop3(self) -> None:
        portal = remote_portal(self.server, reactor, finds_there=True, add_ons=[IFinding])
        async with running_server(IMAPServerFactory(portal), POP3ServerFactory(portal)) as server:
            await deferToThread(self.use, *server.ports)
        await deferLater(reactor, 0.2)  # until the proxy has signed out

    def use(self, imap_port: int, pop3_port: int) -> None:
        imap = imaplib.IMAP4("127.0.0.1", imap_port)
        imap.login("carol", PASSWORD)
        if imap.select("INBOX")[1] != [b"0"]:  # from other tests
            imap.store("1:*", "+FLAGS", "\\Deleted")
        imap.close()
        self.assertEqual(imap.create("Projects/deep")[0], "OK")
        for octets in (MIXED, b"Subject: two\r\n\r\nText.\r\n"):
            self.assertEqual(imap.append("INBOX", "(\\Flagged $Kept)", "", octets)[0], "OK")
        self.assertEqual(imap.select("INBOX"), ("OK", [b"2"]))
        parts = imap.fetch("1", "(FLAGS ENVELOPE BODY.PEEK[1.1])")[1]
        fetched = b"".join(each for part in parts for each in (part if isinstance(part, tuple) else (part,)))
        self.assertIn(b"Gr=FC=DF", fetched)
        self.assertEqual(imap.search(None, "SUBJECT", "two"), ("OK", [b"2"]))
        self.assertEqual(imap.sort("SIZE", "UTF-8", "ALL"), ("OK", [b"2 1"]))
        self.assertEqual(imap.thread("REFERENCES", "UTF-8", "2"), ("OK", [b"(2)"]))
        self.assertEqual(imap.copy("1", "Projects/deep")[0], "OK")
        self.assertEqual(imap.store("1", "+FLAGS", "\\Deleted")[0], "OK")
        self.assertEqual(imap.expunge(), ("OK", [b"1"]))
        self.assertEqual(
            imap.status("Projects/deep", "(MESSAGES UNSEEN)")[1], [b"Projects/deep (MESSAGES 1 UNSEEN 1)"]
        )
        self.assertEqual(imap.delete("none")[0], "NO")
        pop3 = poplib.POP3("127.0.0.1", pop3_port)
        pop3.user("carol")
        pop3.pass_(PASSWORD)
        self.assertEqual(pop3.stat(), (1, len(b"Subject: two\r\n\r\nText.\r\n")))
        self.assertEqual(pop3.retr(1)[1], [b"Subject: two", b"", b"Text."])
        pop3.dele(1)
        pop3.quit()
        self.assertEqual(imap.noop()[0], "OK")
        self.assertEqual(imap.status("INBOX", "(MESSAGES)")[1], [b"INBOX (MESSAGES 0)"])
        imap.logout()

    async def test_what_another_client_does_is_seen(self) -> None:
        account = RemoteAccount("carol", reactor, self.open, poll=600)
        self.addCleanup(account.close)
        await account.create("watched")
        inbox = await account.open("watched")
        told: list[int] = []
        self.addCleanup(inbox.watch(told.append))
        before = (await inbox.status()).modseq
        await deferLater(reactor, 0.3)  # until it idles
        other = await self.open()
        self.addCleanup(other.quit)
        await other.append("watched", MIXED, MIXED)
        await self.until(lambda: bool(told))
        changes = await inbox.changes_since(before)
        self.assertEqual([each.uid for each in changes.changed], [1, 2])
        await other.select("watched")
        await other.store(1, add={"\\Deleted"})
        await other.expunge()
        await self.until(lambda: told[-1] > changes.modseq)
        while not (later := await inbox.changes_since(changes.modseq)).vanished:
            await deferLater(reactor, 0.05)
        self.assertEqual(list(later.vanished), [1])
        [appended] = await inbox.append([NewMessage(MIXED)])
        result = await inbox.store(
            [2, appended.uid], FlagChange(FlagOperation.ADD, frozenset({"Label"})), appended.modseq
        )
        self.assertEqual([each.uid for each in result.changed], [2, appended.uid])
        again = await inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({"Other"})), appended.modseq)
        self.assertEqual((list(again.changed), list(again.refused)), ([], [2]))
        [info] = await inbox.read([2], Part.ENVELOPE | Part.BODY_STRUCTURE | Part.SIZE)
        self.assertIn(b"aenne", info.envelope or b"")
        self.assertEqual(info.size, len(MIXED))

    async def until(self, holds: Any) -> None:
        while not holds():
            await deferLater(reactor, 0.02)
