"""The catch-all: one account gets everything, and shows who it was for."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.delivery import CatchAllDelivery
from mailproto.interfaces import IDelivery, IOwnership
from mailproto.model import Part
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import Dialogue

ACCOUNT = "dev@localhost"


class CatchAllCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.delivery = CatchAllDelivery(self.store, ACCOUNT)

    def result(self, coroutine: object) -> object:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))  # type: ignore[arg-type]

    def messages(self) -> list[bytes]:
        async def read() -> list[bytes]:
            mailbox = await (await self.store.account(ACCOUNT)).open("INBOX")
            uids = [message.uid for message in (await mailbox.changes_since(0)).changed]
            return [bytes(message.content or b"") for message in await mailbox.read(uids, Part.CONTENT)]

        return self.result(read())  # type: ignore[return-value]


class CatchAllTests(CatchAllCase):
    def test_everything_arrives_once(self) -> None:
        self.result(self.store.directory.add("alice@localhost", ""))
        server = LMTPServerFactory(self.delivery, clock=self.clock, hostname="mail.example.org")
        Dialogue(server, clock=self.clock).play(
            """
            S: 220 ...
            C: LHLO client.example
            S*: 250-...
            S: 250 ...
            C: MAIL FROM:<>
            S: 250 ...
            C: RCPT TO:<alice@localhost>
            S: 250 ...
            C: RCPT TO:<"b c"@nowhere.example>
            S: 250 ...
            C: RCPT TO:<Postmaster>
            S: 250 ...
            C: DATA
            S: 354 ...
            C: Return-Path: <forged@x.example>
            C: Subject: hello
            C:
            C: It works.
            C: .
            S: 250 2.0.0 ...
            S: 250 2.0.0 ...
            S: 250 2.0.0 ...
            """
        )
        (message,) = self.messages()
        self.assertEqual(
            message[: message.index(b"Received:")],
            b"Return-Path: <>\r\n"
            b"X-Original-To: alice@localhost\r\n"
            b'X-Original-To: "b c"@nowhere.example\r\n'
            b"X-Original-To: Postmaster\r\n",
        )
        self.assertTrue(message.endswith(b"\r\nSubject: hello\r\n\r\nIt works.\r\n"))
        self.assertNotIn(b"forged", message)

    def test_contracts(self) -> None:
        self.assertTrue(IDelivery.providedBy(self.delivery))
        self.assertTrue(IOwnership.providedBy(self.delivery))
        self.assertTrue(self.result(self.delivery.owns("a@x.example", None)))  # type: ignore[arg-type]

    def test_the_account_is_made_once_and_kept(self) -> None:
        self.assertEqual(self.result(self.delivery.ensure_account()), ACCOUNT)
        self.result(self.store.directory.set_password_hash(ACCOUNT, "record"))
        other = CatchAllDelivery(self.store, "DEV@Localhost")
        self.assertEqual(self.result(other.ensure_account()), ACCOUNT)
        self.assertEqual(self.result(self.store.directory.password_hash(ACCOUNT)), "record")
        self.assertEqual(list(self.result(self.store.directory.names())), [ACCOUNT])  # type: ignore[call-overload]
