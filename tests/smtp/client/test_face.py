"""What a client's user may ask of it, and nothing else; and a transaction said command by command."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.client import Client
from mailproto.client.errors import CommandRefused, ConnectionLost, ProtocolViolation, ServerTimeout
from mailproto.content import Content
from mailproto.model import Address, Recipient
from mailproto.smtp import SMTPClient
from mailproto.smtp.lmtp import LMTPClient
from mailproto.testing import Feed
from tests.smtp.client.dialogue import (
    ALICE,
    BOB,
    PIPELINING,
    SENDER,
    TEXT,
    ClientTestCase,
    LMTPClientTestCase,
    offering,
)

EVERY_CLIENTS = """
    abort authenticate closed connect default_port greeted is_encrypted is_usable is_verified open peer
    protocol quit starttls timeouts tls_info
"""
SMTPS = """
    authenticated_by capabilities data ehlo etrn expn greeting hostname mail noop rcpt rset send vrfy
"""


class FaceTests(SynchronousTestCase):
    def public(self, kind: Any) -> set[str]:
        return {name for name in dir(kind(Clock())) if not name.startswith("_")}

    def test_names(self) -> None:
        """A new one is a decision, made here too."""
        everyones, own = set(EVERY_CLIENTS.split()), set(SMTPS.split())
        self.assertEqual({name for name in dir(Client) if not name.startswith("_")} | {"timeouts"}, everyones)
        for kind in (SMTPClient, LMTPClient):
            self.assertEqual(self.public(kind), everyones | own)

    def test_it_has_a_protocol_and_is_none(self) -> None:
        for kind in (SMTPClient, LMTPClient):
            client = kind(Clock())
            self.assertFalse(IProtocol.providedBy(client))
            self.assertTrue(verifyObject(IProtocol, client.protocol))
            self.assertIs(client.protocol, client.protocol)

    def test_before_it_is_connected(self) -> None:
        """What is asked for waits; what can be told is told."""
        client = SMTPClient(Clock(), hostname="client.example")
        self.assertFalse(client.is_usable)
        self.assertFalse(client.is_encrypted)
        self.assertFalse(client.is_verified)
        self.assertIsNone(client.tls_info())
        self.assertIsNone(client.greeting)
        self.assertEqual((client.authenticated_by, str(client.peer)), ("", ""))
        self.assertNoResult(client.noop())
        self.successResultOf(client.closed())
        self.successResultOf(client.quit())
        client.abort()


class StepTests(ClientTestCase):
    """MAIL, RCPT and DATA one by one (RFC 5321 3.3)."""

    def test_one_message(self) -> None:
        self.connect(PIPELINING)
        mail = self.client.mail(SENDER)
        self.converse("C: MAIL FROM:<me@client.example>\nS: 250 2.1.0 OK")
        self.assertEqual(self.result(mail).text, "OK")
        rcpt = self.client.rcpt(ALICE)
        self.converse("C: RCPT TO:<alice@mx.example>\nS: 250 OK")
        self.result(rcpt)
        data = self.client.data(b"Subject: hi\n\n.\n")
        self.converse("C: DATA\nS: 354 Go\nC: Subject: hi\nC: \nC: ..\nC: .\nS: 250 2.0.0 Queued")
        [reply] = self.result(data)
        self.assertEqual((reply.code, reply.text), (250, "Queued"))

    def test_asked_for_at_once(self) -> None:
        """In order; a refusal is told, and changes nothing of what comes after it."""
        self.connect(PIPELINING)
        asked = [self.client.mail(SENDER), self.client.rcpt(ALICE), self.client.rcpt(BOB)]
        data = self.client.data(TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            S: 250 OK
            C: RCPT TO:<alice@mx.example>
            S: 550 5.1.1 No such user
            C: RCPT TO:<bob@mx.example>
            S: 250 OK
            C: DATA
            S: 354 Go
            C: Subject: hello
            C:
            C: Hi.
            C: .
            S: 250 OK
            """
        )
        self.result(asked[0])
        self.assertEqual(self.error(asked[1], CommandRefused).text, "550 5.1.1 No such user")
        self.result(asked[2])
        self.result(data)

    def test_parameters_are_the_users(self) -> None:
        self.connect(offering("8BITMIME", "DSN"))
        self.client.mail(Address("me", "bücher.example"), {"RET": "HDRS", "BODY": "8BITMIME"})
        self.converse("C: MAIL FROM:<me@xn--bcher-kva.example> RET=HDRS BODY=8BITMIME\nS: 250 OK")
        recipient = Recipient(Address("bob", "mx.example"), {"NOTIFY": "NEVER"})
        for parameters, said in ((None, " NOTIFY=NEVER"), ({"X": None}, " X"), ({}, "")):
            self.client.rcpt(recipient, parameters)
            self.converse(f"C: RCPT TO:<bob@mx.example>{said}\nS: 250 OK")

    def test_what_cannot_be_said(self) -> None:
        self.connect(PIPELINING)
        for ask in (self.client.mail, self.client.rcpt):
            for address in ("no address", "a@b\r\nRSET", "a@b>\r\nRSET", "a@" + "x" * 400):
                self.assertRaises(ValueError, ask, address)
            for parameters in ({"A B": None}, {"A": "b c"}, {"A": "\r\nRSET"}, {"": "x"}):
                self.assertRaises(ValueError, ask, SENDER, parameters)
        for ask in (self.client.vrfy, self.client.expn, self.client.etrn):
            self.error(ask("x\r\nRSET"), ValueError)
        self.assertEqual(self.read(), b"")
        self.assertTrue(self.client.is_usable)

    def test_refused(self) -> None:
        """MAIL, DATA, and the content: the session goes on."""
        self.connect(PIPELINING)
        mail = self.client.mail(SENDER)
        self.converse("C: MAIL FROM:<me@client.example>\nS: 451 Later")
        self.assertFalse(self.error(mail, CommandRefused).is_permanent)
        data = self.client.data(TEXT)
        self.converse("C: DATA\nS: 503 5.5.1 RCPT first")
        self.assertTrue(self.error(data, CommandRefused).is_permanent)
        data = self.client.data(b"")
        self.converse("C: DATA\nS: 354 Go\nC: .\nS: 554 5.7.1 No, thanks")
        self.assertEqual(self.error(data, CommandRefused).reply.code, 554)
        noop = self.client.noop()
        self.converse("C: NOOP\nS: 250 OK")
        self.result(noop)

    def test_a_whole_message_after_half_a_one(self) -> None:
        """`send` gives up a transaction that was begun by hand."""
        self.connect(PIPELINING)
        self.client.mail(SENDER)
        self.converse("C: MAIL FROM:<me@client.example>\nS: 250 OK")
        sent = self.client.send(SENDER, [ALICE], TEXT)
        self.converse(
            """
            C: RSET
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<alice@mx.example>
            C: DATA
            S: 250 OK
            S: 250 OK
            S: 550 No
            S: 503 No
            """
        )
        self.assertEqual(self.codes(sent), [(550, "5.0.0")])

    def test_large_content_waits_for_the_server(self) -> None:
        self.connect(PIPELINING)
        data = self.client.data(b"x" * 76 + b"\r\n" * 400_000)
        self.converse("C: DATA\nS: 354 Go\n...")
        read = 0
        while octets := self.read():
            read += len(octets)
        self.assertEqual(read, 76 + 800_000 + 3)
        self.clock.advance(599)
        self.assertNoResult(data)
        self.clock.advance(1)
        self.assertEqual(self.error(data, ServerTimeout).text, "Timed out: no answer to the end of data")

    def test_content_that_cannot_be_read(self) -> None:
        """It must not end as if it were whole."""

        def failing(content: Content, where: slice) -> bytes:
            raise OSError(5, "Input/output error")

        self.patch(Content, "__getitem__", failing)
        self.connect(PIPELINING)
        data = self.client.data(Content.of_file("none", 1000))
        self.converse("C: DATA\nS: 354 Go\nC closes")
        self.assertIn("Input/output error", self.error(data, ConnectionLost).text)
        self.assertEqual(self.read(), b"")
        self.assertTrue(self.transport.was_aborted)

    def test_an_answer_before_the_content_ended(self) -> None:
        self.connect(PIPELINING)
        data = self.client.data(b"x" * 3_000_000)
        self.transport.read()
        self.transport.send(b"354 Go\r\n")
        self.transport.send(b"552 5.3.4 Too much\r\n")
        self.assertIn("552", self.error(data, ProtocolViolation).text)
        self.assertFalse(self.transport.is_open)

    def test_lost_on_the_way(self) -> None:
        """At each step: what was asked for fails, once, and so does all after it."""
        for heard in range(5):
            self.connect(PIPELINING)
            asked: list[Deferred[Any]] = [
                self.client.mail(SENDER),
                self.client.rcpt(ALICE),
                self.client.data(TEXT),
                self.client.noop(),
            ]
            for reply in (b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n", b"250 OK\r\n")[:heard]:
                self.read()
                self.transport.send(reply)
            self.transport.drop()
            answered = [0, 1, 2, 2, 3][heard]
            for each in asked[:answered]:
                self.result(each)
            for each in asked[answered:]:
                self.error(each, ConnectionLost)
            self.assertEqual(self.clock.getDelayedCalls(), [])


class LMTPStepTests(LMTPClientTestCase):
    LHLO = PIPELINING.replace("EHLO", "LHLO")

    def begin(self, *answers: str) -> None:
        self.connect(self.LHLO)
        self.client.mail(SENDER)
        self.converse("C: MAIL FROM:<me@client.example>\nS: 250 OK")
        for number, answer in enumerate(answers):
            self.client.rcpt(f"r{number}@mx.example").addErrback(lambda _: None)
            self.converse(f"C: RCPT TO:<r{number}@mx.example>\nS: {answer}")
        self.data = self.client.data(TEXT)

    def end(self, replies: str, feed: Feed = "turns") -> None:
        self.converse(f"C: DATA\nS: 354 Go\nC: Subject: hello\nC: \nC: Hi.\nC: .\n{replies}", feed)

    def test_one_answer_for_each_recipient(self) -> None:
        """Of those that were accepted (RFC 2033 4.2), together in one packet or octet by octet."""
        for feed in ("turns", "octets"):
            self.begin("250 OK", "550 No", "250 OK")
            self.end("S: 250 2.0.0 One\nS: 452 4.2.2 Full", feed)
            self.assertEqual(
                [(each.code, each.text) for each in self.result(self.data)], [(250, "One"), (452, "Full")]
            )
            noop = self.client.noop()
            self.converse("C: NOOP\nS: 250 OK")
            self.result(noop)

    def test_one_too_many(self) -> None:
        self.begin("250 OK")
        self.end("S: 250 One\nS: 250 Two\nC closes")
        self.result(self.data)
        self.assertFalse(self.client.is_usable)

    def test_one_too_few(self) -> None:
        self.begin("250 OK", "250 OK")
        self.end("S: 250 One")
        self.assertNoResult(self.data)
        self.transport.drop()
        self.error(self.data, ConnectionLost)

    def test_no_recipient(self) -> None:
        """The server refuses DATA then; if it takes it, nothing says how many answers there will be."""
        self.begin("550 No")
        self.converse("C: DATA\nS: 503 5.5.1 No recipient")
        self.error(self.data, CommandRefused)
        self.begin("550 No")
        self.converse("C: DATA\nS: 354 Go\nC closes")
        self.error(self.data, ProtocolViolation)
        self.assertTrue(self.transport.was_aborted)

    def test_a_second_message(self) -> None:
        """The recipients of the first one do not count for it."""
        self.begin("250 OK", "250 OK")
        self.end("S: 250 One\nS: 250 Two")
        self.result(self.data)
        self.client.mail(SENDER)
        self.converse("C: MAIL FROM:<me@client.example>\nS: 250 OK")
        self.client.rcpt(ALICE)
        self.converse("C: RCPT TO:<alice@mx.example>\nS: 250 OK")
        self.data = self.client.data(TEXT)
        self.end("S: 250 Three")
        self.assertEqual([each.text for each in self.result(self.data)], ["Three"])
