"""Rows 2, 8, 11, 13, 31, 34, 35, 37 to 40, as a client meets them: its server says what the test says."""

from __future__ import annotations

import itertools
from typing import Any

from mailproto.client.errors import GreetingRefused, ProtocolViolation, ServerTimeout, TLSUnavailable
from mailproto.model import Address, Recipient
from mailproto.smtp import SMTPClient
from mailproto.smtp.lmtp import LMTPClient
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.smtp.client.dialogue import (
    ALICE,
    BOB,
    PIPELINING,
    PLAIN,
    SENDER,
    TEXT,
    TLS,
    ClientTestCase,
    offering,
)
from tests.smtp.server.corner_cases.transcript import ONE_BY_ONE

ONE = f"C: MAIL FROM:<{SENDER}>\nC: RCPT TO:<{ALICE}>\nC: DATA\n"
TWO = f"C: MAIL FROM:<{SENDER}>\nC: RCPT TO:<{ALICE}>\nC: RCPT TO:<{BOB}>\nC: DATA\n"
CONTENT = "C: Subject: hello\nC:\nC: Hi.\nC: .\n"
ENDS = ("\r\n", "\n", "\r")


class SendingTestCase(ClientTestCase):
    def each_way(
        self, offered: str, transcript: str, *, recipients: Any = (ALICE,), content: bytes = TEXT
    ) -> Any:
        """The outcomes of sending a message, the same however the server's replies are cut."""
        results = []
        for feed in ONE_BY_ONE:
            self.connect(offered)
            sent = self.client.send(SENDER, recipients, content)
            self.converse(transcript, feed)
            results.append([(outcome.code, outcome.enhanced) for outcome in self.result(sent)])
        for result in results[1:]:
            self.assertEqual(result, results[0])
        return results[0]


class StuffingTests(SendingTestCase):
    def on_the_wire(self, content: bytes) -> bytes:
        """What follows DATA."""
        self.connect(PIPELINING)
        self.client.send(SENDER, [ALICE], content)
        self.read()
        self.transport.send(b"250 OK\r\n250 OK\r\n354 Go ahead\r\n")
        return self.read()

    def test_02_every_line_that_begins_with_a_dot(self) -> None:
        """RFC 5321 4.5.2: the first line and the last too."""
        for content, sent in (
            (b"", b".\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..", b"...\r\n.\r\n"),
            (b".a\r\n.\r\n\r\n.b", b"..a\r\n..\r\n\r\n..b\r\n.\r\n"),
            (b"a.\r\n b.\r\n", b"a.\r\n b.\r\n.\r\n"),
            (b"x", b"x\r\n.\r\n"),
            (b"x\r\n", b"x\r\n.\r\n"),
            (b"x\r\n\r\n", b"x\r\n\r\n.\r\n"),
        ):
            self.assertEqual(self.on_the_wire(content), sent)

    def test_02_whatever_ends_a_line(self) -> None:
        """RFC 5321 2.3.8: no bare CR or LF goes out, and a dot behind one is stuffed too."""
        for first, second in itertools.product(ENDS, ENDS):
            if (first, second) != ("\r", "\n"):
                content = f"a{first}.{second}.b{first}".encode()
                self.assertEqual(self.on_the_wire(content), b"a\r\n..\r\n..b\r\n.\r\n")
        self.assertEqual(self.on_the_wire(b"a\r\r\n.\n\rb"), b"a\r\n\r\n..\r\n\r\nb\r\n.\r\n")

    def test_02_at_every_boundary_of_a_chunk(self) -> None:
        """RFC 5321 4.5.2: content of many pieces, a line with a dot at the end of each."""
        for size in (65_535, 65_536, 131_072, 262_144):
            for shift in range(-4, 5):
                content = b"x" * (size + shift) + b"\r\n.\r\n..\n.y\r\n" + b"z" * size
                sent = self.on_the_wire(content)
                expected = b"x" * (size + shift) + b"\r\n..\r\n...\r\n..y\r\n" + b"z" * size + b"\r\n.\r\n"
                self.assertTrue(sent == expected, (size, shift))


