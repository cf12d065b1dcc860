"""`IMAPClient` with Dovecot: over the standard input of its program, and over TCP with each mechanism."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import ProcessEndpoint
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.auth import Password, Token
from mailproto.client import ServerAddress
from mailproto.client.errors import AuthenticationRefused
from mailproto.imap import IMAPClient
from mailproto.imap.values import Exists, KnownMailbox, Query
from mailproto.model import NewMessage
from tests.imap.client.test_with_our_server import MIXED
from tests.interop.daemons import PASSWORD, bearer_token, dovecot, dovecot_pop3
from tests.interop.test_message_dovecot import NOBODY, PROGRAM


class DovecotCase(TestCase):
    """Has Dovecot's IMAP program with a folder of mail."""

    timeout = 60

    def setUp(self) -> None:
        if not Path(PROGRAM).exists():
            raise SkipTest("needs Dovecot's IMAP program: install the Debian package dovecot-imapd")
        self.folder = Path(tempfile.mkdtemp(prefix="mailproto-dovecot-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "dovecot.conf").write_text(
            f"log_path = {self.folder}/log\nmail_location = maildir:{self.folder}/mail\nssl = no\n"
        )
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:  # Dovecot gives root no mail
            self.user = {"uid": NOBODY, "gid": NOBODY}
            os.chown(self.folder, NOBODY, NOBODY)

    async def connect(self) -> IMAPClient:
        endpoint = ProcessEndpoint(
            reactor,
            PROGRAM,
            [PROGRAM, "-c", str(self.folder / "dovecot.conf")],
            {"HOME": str(self.folder), "USER": "nobody"},
            **self.user,
        )
        client = await IMAPClient.connect(reactor, endpoint)
        self.addCleanup(client.quit)
        self.assertEqual(client.authenticated_by, "PREAUTH")
        return client


class DovecotTests(DovecotCase):
    def test_dialogue(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._dialogue())

    async def _dialogue(self) -> None:
        client = await self.connect()
        self.assertEqual(await client.name_of("Entwürfe & mehr", "x"), "Entwürfe & mehr.x")
        await client.create("Entwürfe & mehr")
        listed = {each.name: each for each in await client.list(status=["MESSAGES"])}
        self.assertEqual(listed["Entwürfe & mehr"].counts.messages, 0)  # type: ignore[union-attr]

        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 60_000
        appended = await client.append(
            "INBOX", NewMessage(MIXED, frozenset({"\\Seen", "$Kept"}), 1_000_000_000), large, *[MIXED] * 20
        )
        self.assertEqual(appended.uids, tuple(range(1, 23)))
        await client.enable("QRESYNC")
        box = await client.select("INBOX")
        self.assertEqual((box.exists, box.uid_validity), (22, appended.uid_validity))

        items = ("FLAGS", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
        messages = await client.fetch("1:*", *items).all()
        self.assertEqual([each.uid for each in messages], list(appended.uids))
        self.assertEqual(messages[0].content, MIXED)
        self.assertEqual(messages[1].content, large)
        self.assertEqual(messages[0].flags - {"\\Recent"}, {"\\Seen", "$Kept"})
        self.assertEqual(messages[0].envelope.subject, "Äpfel")  # type: ignore[union-attr]
        self.assertEqual(messages[0].internal_date.timestamp(), 1_000_000_000)  # type: ignore[union-attr]
        part = await client.part(1)
        self.assertEqual(part.text if part else "", "Grüße")
        self.assertEqual(part.structure.encoding if part else "", "binary")  # Dovecot has decoded it

        self.assertEqual((await client.search(Query.subject("Äpfel") & Query.seen())).uids, [1])
        self.assertEqual((await client.search('SUBJECT "large"')).uids, [2])
        self.assertEqual((await client.sort("REVERSE SIZE", "1:2"))[0], 2)
        self.assertEqual(len(await client.thread("REFERENCES")), 2)
        self.assertEqual(await client.sort("SIZE", partial=(22, 30)), [2])
        searches = [client.search(f"UID {uid}") for uid in (1, 2, 3)]
        self.assertEqual([list(await each) for each in searches], [[1], [2], [3]])
        saving = client.search("LARGER 100000", save=True)
        self.assertEqual([each.uid for each in await client.fetch("$", "FLAGS").all()], [2])
        self.assertEqual([each.uid for each in await client.fetch("1:*", partial=(-1, -2)).all()], [21, 22])
        self.assertEqual((await saving).uids, [2])
        stored = await client.store([1, 2], add={"\\Flagged"}, unchanged_since=box.modseq or 1)
        self.assertEqual(stored.refused, [])
        copied = await client.copy([3, 4], "Entwürfe & mehr")
        moved = await client.move("5:6", "Entwürfe & mehr")
        self.assertEqual([*copied, *moved], [(3, 1), (4, 2), (5, 3), (6, 4)])
        await client.store([7], add={"\\Deleted"})
        await client.expunge([7, 8])
        self.assertEqual(client.exists, 19)

        await client.unselect()
        again = await client.select(
            "INBOX", known=KnownMailbox(box.uid_validity, box.modseq or 1, "1:22", True)
        )
        self.assertEqual(again.vanished, [5, 6, 7])
        self.assertEqual({each.uid for each in again.changed} & {1, 2}, {1, 2})

    def test_idle(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._idle())

    async def _idle(self) -> None:
        client, other = await self.connect(), await self.connect()
        await client.select("INBOX")
        events = client.idle()
        waiting = Deferred.fromCoroutine(events.__anext__())
        await other.append("INBOX", MIXED)
        # Dovecot tells it after a moment; NOOP ends IDLE, and asks.
        await client.noop()
        self.assertEqual(await waiting, Exists(1))
        events.close()

    def test_signing_in(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._signing_in())

    async def _signing_in(self) -> None:
        port = int((dovecot().folder / "imap_port").read_text())
        for mechanism in (
            "PLAIN",
            "LOGIN",
            "CRAM-MD5",
            "SCRAM-SHA-1",
            "SCRAM-SHA-256",
            "OAUTHBEARER",
            "XOAUTH2",
        ):
            is_token = mechanism in ("OAUTHBEARER", "XOAUTH2")
            credentials = Token("alice", bearer_token("alice")) if is_token else Password("alice", PASSWORD)
            client = await IMAPClient.open(reactor, ServerAddress("127.0.0.1", port, tls="none"))
            self.assertEqual(await client.authenticate(credentials, mechanism=mechanism), mechanism)
            self.assertIn("IDLE", client.capabilities)
            await client.quit()
        server = ServerAddress("127.0.0.1", port, tls="none", credentials=Password("alice", "wrong"))
        await self.assertFailure(
            Deferred.fromCoroutine(IMAPClient.open(reactor, server)), AuthenticationRefused
        )

    def test_starttls(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._starttls())

    async def _starttls(self) -> None:
        daemon = dovecot_pop3()
        port = int((daemon.folder / "imap_port").read_text())
        server = ServerAddress(
            "localhost",
            port,
            tls="required",
            credentials=Password("carol", PASSWORD),
            trust_root=daemon.folder / "tls-cert.pem",
        )
        client = await IMAPClient.open(reactor, server)
        self.addCleanup(client.quit)
        self.assertTrue(client.is_verified)
        self.assertEqual(client.authenticated_by, "SCRAM-SHA-256")
        appended = await client.append("INBOX", MIXED)
        await client.select("INBOX")
        self.assertEqual((await client.fetch(appended.uids, "BODY.PEEK[]").all())[0].content, MIXED)
