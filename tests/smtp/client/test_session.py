"""Greeting, EHLO, STARTTLS, small commands, and how a connection ends."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from zope.interface import implementer

from mailproto.client.base import ClientConnection
from mailproto.client.errors import (
    CommandRefused,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.smtp.client import _own_name
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.testing import MemoryTransport
from tests.smtp.client import dialogue
from tests.smtp.client.dialogue import (
    ALICE,
    ESMTP,
    PIPELINING,
    PLAIN,
    SENDER,
    TEXT,
    TLS,
    ClientTestCase,
    offering,
)


@implementer(ISSLTransport)
class TLSTransport(MemoryTransport):
    """TLS from the first octet, whose handshake has just begun."""


class GreetingTests(ClientTestCase):
    def test_nothing_is_said_before_it(self) -> None:
        self.connect()
        hello = self.client.ehlo()
        self.assertEqual(self.read(), b"")
        self.converse("S: 220-mx.example\nS: 220 ready\nC: EHLO client.example\nS: 250 mx.example")
        self.result(hello)
        self.assertEqual(str(self.client.greeting), "220 'mx.example ready'")
        self.result(self.client.greeted())

    def test_no_welcome(self) -> None:
        """RFC 7504: 521 and 554 are final; 421 is not."""
        for code, kind, permanent in (
            (521, GreetingRefused, True),
            (554, GreetingRefused, True),
            (421, ServiceClosing, False),
        ):
            self.connect()
            greeted, hello = self.client.greeted(), self.client.ehlo()
            self.converse(f"S: {code} no mail here\n...")
            error = self.error(greeted, kind)
            self.assertEqual((error.reply.code, error.is_permanent), (code, permanent))
            self.error(hello, kind)
            self.error(self.client.greeted(), kind)
            self.assertFalse(self.client.is_usable)
            if code != 421:
                self.converse("C: QUIT\nS: 221 Bye\nC closes")  # the server waits for it (RFC 5321 3.1)
            self.assertEqual(self.transport.was_aborted, code == 421)
            self.assertFalse(self.transport.is_open)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_welcome_and_no_goodbye(self) -> None:
        for replies in ("", "S: 421 4.3.2 Going\nC closes", "S: What?\nC closes"):
            self.connect()
            greeted = self.client.greeted()
            self.converse("S: 554 no mail here\nC: QUIT\n" + replies)
            self.error(greeted, GreetingRefused)
            self.clock.advance(10)
            self.assertTrue(self.transport.was_aborted)

    def test_no_welcome_and_no_end(self) -> None:
        """Inside TLS, a connection has ended once both sides have closed it."""
        self.connect()
        self.patch(self.transport, "loseConnection", lambda: None)
        self.converse("S: 554 no mail here\nC: QUIT\nS: 221 Bye")
        self.clock.advance(9)
        self.assertTrue(self.transport.is_open)
        self.clock.advance(1)
        self.assertTrue(self.transport.was_aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_before_it(self) -> None:
        self.connect()
        greeted = self.client.greeted()
        self.transport.drop()
        self.error(greeted, ConnectionLost)


class HelloTests(ClientTestCase):
    def test_what_is_offered(self) -> None:
        self.connect(
            offering(
                "SIZE 1000",
                "AUTH PLAIN login",
                "AUTH=LOGIN XOAUTH2",
                "limits RCPTMAX=10 MAILMAX=5",
                "8bitmime",
            )
        )
        offered = self.client.capabilities
        self.assertIn("LIMITS", offered)
        self.assertNotIn("MX.EXAMPLE", offered)
        self.assertEqual(offered.max_size, 1000)
        self.assertEqual(offered.mechanisms, ("PLAIN", "LOGIN", "XOAUTH2"))
        self.assertEqual((offered.max_recipients, offered.max_transactions), (10, 5))

    def test_helo_for_those_who_know_no_better(self) -> None:
        self.connect()
        hello = self.client.ehlo("other.example")
        self.converse(
            """
            S: 220 mx.example
            C: EHLO other.example
            S: 502 What?
            C: HELO other.example
            S: 250 mx.example
            """
        )
        self.assertEqual(self.result(hello).keywords, {})

    def test_refused(self) -> None:
        for replies, code in (("S: 450 Later", 450), ("S: 550 No\nC: HELO client.example\nS: 554 No", 554)):
            self.connect()
            hello = self.client.ehlo()
            self.converse("S: 220 mx.example\nC: EHLO client.example\n" + replies)
            self.assertEqual(self.error(hello, CommandRefused).reply.code, code)
            self.assertTrue(self.client.is_usable)

    def test_names(self) -> None:
        """A-labels, for nobody has offered SMTPUTF8 yet; and nothing that is no name."""
        for name, said in (
            ("bücher.example", "xn--bcher-kva.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:::1]", "[IPv6:::1]"),
            ("my_host", "my_host"),
            ("client.example.", "client.example."),
        ):
            self.connect("S: 220 mx.example\n...")
            self.assertEqual(self.read(), b"EHLO client.example\r\n")
            self.converse("S: 250 mx.example")
            self.client.ehlo(name)
            self.converse(f"C: EHLO {said}\nS: 250 mx.example")
            self.assertEqual(self.client.hostname, name)
        for name in ("a b", "a@b", "-a", "a\r\nRSET", "ß\0", "[::1", "[a b]", "a<b", "\ud800"):
            self.error(self.client.ehlo(name), ValueError)
        self.assertEqual(self.read(), b"")
        self.assertTrue(self.client.is_usable)

    def test_names_of_our_own(self) -> None:
        """The machine's, if it may be looked up; else the address (RFC 5321 4.1.4)."""
        for machine, host, said in (
            ("me.example", "192.0.2.1", "me.example"),
            ("me", "192.0.2.1", "[192.0.2.1]"),
            ("my machine.example", "192.0.2.1", "[192.0.2.1]"),
            ("me.", "fe80::1%eth0", "[IPv6:fe80::1]"),
            ("me", "", "localhost"),
        ):
            self.patch(_own_name.socket, "gethostname", lambda machine=machine: machine)  # type: ignore[attr-defined]
            self.patch(MemoryTransport, "getHost", lambda _, host=host: IPv4Address("TCP", host, 1))
            self.connect("S: 220 mx.example\nC: EHLO client.example\nS: 250 mx.example")
            self.client._session.hostname = ""
            self.client.ehlo()
            self.converse(f"C: EHLO {said}")

    def test_a_bad_name_changes_nothing(self) -> None:
        self.connect(PIPELINING)
        self.error(self.client.ehlo("a b"), ValueError)
        self.assertTrue(self.client._session.pipelines)

    def test_again(self) -> None:
        """What is offered then counts alone."""
        self.connect(PIPELINING)
        self.client.ehlo()
        self.converse("C: EHLO client.example\nS: 250 mx.example")
        self.assertFalse(self.client._session.pipelines)


