"""The server's side of TLS below a connection, in memory: its time, and what it is called."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.limits import Limits
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.imap.extensions import CORE, Tables
from mailproto.imap.server._server import IMAPServer
from mailproto.imap.wire import IMAPServerWire
from mailproto.pop3.server._server import POP3Server
from mailproto.pop3.wire import POP3ServerWire
from mailproto.smtp.server._lmtp import LMTPServer
from mailproto.smtp.server._server import SMTPServer
from mailproto.smtp.wire import SMTPServerWire
from mailproto.testing import ELSEWHERE, MemoryTransport
from mailproto.testing._transport import FakeTLS
from mailproto.tls import ensure_self_signed, server_tls
from tests.test_connection import WordFactory
from tests.tls.stdlib_client import StdlibClient


class TLSTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.tls = server_tls(*ensure_self_signed(folder, "mail.test"))
        self.limits = Limits(handshake=30, first_command=60, idle=300)
        self.factory = WordFactory(self.clock, limits=self.limits, tls=self.tls)

    def connect(self, factory: Any = None) -> None:
        """With TLS from the first octet; ``factory`` stands between TLS and the connection, if given."""
        served = TLSMemoryBIOFactory(self.tls, False, factory or self.factory, clock=self.clock)
        self.protocol = served.buildProtocol(None)
        self.transport = FakeTransport(self.protocol, isServer=True)
        self.protocol.makeConnection(self.transport)
        self.client = StdlibClient()

    def pass_on(self) -> None:
        self.clock.advance(0)
        while self.transport.stream:
            said = b"".join(self.transport.stream)
            self.transport.stream.clear()
            self.client.receive(said)
            if answer := self.client.to_send():
                self.protocol.dataReceived(answer)
            self.clock.advance(0)

    def shake_hands(self) -> None:
        self.protocol.dataReceived(self.client.to_send())
        self.pass_on()

    @property
    def is_gone(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)


class LastWordsTests(TLSTestCase):
    def test_who_does_not_stop_talking_is_cut_off(self) -> None:
        """TLS reads until the client closes its side, too: not for ever."""
        self.connect()
        self.shake_hands()
        self.client.write(b"quit\n")
        self.protocol.dataReceived(self.client.to_send())
        said = 0
        while not self.is_gone and said < 10 << 20:
            self.client.write(b"x" * 16_000)
            said += 16_000
            self.protocol.dataReceived(self.client.to_send())
        self.assertTrue(self.is_gone)
        self.assertGreater(said, 1 << 20)
        self.assertLess(said, 2 << 20)


class HandshakeTimeTests(TLSTestCase):
    def test_silence(self) -> None:
        self.connect()
        self.clock.advance(29)
        self.assertFalse(self.is_gone)
        self.clock.advance(1)
        self.assertTrue(self.is_gone)

    def test_octet_by_octet(self) -> None:
        """Octets are no progress; the handshake's end is."""
        self.connect()
        hello = self.client.to_send()
        for position in range(29):
            self.protocol.dataReceived(hello[position : position + 1])
            self.clock.advance(1)
        self.assertFalse(self.is_gone)
        self.protocol.dataReceived(hello[29:])
        self.clock.advance(1)
        self.assertTrue(self.is_gone)

    def test_done(self) -> None:
        """From then on the time is another one's, whatever stands between TLS and the connection."""
        for factory in (None, WrappingFactory(self.factory)):
            self.connect(factory)
            self.clock.advance(20)
            self.shake_hands()
            self.assertEqual(self.client.read(), b"hello\n")
            self.clock.advance(39)
            self.assertFalse(self.is_gone)
            self.client.write(b"word\n")
            self.protocol.dataReceived(self.client.to_send())
            self.pass_on()
            self.assertEqual(self.client.read(), b"word\n")
            self.clock.advance(299)
            self.assertFalse(self.is_gone)
            self.clock.advance(1)
            self.pass_on()
            self.assertEqual(self.client.read(), b"idle too long\n")

    def test_no_command(self) -> None:
        self.connect()
        self.shake_hands()
        self.clock.advance(59)
        self.assertFalse(self.is_gone)
        self.clock.advance(1)
        self.pass_on()
        self.assertEqual(self.client.read(), b"hello\nidle too long\n")

    def test_other_limits_hold_as_well(self) -> None:
        self.factory.limits = Limits(handshake=30, first_command=10)
        self.connect()
        self.clock.advance(10)
        self.assertTrue(self.is_gone)

    def test_after_the_go_ahead(self) -> None:
        """A client that stops there has its time; one that goes on has more."""
        for finished, lasts in ((None, 30), (b"x", 300)):
            self.patch(FakeTLS, "get_peer_finished", lambda _, finished=finished: finished)
            connection = self.factory.buildProtocol(None)
            transport = MemoryTransport(connection, ELSEWHERE)
            self.clock.advance(50)
            transport.send(b"tls\n")
            self.assertEqual(transport.read(), b"hello\ngo ahead\n")
            self.clock.advance(lasts - 1)
            self.assertTrue(transport.is_open)
            self.clock.advance(1)
            self.assertEqual(transport.read(), b"" if finished is None else b"idle too long\n")
            self.assertFalse(transport.is_open)
            self.assertEqual(transport.was_aborted, finished is None)

    def test_server_stops(self) -> None:
        """A client in its handshake cannot be told, and is not waited for; the others are."""
        self.connect()
        self.factory.shut_down()
        self.assertTrue(self.is_gone)
        self.factory.stopping = False
        self.connect()
        self.shake_hands()
        self.factory.shut_down()
        self.pass_on()
        self.assertEqual(self.client.read(), b"hello\nserver shutting down\n")

    def test_log_has_a_plain_line(self) -> None:
        with capturedLogs() as events:
            self.connect()
            self.clock.advance(30)
        [line] = [formatEvent(event) for event in events if event.get("kind") == "refused"]
        self.assertIn('peer=unknown reply="TLS handshake not done in time"', line)
        self.assertFalse(any("log_failure" in event for event in events))


