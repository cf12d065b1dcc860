"""`connected`, `RecordingDelivery` and `make_envelope`: everything in memory."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.client.errors import AuthenticationRefused, ConnectionLost, ServiceClosing
from mailproto.content import Content
from mailproto.errors import NoSuchMailbox, RecipientUnknown, Refused
from mailproto.model import NULL_PATH, Address, Outcome, Recipient, Session
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.smtp.lmtp import LMTPClient, LMTPServerFactory
from mailproto.testing import (
    ELSEWHERE,
    LOOPBACK,
    Connected,
    RecordingDelivery,
    connected,
    make_envelope,
    wait_for_message,
)
from tests.smtp.server.dialogue import Realm

CONTENT = b"Subject: Hello\r\n\r\nIt works.\r\n"


class ConnectedTestCase(SynchronousTestCase):
    def link(self, delivery: Any = None, *, peer: str = LOOPBACK, **settings: Any) -> Connected[SMTPClient]:
        clock = Clock()
        self.inbox = RecordingDelivery() if delivery is None else delivery
        factory = SMTPServerFactory(self.inbox, clock=clock, hostname="mx.example", **settings)
        return connected(factory, SMTPClient(clock, hostname="client.example"), peer=peer)


class ConnectedTests(ConnectedTestCase):
    def test_a_message(self) -> None:
        link = self.link()
        link.result(link.client.ehlo())
        [outcome] = link.result(link.client.send("a@x.example", ["b@y.example"], CONTENT))
        self.assertTrue(outcome.accepted)
        [received] = self.inbox.messages
        self.assertEqual(received.message["Subject"], "Hello")
        self.assertEqual(received.message.get_content(), "It works.\n")
        link.result(link.client.quit())
        self.assertFalse(link.client_transport.is_open or link.server_transport.is_open)
        self.assertEqual(link.clock.getDelayedCalls(), [])

    def test_a_large_one_with_back_pressure(self) -> None:
        link = self.link()
        link.result(link.client.ehlo())
        content = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 100_000
        [outcome] = link.result(link.client.send("a@x.example", ["b@y.example"], content))
        self.assertTrue(outcome.accepted)
        self.assertTrue(self.inbox.messages[0].content.endswith(content))

    def test_the_greeting_has_been_read(self) -> None:
        self.assertIn("mx.example", str(self.link().client.greeting))

    def test_errors_are_raised(self) -> None:
        link = self.link(portal=Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")]))
        link.result(link.client.ehlo())
        with self.assertRaises(AuthenticationRefused):
            link.result(link.client.authenticate(Password("alice", "x")), after=1.5)
        link.result(link.client.authenticate(Password("alice", "secret")))
        self.assertEqual(link.server.account, "alice")

    def test_either_end_is_lost(self) -> None:
        link = self.link()
        link.server_transport.drop()
        self.assertRaises(ConnectionLost, link.result, link.client.ehlo())
        link = self.link()
        link.client.abort()
        link.pump()
        self.assertFalse(link.server_transport.is_open)

    def test_time(self) -> None:
        link = self.link(peer=ELSEWHERE)
        error = self.assertRaises(AssertionError, link.result, link.client.greeted())
        self.assertIn("due in", str(error))
        link.advance(2)
        link.result(link.client.ehlo())
        link.advance(299)
        self.assertTrue(link.server_transport.is_open)
        link.advance(1)
        self.assertFalse(link.client_transport.is_open)
        self.assertRaises(ServiceClosing, link.result, link.client.ehlo())

    def test_what_waits_for_ever(self) -> None:
        error = self.assertRaises(AssertionError, self.link().result, Deferred())
        self.assertIn("no result yet", str(error))

    def test_lmtp_has_an_outcome_for_each(self) -> None:
        clock = Clock()
        inbox = RecordingDelivery({"nobody@y.example": RecipientUnknown()})
        link = connected(LMTPServerFactory(inbox, clock=clock), LMTPClient(clock, hostname="client.example"))
        link.result(link.client.ehlo())
        recipients = ["b@y.example", "nobody@y.example"]
        outcomes = link.result(link.client.send("a@x.example", recipients, CONTENT))
        self.assertEqual([outcome.code for outcome in outcomes], [250, 550])

    def test_any_protocol(self) -> None:
        class Line(LineReceiver):
            heard: list[bytes]

            def connectionMade(self) -> None:
                self.heard = []

            def lineReceived(self, line: bytes) -> None:
                self.heard.append(line)

        clock = Clock()
        for client in (Line(), Factory.forProtocol(Line)):
            link = connected(SMTPServerFactory(RecordingDelivery(), clock=clock, hostname="x"), client)
            self.assertEqual(link.client_transport.protocol.heard, [b"220 x ESMTP mailproto"])  # type: ignore[attr-defined]

    def test_what_cannot_be_joined(self) -> None:
        clock = Clock()
        factory = SMTPServerFactory(RecordingDelivery(), clock=clock)
        for wrong in (None, SMTPClient, "client", RecordingDelivery()):
            self.assertIn("client", str(self.assertRaises(TypeError, connected, factory, wrong)))
        self.assertRaises(TypeError, connected, RecordingDelivery(), SMTPClient(clock))
        error = self.assertRaises(
            TypeError, connected, SMTPServerFactory(RecordingDelivery()), SMTPClient(clock)
        )
        self.assertIn("clock=Clock()", str(error))


class RecordingTests(ConnectedTestCase):
    def test_what_it_refuses(self) -> None:
        link = self.link(RecordingDelivery({"a@x.example": Refused(550, "5.7.1", "Not you")}))
        link.result(link.client.ehlo())
        [outcome] = link.result(link.client.send("a@x.example", ["b@y.example"], CONTENT))
        self.assertEqual(outcome, Outcome(550, "5.7.1", "Not you"))
        self.inbox.refuse.clear()
        self.inbox.failure = Refused(452, "4.2.2", "Full")
        [outcome] = link.result(link.client.send("a@x.example", ["b@y.example"], CONTENT))
        self.assertEqual(outcome, Outcome(452, "4.2.2", "Full"))
        self.assertEqual(self.inbox.messages, [])

    def test_waiting_with_a_clock(self) -> None:
        link = self.link()
        waiting = Deferred.fromCoroutine(wait_for_message(self.inbox, reactor=link.clock))
        self.assertNoResult(waiting)
        link.result(link.client.ehlo())
        link.result(link.client.send("a@x.example", ["b@y.example"], CONTENT))
        self.assertEqual(self.successResultOf(waiting), self.inbox.messages[0])
        waiting = Deferred.fromCoroutine(
            wait_for_message(self.inbox, lambda message: False, timeout=3, reactor=link.clock)
        )
        link.advance(2.9)
        self.assertNoResult(waiting)
        link.advance(0.1)
        self.assertIn("Subject: Hello", str(self.failureResultOf(waiting, AssertionError).value))
        self.assertEqual(self.inbox._listeners, [])


class EnvelopeTests(SynchronousTestCase):
    def test_what_is_in_it(self) -> None:
        envelope = make_envelope("a@x.example", ["b@y.example", Address("c", "y.example")])
        self.assertEqual(envelope.sender, Address("a", "x.example"))
        self.assertEqual(
            envelope.recipients,
            (Recipient(Address("b", "y.example")), Recipient(Address("c", "y.example"))),
        )
        self.assertEqual(envelope.session.protocol, "ESMTP")
        self.assertNotEqual(envelope.id, make_envelope().id)

    def test_it_can_be_chosen(self) -> None:
        session = Session("LMTP", "mx.example", account="alice")
        recipient = Recipient(Address("b", "y.example"), {"NOTIFY": "NEVER"})
        envelope = make_envelope("", [recipient], session=session, parameters={"RET": "HDRS"})
        self.assertIs(envelope.sender.__class__, Address)
        self.assertEqual(
            (envelope.sender, envelope.recipients, envelope.session, envelope.parameters),
            (NULL_PATH, (recipient,), session, {"RET": "HDRS"}),
        )

    def test_what_is_none(self) -> None:
        self.assertIn(
            "['b@y.example']", str(self.assertRaises(TypeError, make_envelope, "a@x.example", "b@y.example"))
        )
        self.assertRaises(ValueError, make_envelope, "a@x.example", [])
        self.assertRaises(ValueError, make_envelope, "a", ["b@y.example"])
        self.assertRaises(TypeError, make_envelope, None, ["b@y.example"])

    def test_a_delivery_takes_it(self) -> None:
        inbox = RecordingDelivery()
        outcomes = self.successResultOf(
            Deferred.fromCoroutine(inbox.deliver(make_envelope(), Content(CONTENT)))
        )
        self.assertTrue(outcomes[0].accepted)
        inbox.failure = NoSuchMailbox()
        self.failureResultOf(
            Deferred.fromCoroutine(inbox.deliver(make_envelope(), Content(CONTENT))), NoSuchMailbox
        )