class StartTLSTests(ClientTestCase):
    peer = "192.0.2.1"

    def start(self) -> None:
        self.connect(offering("STARTTLS", "AUTH PLAIN"))
        self.started = self.client.starttls(TLS)

    def test_everything_is_forgotten_and_ehlo_said_again(self) -> None:
        self.start()
        self.converse("C: STARTTLS\nS: 220 Go ahead")
        self.assertEqual(self.transport.tls, TLS)
        self.assertEqual(self.read(), b"")
        self.client.protocol.handshakeCompleted()
        self.converse("C: EHLO client.example\nS: 250-mx.example\nS: 250 8BITMIME")
        self.assertEqual(set(self.result(self.started).keywords), {"8BITMIME"})
        self.assertTrue(self.client.is_encrypted)
        self.error(self.client.starttls(TLS), TLSUnavailable)

    def test_injected_replies(self) -> None:
        """RFC 3207 6: what comes behind the go-ahead in plaintext is not for us."""
        for injected in ("250-mx.example\r\n250 AUTH PLAIN\r\n", "250", "\r\n", "2"):
            self.start()
            self.read()
            self.transport.send(f"220 Go ahead\r\n{injected}".encode())
            self.error(self.started, ProtocolViolation)
            self.assertTrue(self.transport.was_aborted)
            self.assertIsNone(self.transport.tls)

    def test_replies_nobody_asked_for(self) -> None:
        """Put before STARTTLS, to be taken for its answer and the next."""
        self.connect(offering("STARTTLS"))
        self.transport.send(b"220 Go ahead\r\n")
        self.error(self.client.starttls(TLS), ProtocolViolation)
        self.assertIsNone(self.transport.tls)

    def test_refused(self) -> None:
        """454: whether to go on is the user's decision."""
        self.start()
        self.converse("C: STARTTLS\nS: 454 4.7.0 Not now")
        self.assertEqual(self.error(self.started, TLSUnavailable).reply.code, 454)
        self.client.noop()
        self.converse("C: NOOP")

    def test_not_offered(self) -> None:
        self.connect(PIPELINING)
        self.error(self.client.starttls(TLS), TLSUnavailable)
        self.assertEqual(self.read(), b"")

    def test_handshake_fails(self) -> None:
        self.start()
        self.converse("C: STARTTLS\nS: 220 Go ahead")
        later = self.client.noop()
        self.transport.drop()
        self.error(self.started, TLSFailed)
        self.error(later, TLSFailed)

    def test_handshake_never_ends(self) -> None:
        self.start()
        self.converse("C: STARTTLS\nS: 220 Go ahead")
        self.clock.advance(59)
        self.assertTrue(self.client.is_usable)
        self.clock.advance(1)
        self.error(self.started, TLSFailed)