class StartTLSTests(SendingTestCase):
    peer = ELSEWHERE

    def test_08_replies_behind_the_go_ahead(self) -> None:
        """RFC 3207 6 (CVE-2011-0411, and its twin for clients): they are not heard inside TLS."""
        injected = "250-mx.example\r\n250 AUTH PLAIN\r\n"
        for length in range(1, len(injected) + 1):
            self.connect(offering("STARTTLS"))
            started = self.client.starttls(TLS)
            self.read()
            self.transport.send(f"220 Go ahead\r\n{injected[:length]}".encode())
            self.error(started, ProtocolViolation)
            self.assertIsNone(self.transport.tls)
            self.assertFalse(self.transport.is_open)

    def test_08_a_go_ahead_that_was_never_asked_for(self) -> None:
        """RFC 3207 6: one sent beforehand is not the answer."""
        self.connect(offering("STARTTLS"))
        self.transport.send(b"220 Go ahead\r\n250-mx.example\r\n250 AUTH PLAIN\r\n")
        self.error(self.client.starttls(TLS), ProtocolViolation)
        self.assertIsNone(self.transport.tls)

    def test_08_ehlo_is_said_again(self) -> None:
        """RFC 3207 4.2: what was offered in plaintext is forgotten."""
        for feed in ONE_BY_ONE:
            self.connect(offering("STARTTLS", "SMTPUTF8", "AUTH PLAIN"))
            started = self.client.starttls(TLS)
            self.converse("C: STARTTLS\nS: 220 Go ahead\nC starts TLS\n...", feed)
            self.client.protocol.handshakeCompleted()
            self.converse("C: EHLO client.example\nS: 250-mx.example\nS: 250 8BITMIME\n", feed)
            self.assertEqual(set(self.result(started).keywords), {"8BITMIME"})

    def test_11_a_server_that_will_not(self) -> None:
        """RFC 3207 4.1, RFC 8314: the user is told before a word more is said, and may go on or not."""
        for reply in ("454 4.7.0 Not now", "502 5.5.1 No", "554 5.7.3 Policy"):
            self.connect(offering("STARTTLS"))
            started = self.client.starttls(TLS)
            self.converse(f"C: STARTTLS\nS: {reply}\n")
            self.assertEqual(self.error(started, TLSUnavailable).reply.code, int(reply[:3]))
            self.assertEqual(self.read(), b"")
            sent = self.client.send(SENDER, [ALICE], TEXT)
            self.converse(f"{ONE}S: 250 OK\nS: 250 OK\nS: 354 Go\n{CONTENT}S: 250 OK\n")
            self.assertEqual(self.codes(sent), [(250, "2.0.0")])


class GroupTests(SendingTestCase):
    def test_13_all_refused_and_354_all_the_same(self) -> None:
        """RFC 2920 3.1: a lone dot, and the message is not sent to nobody."""
        outcomes = self.each_way(
            PIPELINING,
            f"{TWO}S: 250 OK\nS: 550 5.1.1 No\nS: 450 4.2.1 Later\nS: 354 Go\nC: .\nS: 554 5.5.1 None\n",
            recipients=(ALICE, BOB),
        )
        self.assertEqual(outcomes, [(550, "5.1.1"), (450, "4.2.1")])

    def test_13_some_refused(self) -> None:
        """RFC 2920 3.1: each reply belongs to its command."""
        outcomes = self.each_way(
            PIPELINING,
            f"{TWO}S: 250 OK\nS: 550 5.1.1 No\nS: 250 OK\nS: 354 Go\n{CONTENT}S: 250 2.6.0 In\n",
            recipients=(ALICE, BOB),
        )
        self.assertEqual(outcomes, [(550, "5.1.1"), (250, "2.6.0")])

    def test_31_552_to_a_recipient_is_452(self) -> None:
        """RFC 5321 4.5.3.1.10: too many recipients, as old servers say it: another transaction."""
        outcomes = self.each_way(
            PIPELINING,
            f"{TWO}S: 250 OK\nS: 250 OK\nS: 552 Too many recipients\nS: 354 Go\n{CONTENT}S: 250 OK\n"
            f"C: MAIL FROM:<{SENDER}>\nC: RCPT TO:<{BOB}>\nC: DATA\n"
            f"S: 250 OK\nS: 250 OK\nS: 354 Go\n{CONTENT}S: 250 2.6.0 In\n",
            recipients=(ALICE, BOB),
        )
        self.assertEqual(outcomes, [(250, "2.0.0"), (250, "2.6.0")])

    def test_31_552_to_the_only_one_is_to_be_tried_again(self) -> None:
        outcomes = self.each_way(
            PIPELINING,
            f"{ONE}S: 250 OK\nS: 552 Too many recipients\nS: 503 Whom for?\n",
        )
        self.assertEqual(outcomes, [(452, "4.5.3")])