class HandshakeSizeTests(TLSTestCase):
    def test_too_many_octets(self) -> None:
        """Whether they are one ClientHello, or come one by one; what is asked for in it is not looked at."""
        names = (b"\x01a" * 32_000)[: (1 << 16) - 10]
        extension = b"\x00\x10" + (len(names) + 2).to_bytes(2) + len(names).to_bytes(2) + names
        for piece in (1 << 16, 1000, 24 << 10):
            self.connect()
            hello = with_extension(self.client.to_send(), extension)
            self.assertLess(60_000, len(hello))
            with stopwatch() as seconds:
                while hello and not self.is_gone:
                    self.protocol.dataReceived(hello[:piece])
                    hello = hello[piece:]
            self.assertTrue(self.is_gone)
            self.assertLess(seconds(), 0.03)
            self.protocol.dataReceived(b"\x16\x03\x01\x00\x05hello")  # what was on its way

    def test_large_hello(self) -> None:
        """Such as one with keys of a later century."""
        self.connect()
        self.client = StdlibClient()
        padding = b"\xfa\xfa" + (20_000).to_bytes(2) + bytes(20_000)
        hello = with_extension(self.client.to_send(), padding)
        self.protocol.dataReceived(hello)
        self.assertFalse(self.is_gone)
        self.assertEqual(b"".join(self.transport.stream)[:1], b"\x16")

    def test_much_behind_it(self) -> None:
        """In one piece with the handshake's end: it is no part of it."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.connect()
            self.client = StdlibClient(version=version)
            for _ in range(2):
                self.protocol.dataReceived(self.client.to_send())
                self.client.receive(b"".join(self.transport.stream))
                self.transport.stream.clear()
                if version is ssl.TLSVersion.TLSv1_3:
                    break
            last = self.client.to_send()
            if version is ssl.TLSVersion.TLSv1_2:
                self.assertEqual(last, b"")
            self.client.write(b"x" * 9 + b"\n" + b"word\n" * 10_000)
            self.protocol.dataReceived(last + self.client.to_send())
            self.pass_on()
            self.assertFalse(self.is_gone)
            self.assertEqual(self.client.read().count(b"word\n"), 10_000)


def with_extension(hello: bytes, extension: bytes) -> bytes:
    """A ClientHello with one more (RFC 8446 4.1.2), in as many records as it takes."""
    body = hello[9:]
    at = 2 + 32
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2])
    at += 1 + body[at]
    extensions = body[at + 2 :] + extension
    body = body[:at] + len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(body).to_bytes(3) + body
    pieces = [message[start : start + 16_000] for start in range(0, len(message), 16_000)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


@contextlib.contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Seconds that this thread worked."""
    began = ended = time.thread_time()
    yield lambda: ended - began
    ended = time.thread_time()


