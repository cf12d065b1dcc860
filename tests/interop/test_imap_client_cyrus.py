"""`IMAPClient` with Cyrus."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.auth import Password
from mailproto.client import ServerAddress
from mailproto.imap import IMAPClient
from mailproto.imap.values import Exists, KnownMailbox, Query
from mailproto.model import NewMessage
from tests.imap.client.test_with_our_server import MIXED
from tests.interop.daemons import PASSWORD, cyrus


class CyrusTests(TestCase):
    timeout = 60

    async def connect(self, name: str = "") -> IMAPClient:
        credentials = Password(name or self.user, PASSWORD)
        server = ServerAddress("127.0.0.1", cyrus().port, tls="none", credentials=credentials)
        client = await IMAPClient.open(reactor, server)
        self.addCleanup(client.quit)
        return client

    async def account(self, name: str) -> None:
        self.user = name
        admin = await self.connect("admin")
        await admin.create(f"user/{name}")

    async def test_dialogue(self) -> None:
        await self.account("alice")
        client = await self.connect()
        self.assertEqual(client.authenticated_by, "PLAIN")
        await client.create("Entwürfe & mehr", special_use="\\Drafts")
        listed = {each.name: each for each in await client.list(status=["MESSAGES"])}
        self.assertEqual(listed["Entwürfe & mehr"].counts.messages, 0)  # type: ignore[union-attr]
        self.assertEqual(listed["Entwürfe & mehr"].special_use, {"\\Drafts"})

        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 60_000
        first = NewMessage(MIXED, frozenset({"\\Seen", "$Kept"}), 1_000_000_000)
        appended = await client.append("INBOX", first, large, *[MIXED] * 20)
        self.assertEqual(appended.uids, tuple(range(1, 23)))
        await client.enable("QRESYNC")
        box = await client.select("INBOX")
        self.assertEqual((box.exists, box.uid_validity), (22, appended.uid_validity))

        items = ("FLAGS", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
        messages = await client.fetch("1:*", *items).all()
        self.assertEqual([each.uid for each in messages], list(appended.uids))
        self.assertEqual((messages[0].content, messages[1].content), (MIXED, large))
        self.assertEqual(messages[0].flags - {"\\Recent"}, {"\\Seen", "$Kept"})
        self.assertEqual(messages[0].envelope.subject, "Äpfel")  # type: ignore[union-attr]
        self.assertEqual(messages[0].internal_date.timestamp(), 1_000_000_000)  # type: ignore[union-attr]
        part = await client.part(1)
        self.assertEqual(part.text if part else "", "Grüße")

        self.assertEqual((await client.search(Query.subject("Äpfel") & Query.seen())).uids, [1])
        self.assertEqual((await client.sort("REVERSE SIZE", "1:2"))[0], 2)
        self.assertEqual(len(await client.thread("REFERENCES")), 2)
        stored = await client.store([1, 2], add={"\\Flagged"}, unchanged_since=box.modseq or 1)
        self.assertEqual(stored.refused, [])
        copied = await client.copy([3, 4], "Entwürfe & mehr")
        moved = await client.move("5:6", "Entwürfe & mehr")
        self.assertEqual([*copied, *moved], [(3, 1), (4, 2), (5, 3), (6, 4)])
        await client.store([7], add={"\\Deleted"})
        await client.expunge([7, 8])
        self.assertEqual(client.exists, 19)

        await client.unselect()
        again = await client.select("INBOX", known=KnownMailbox(box.uid_validity, box.modseq or 1, "1:22"))
        self.assertEqual(again.vanished, [5, 6, 7])
        self.assertEqual({each.uid for each in again.changed} & {1, 2}, {1, 2})

        await client.set_metadata("INBOX", {"/private/comment": "ä\r\n".encode()})
        told = await client.metadata("INBOX", "/private/comment")
        self.assertEqual(told["/private/comment"], "ä\r\n".encode())
        self.assertIn("lrswi", await client.my_rights("INBOX"))
        [inbox] = await client.list("INBOX", rights=True, metadata=["/private/comment"])
        self.assertEqual(inbox.rights, await client.my_rights("INBOX"))
        self.assertEqual(inbox.metadata, {"/private/comment": "ä\r\n".encode()})
        await client.compress()
        self.assertEqual((await client.fetch(2, "BODY.PEEK[]").all())[0].content, large)

    async def test_idle(self) -> None:
        await self.account("carol")
        client, other = await self.connect(), await self.connect()
        await client.select("INBOX")
        events = client.idle()
        waiting = Deferred.fromCoroutine(events.__anext__())
        await other.append("INBOX", MIXED)
        await client.noop()
        self.assertEqual(await waiting, Exists(1))
        events.close()