class ExtensionTests(SendingTestCase):
    def assert_not_sent(self, offered: str, enhanced: str, *recipients: Any, content: bytes = TEXT) -> None:
        self.connect(offered)
        sent = self.client.send(SENDER, recipients or (ALICE,), content)
        self.assertEqual({code for _, code in self.codes(sent)}, {enhanced})
        self.assertEqual(self.read(), b"", "not a word was said to the server")

    def test_34_a_server_without_8bitmime_or_binarymime(self) -> None:
        """RFC 6152 3, RFC 3030 3: what it does not offer it is never sent."""
        self.assert_not_sent(PIPELINING, "5.6.3", content="\r\ngrüße".encode())
        self.assert_not_sent(offering("8BITMIME", "CHUNKING"), "5.6.3", content=b"\r\na\0b")

    def test_35_a_server_without_smtputf8(self) -> None:
        """RFC 6531 3.5: nor is it sent such an address or header; a domain has A-labels."""
        self.assert_not_sent(offering("8BITMIME"), "5.6.7", "ålice@mx.example")
        self.assert_not_sent(offering("8BITMIME"), "5.6.7", content="Subject: grüße\r\n\r\n".encode())
        self.connect(PIPELINING)
        self.client.send(SENDER, ["a@bücher.example"], TEXT)
        self.assertIn(b"RCPT TO:<a@xn--bcher-kva.example>\r\n", self.read())

    def test_30_a_message_larger_than_the_server_takes(self) -> None:
        """RFC 1870 6: it is not begun."""
        self.assert_not_sent(offering("SIZE 10"), "5.3.4")

    def test_37_parameters_of_dsn(self) -> None:
        """RFC 3461 4: sent as they are to who offers it, and to nobody else."""
        recipient = Recipient(Address("a", "mx.example"), {"NOTIFY": "NEVER", "ORCPT": "rfc822;a+2Bb@c"})
        for offered, expected in (
            (offering("DSN"), b"RCPT TO:<a@mx.example> NOTIFY=NEVER ORCPT=rfc822;a+2Bb@c\r\n"),
            (PIPELINING, b"RCPT TO:<a@mx.example>\r\n"),
        ):
            self.connect(offered)
            self.client.send(SENDER, [recipient], TEXT, {"RET": "HDRS", "ENVID": "x+3Dy"})
            said = self.read()
            self.assertIn(expected, said)
            self.assertEqual(b" RET=HDRS" in said and b" ENVID=x+3Dy" in said, b"NOTIFY" in expected)


class LMTPSendingTests(SendingTestCase):
    client_class = LMTPClient

    def test_38_an_answer_for_each_recipient(self) -> None:
        """RFC 2033 4.2: of those that were taken, in order, duplicates too."""
        hello = "S: 220 mx.example\nC: LHLO client.example\nS: 250-mx.example\nS: 250 PIPELINING\n"
        outcomes = self.each_way(
            hello,
            f"C: MAIL FROM:<{SENDER}>\nC: RCPT TO:<{ALICE}>\nC: RCPT TO:<{BOB}>\nC: RCPT TO:<{ALICE}>\n"
            "C: DATA\n"
            f"S: 250 OK\nS: 250 OK\nS: 550 5.1.1 No\nS: 250 OK\nS: 354 Go\n{CONTENT}"
            "S: 250 2.1.5 In\nS: 452 4.2.2 Full\n",
            recipients=(ALICE, BOB, ALICE),
        )
        self.assertEqual(outcomes, [(250, "2.1.5"), (550, "5.1.1"), (452, "4.2.2")])


class GreetingTests(SendingTestCase):
    def test_39_a_server_that_takes_no_mail(self) -> None:
        """RFC 7504: 521 (and 554) in the greeting are final."""
        for code in (521, 554):
            self.connect()
            greeted = self.client.greeted()
            self.converse(f"S: {code} mx.example does not accept mail\n...", "octets")
            self.assertTrue(self.error(greeted, GreetingRefused).is_permanent)


class TimeTests(SendingTestCase):
    def test_40_how_long_a_client_waits(self) -> None:
        """RFC 5321 4.5.3.2: 5 minutes for greeting, MAIL and RCPT, 2 for DATA, 10 for the end of data."""
        hello = PLAIN.strip().removeprefix("S: 220 mx.example ready\n")
        steps = (
            ("greeting", 300, "S: 220 mx.example ready\n"),
            ("EHLO", 300, hello),
            ("MAIL", 300, "S: 250 OK\n"),
            ("RCPT", 300, "S: 250 OK\n"),
            ("DATA", 120, "S: 354 Go\n"),
            ("the end of data", 600, ""),
        )
        for silent, (name, seconds, _) in enumerate(steps):
            with self.subTest(name):
                client = SMTPClient(self.clock, hostname="client.example", pipelining=False)
                transport = MemoryTransport(client.protocol, self.peer, capacity=1 << 20)
                client.ehlo().addErrback(lambda _: None)
                sent = client.send(SENDER, [ALICE], TEXT)
                for _, _, replies in steps[:silent]:
                    lines = [line[3:] for line in replies.splitlines() if line.startswith("S: ")]
                    transport.send("".join(f"{line}\r\n" for line in lines).encode())
                    transport.read()
                self.clock.advance(seconds - 1)
                self.assertTrue(transport.is_open, "too early")
                self.clock.advance(2)
                self.assertFalse(transport.is_open, "too late")
                if name in ("greeting", "EHLO", "MAIL"):
                    self.error(sent, ServerTimeout)
                else:
                    self.assertEqual(self.codes(sent), [(451, "4.4.2")])