class PendingTests(SynchronousTestCase):
    def test_each_wire_gives_up_what_is_no_event_s(self) -> None:
        for wire_class, first in (
            (SMTPServerWire, b"STARTTLS\r\n"),
            (POP3ServerWire, b"STLS\r\n"),
            (partial(IMAPServerWire, syntax=Tables.build(CORE).syntax), b"a STARTTLS\r\n"),
        ):
            for pieces in (
                [first + b"rest\r\n"],
                [first, b"re", b"st\r\n"],
                [first[:3], first[3:] + b"rest\r\n"],
            ):
                wire: Any = wire_class()
                for piece in pieces:
                    wire.receive(piece)
                event = wire.next_event()
                self.assertEqual(wire.pending, 6)
                self.assertEqual(wire.take_pending(), b"rest\r\n")
                self.assertEqual((wire.pending, wire.take_pending(), wire.next_event()), (0, b"", None))
                wire.receive(first)
                self.assertEqual(wire.next_event(), event)


class AlpnTests(TLSTestCase):
    EVERYTHING = ["h2", "imap", "smtp", "pop3"]
    OFFERS = (None, ["imap"], ["pop3"], ["smtp"], ["h2"], EVERYTHING, ["IMAP"], ["x" * 255])
    OWN = {IMAPServer: "imap", POP3Server: "pop3", SMTPServer: "smtp", LMTPServer: ""}

    def negotiated(self, protocol_class: Any, offer: Any, version: Any, between: Any) -> str | None:
        """What is agreed upon with TLS around a connection of this class."""
        served = TLSMemoryBIOFactory(self.tls, False, self.factory, clock=self.clock)
        tls = served.protocol(served, between(protocol_class), False)
        tls.makeConnection(FakeTransport(tls, isServer=True))
        client = StdlibClient(alpn=offer, version=version)
        client.shake_hands(tls.getHandle())
        return client.ssl.selected_alpn_protocol()

    def test_each(self) -> None:
        for protocol_class, own in self.OWN.items():
            for offer in self.OFFERS:
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    for between in (_bare, _behind_a_proxy):
                        with self.subTest(own, offer=offer, version=version):
                            chosen = self.negotiated(protocol_class, offer, version, between)
                            self.assertEqual(chosen, own if own in (offer or ()) else None)

    def test_what_stands_in_between(self) -> None:
        """And has a protocol of its own: nothing is chosen, and nothing fails."""
        self.factory = WordFactory(self.clock, limits=self.limits)
        self.connect(WrappingFactory(self.factory))
        self.client = StdlibClient(alpn=["imap"])
        self.shake_hands()
        self.assertIsNone(self.client.ssl.selected_alpn_protocol())
        self.assertEqual(self.client.read(), b"hello\n")


def _bare(protocol_class: Any) -> Any:
    return protocol_class.__new__(protocol_class)


def _behind_a_proxy(protocol_class: Any) -> Any:
    """STARTTLS finds what reads the proxy's header where it left it."""
    wrapped = Factory.forProtocol(lambda: _bare(protocol_class))
    proxied = ProxiedFactory(wrapped, Networks(["192.0.2.1"]), clock=Clock())
    reading = proxied.buildProtocol(type("Address", (), {"host": "192.0.2.1"}))  # type: ignore[arg-type]
    reading._protocol = _bare(protocol_class)  # type: ignore
    return reading