class CommandTests(ClientTestCase):
    def test_each(self) -> None:
        self.connect(PLAIN)
        noop, reset = self.client.noop(), self.client.rset()
        known, unknown = self.client.vrfy("alice"), self.client.vrfy("nobody")
        self.converse(
            """
            C: NOOP
            S: 250 OK
            C: RSET
            S: 250 OK
            C: VRFY alice
            S: 252 2.1.5 Perhaps
            C: VRFY nobody
            S: 550 5.1.1 No
            """
        )
        self.assertEqual([self.result(each).code for each in (noop, reset, known)], [250, 250, 252])
        self.assertEqual(self.error(unknown, CommandRefused).reply.enhanced, "5.1.1")

    def test_between_messages(self) -> None:
        """Order is kept, whatever is asked for."""
        self.connect(PIPELINING)
        self.client.send(SENDER, [ALICE], TEXT)
        self.client.noop()
        self.client.send(SENDER, [ALICE], TEXT)
        group = "C: MAIL FROM:<me@client.example>\nC: RCPT TO:<alice@mx.example>\nC: DATA\n"
        self.converse(
            group
            + "S: 250 OK\nS: 250 OK\nS: 354 Go\nC: Subject: hello\nC:\nC: Hi.\nC: .\n"
            + "S: 250 OK\nC: NOOP\nS: 250 OK\n"
            + group
        )


class QuitTests(ClientTestCase):
    def test_after_everything_else(self) -> None:
        self.connect(PLAIN)
        noop, gone = self.client.noop(), self.client.quit()
        self.converse("C: NOOP\nS: 250 OK\nC: QUIT\nS: 221 Bye\nC closes")
        self.result(noop)
        self.result(gone)
        self.assertFalse(self.transport.was_aborted)
        self.result(self.client.quit())
        self.error(self.client.noop(), ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_answer(self) -> None:
        self.connect(PLAIN)
        gone = self.client.quit()
        self.converse("C: QUIT")
        self.clock.advance(10)
        self.result(gone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_server_was_faster(self) -> None:
        self.connect(PLAIN)
        gone = self.client.quit()
        self.transport.drop()
        self.result(gone)

    def test_what_is_asked_for_later(self) -> None:
        self.connect(PLAIN)
        self.client.quit()
        noop = self.client.noop()
        self.converse("C: QUIT\nS: 221 Bye\nC closes")
        self.error(noop, ConnectionLost)


class TimeoutTests(ClientTestCase):
    """RFC 5321 4.5.3.2, each one second before and on time."""

    def assert_times_out(self, seconds: float) -> None:
        self.clock.advance(seconds - 1)
        self.assertTrue(self.client.is_usable)
        self.clock.advance(1)
        self.assertTrue(self.transport.was_aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_greeting(self) -> None:
        self.connect()
        greeted = self.client.greeted()
        self.assert_times_out(300)
        self.error(greeted, ServerTimeout)

    def test_handshake_before_the_greeting(self) -> None:
        """It has a time of its own; and the greeting has its own from then on."""
        self.patch(dialogue, "MemoryTransport", TLSTransport)
        self.connect()
        greeted = self.client.greeted()
        self.assert_times_out(60)
        self.error(greeted, TLSFailed)
        for end in (ClientConnection.handshakeCompleted, None):
            self.connect()
            greeted = self.client.greeted()
            self.clock.advance(59)
            if end is None:  # what stands in between tells nothing: then the first octet does
                self.transport.send(b"2")
            else:
                end(self.client.protocol)
            self.assert_times_out(300)
            self.error(greeted, ServerTimeout)

    def test_handshake_as_long_as_is_said(self) -> None:
        self.patch(dialogue, "MemoryTransport", TLSTransport)
        self.connect(timeouts=SMTPTimeouts(handshake=7, greeting=5))
        self.assert_times_out(7)
        self.connect(timeouts=SMTPTimeouts(handshake=7, greeting=5))
        self.clock.advance(6)
        self.client.protocol.handshakeCompleted()
        self.assert_times_out(5)

    def test_hello(self) -> None:
        self.connect()
        hello = self.client.ehlo()
        self.clock.advance(200)
        self.converse("S: 220 mx.example\n...")
        self.assert_times_out(300)
        self.error(hello, ServerTimeout)

    def test_a_drip_of_octets_is_no_answer(self) -> None:
        self.connect()
        greeted = self.client.greeted()
        for octet in b"220 mx.exam":
            self.transport.send(bytes([octet]))
            self.clock.advance(299 / 11)
        self.clock.advance(1)
        self.error(greeted, ServerTimeout)

    def test_transaction(self) -> None:
        """MAIL 5, RCPT 5, DATA 2 and the end of data 10 minutes, each from the answer before."""
        replies = ["S: 250 OK", "S: 250 OK", "S: 354 Go"]
        for answered, seconds in enumerate((300, 300, 120, 600)):
            self.connect(PIPELINING)
            sent = self.client.send(SENDER, [ALICE], TEXT)
            self.read()
            for reply in replies[:answered]:
                self.clock.advance(50)
                self.converse(f"{reply}\n...")
            self.assert_times_out(seconds)
            if answered:
                self.assertEqual(self.codes(sent), [(451, "4.4.2")])
            else:
                self.error(sent, ServerTimeout)

    def test_block(self) -> None:
        """Three minutes for a server that does not read; any octet it does read is progress."""
        self.connect(ESMTP + "S: 250 mx.example")
        self.transport.capacity = 1000
        sent = self.client.send(SENDER, [ALICE], b"x" * 78 + b"\r\n" + (b"x" * 78 + b"\r\n") * 20_000)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            S: 250 OK
            C: RCPT TO:<alice@mx.example>
            S: 250 OK
            C: DATA
            S: 354 Go
            ...
            """
        )
        self.clock.advance(179)
        self.assertTrue(self.client.is_usable)
        self.assertGreater(self.transport.unread(), 1000)
        self.transport._out.clear()
        self.client.protocol.resumeProducing()
        self.assert_times_out(180)
        self.assertEqual(self.codes(sent), [(451, "4.4.2")])
        self.assertEqual(self.result(sent)[0].text, "Timed out: the server reads no more")

    def test_no_time_runs_while_nothing_is_asked(self) -> None:
        self.connect(PLAIN)
        self.clock.advance(100_000)
        self.assertTrue(self.client.is_usable)
        noop = self.client.noop()
        self.assert_times_out(300)
        self.error(noop, ServerTimeout)
