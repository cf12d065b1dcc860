"""Servers behind a proxy: who the client is, and who is believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.connection import ServerFactory
from mailproto.connection.limits import Limits
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.content import Content
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.model import Envelope, Outcome
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from mailproto.tls import ensure_self_signed, server_tls
from tests.asking import AskingClient
from tests.connection.test_proxy_header import BAD, TCP4, TCP6, v2
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery, Realm

V1 = b"PROXY TCP4 203.0.113.9 198.51.100.2 40000 25\r\n"
GREETING = b"220 mx.example ESMTP mailproto\r\n"


class ProxiedTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.delivery = FakeDelivery()
        self.factory: ServerFactory = SMTPServerFactory(
            self.delivery,
            clock=self.clock,
            hostname="mx.example",
            limits=SMTPLimits(connections_per_peer=1, greeting_wait=0),
        )
        self.proxied = self.behind("127.0.0.1", "192.0.2.0/24")

    def behind(self, *proxies: str) -> ProxiedFactory:
        return ProxiedFactory(
            self.factory,
            Networks(proxies),
            clock=self.clock,
            limits=Limits(proxy_timeout=5, proxy_header=300),
        )

    def connect(self, peer: str = LOOPBACK) -> MemoryTransport:
        protocol = self.proxied.buildProtocol(IPv4Address("TCP", peer, 40000))
        assert isinstance(protocol, Protocol)
        return MemoryTransport(protocol, peer)

    def peer_of(self, transport: MemoryTransport) -> tuple[str, bool]:
        """What the server takes the only client for."""
        (connection,) = self.factory.connections
        return connection.peer_address, connection.is_local


class HeaderTests(ProxiedTestCase):
    def test_the_client_is_whom_the_proxy_names(self) -> None:
        for header, client in (
            (V1, "203.0.113.9"),
            (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"),
            (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n", "203.0.113.9"),
            (v2(0x21, 0x11, TCP4), "192.0.2.1"),
            (v2(0x21, 0x21, TCP6 + b"\x04\x00\x01\x00"), "2001:db8::1"),
        ):
            for piece in (0, 1):
                with self.subTest(header=header, piece=piece):
                    transport = self.connect()
                    transport.send(header, piece)
                    self.assertEqual(transport.read(), GREETING)
                    self.assertEqual(self.peer_of(transport), (client, False))
                    transport.drop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_greeting_before_it_is_whole(self) -> None:
        transport = self.connect()
        transport.send(V1[:-1])
        self.assertEqual(transport.read(), b"")
        transport.send(V1[-1:])
        self.assertEqual(transport.read(), GREETING)

    def test_clients_of_which_it_knows_no_address(self) -> None:
        """Wherever the proxy is, they are no clients of this machine."""
        for header in (
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 2\r\n",
            v2(0x21, 0x00, b""),
            v2(0x21, 0x12, TCP4),
            v2(0x21, 0x22, TCP6),
            v2(0x21, 0x31, bytes(216) + b"\x04\x00\x01\x00"),
            v2(0x21, 0x32, bytes(216)),
        ):
            for proxy in (LOOPBACK, ELSEWHERE):
                with self.subTest(header=header, proxy=proxy):
                    transport, second = self.connect(proxy), self.connect(proxy)
                    transport.send(header)
                    self.assertEqual(transport.read(), GREETING)
                    self.assertEqual(self.peer_of(transport), ("", False))
                    (connection,) = self.factory.connections
                    self.assertEqual(str(connection.peer), f"unknown via {proxy}")
                    second.send(header)  # they count as one
                    self.assertEqual(second.read()[:4], b"421 ")
                    transport.drop()

    def test_the_proxys_own_connections(self) -> None:
        """They wait for no greeting, count under no limit, and are no clients of this machine."""
        self.factory.limits = SMTPLimits(connections_per_peer=1, greeting_wait=2)
        for header in (
            v2(0x20, 0, b""),
            v2(0x20, 0x11, TCP4),
            b"PROXY TCP4 %b 192.0.2.9 40000 25\r\n",
            b"PROXY TCP6 ::ffff:%b ::ffff:192.0.2.9 40000 25\r\n",
        ):
            for proxy in (LOOPBACK, ELSEWHERE):
                with self.subTest(header=header, proxy=proxy):
                    transports = [self.connect(proxy) for _ in range(3)]
                    for transport in transports:
                        transport.send(header.replace(b"%b", proxy.encode()))
                        self.assertEqual(transport.read(), GREETING)
                    peers = {(str(one.peer), one.peer_address) for one in self.factory.connections}
                    self.assertEqual(peers, {(proxy, proxy)})
                    self.assertFalse(any(one.is_local for one in self.factory.connections))
                    for transport in transports:
                        transport.drop()
                    self.assertEqual((self.factory._peers, self.factory.connections), ({}, set()))

    def test_a_client_on_the_proxys_machine_is_a_client(self) -> None:
        self.factory.limits = SMTPLimits(connections_per_peer=1, greeting_wait=2)
        for proxy in (LOOPBACK, ELSEWHERE):
            transport = self.connect(proxy)
            transport.send(b"PROXY TCP4 %b 192.0.2.9 40001 25\r\n" % proxy.encode())
            self.assertEqual(transport.read(), b"")
            self.clock.advance(2)
            self.assertEqual(transport.read(), GREETING)
            transport.drop()

    def test_health_checks_that_only_connect(self) -> None:
        """HAProxy's close with a reset, before or after the header; that is worth no warning."""
        for header in (b"", V1[:10], V1, v2(0x20, 0, b"")):
            with self.subTest(header=header), capturedLogs() as events:
                transport = self.connect()
                transport.send(header)
                transport._lose(Failure(ConnectionLost()))
                levels = {event["log_level"] for event in events}
                self.assertLessEqual(levels, {LogLevel.debug, LogLevel.info})

    def test_a_proxy_that_sends_no_header(self) -> None:
        with capturedLogs() as events:
            self.connect(ELSEWHERE).send(b"EHLO a\r\n")
            self.connect(ELSEWHERE)
            self.clock.advance(5)
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                "192.0.2.1: listed as a proxy, but sent no PROXY header",
                "192.0.2.1: listed as a proxy, but sent no PROXY header in 5 seconds",
            ],
        )

    def test_local_to_the_proxy_is_not_local_to_us(self) -> None:
        for header in (b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", b"PROXY TCP6 ::ffff:127.0.0.1 ::1 1 2\r\n"):
            transport = self.connect(ELSEWHERE)
            transport.send(header)
            self.assertEqual(self.peer_of(transport), (ELSEWHERE, False))
            transport.drop()

    def test_both_ends_are_renamed(self) -> None:
        transport = self.connect()
        transport.send(V1)
        self.assertEqual(transport.getPeer(), IPv4Address("TCP", "203.0.113.9", 40000))
        self.assertEqual(transport.getHost(), IPv4Address("TCP", "198.51.100.2", 25))

    def test_what_stands_behind_it_is_the_clients(self) -> None:
        for piece in (0, 1):
            transport = self.connect()
            transport.send(V1 + b"HELO a\r\nNOOP\r\n", piece)
            self.assertEqual(transport.read(), GREETING + b"250 mx.example\r\n250 2.0.0 OK\r\n")
            transport.drop()

    def test_connections_are_counted_by_client(self) -> None:
        first, second, other = self.connect(), self.connect(), self.connect()
        first.send(V1)
        second.send(V1)
        other.send(V1.replace(b".9 ", b".10 "))
        self.assertEqual(first.read(), GREETING)
        self.assertEqual(second.read()[:10], b"421 4.3.2 ")
        self.assertFalse(second.is_open)
        self.assertEqual(other.read(), GREETING)


class TwistedEndpointTests(ProxiedTestCase):
    """Behind Twisted's own ``haproxy:`` endpoints, which name the client after the connection is made."""

    def setUp(self) -> None:
        super().setUp()
        self.wrapped = HAProxyWrappingFactory(self.factory)
        self.wrapped.noisy = False

    def connect(self, peer: str = LOOPBACK) -> MemoryTransport:
        return MemoryTransport(self.wrapped.buildProtocol(IPv4Address("TCP", peer, 40000)), peer)

    def test_the_client_is_the_one_that_the_proxy_names(self) -> None:
        for header, client in (
            (V1, ("203.0.113.9", False)),
            (b"PROXY TCP4 127.0.0.1 127.0.0.1 40001 25\r\n", (LOOPBACK, True)),
            (v2(0x21, 0x11, TCP4), ("192.0.2.1", False)),
            (v2(0x21, 0x21, TCP6), ("2001:db8::1", False)),
            (b"PROXY UNKNOWN x\r\n", ("", False)),
            (v2(0x20, 0, b""), ("", False)),
        ):
            transport = self.connect()
            self.assertEqual(self.peer_of(transport), ("", False))
            transport.send(header)
            transport.send(b"HELO a\r\n")
            self.assertEqual(transport.read(), GREETING + b"250 mx.example\r\n")
            self.assertEqual(self.peer_of(transport), client, header)
            transport.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n")
            envelope, _ = self.delivery.delivered[-1]
            self.assertEqual(envelope.session.peer, client[0])
            transport.drop()
        self.assertEqual(self.factory._peers, {})

    def test_no_password_in_clear(self) -> None:
        """Though the proxy is on this machine: neither before it has named a client nor afterwards."""
        portal = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse()])
        factory = HAProxyWrappingFactory(IMAPServerFactory(portal, clock=self.clock, hostname="mx.example"))
        factory.noisy = False
        for header in (V1, b"PROXY UNKNOWN x\r\n"):
            transport = MemoryTransport(factory.buildProtocol(None), LOOPBACK)
            self.assertIn(b"LOGINDISABLED", transport.read())
            transport.send(header + b"a CAPABILITY\r\n")
            self.assertIn(b"LOGINDISABLED", transport.read())
            transport.drop()

    def test_the_log_names_both(self) -> None:
        transport = self.connect()
        transport.send(V1 + b"HELO a\r\n")
        (connection,) = self.factory.connections
        self.assertEqual(str(connection.peer), "203.0.113.9 via 127.0.0.1")
        transport.drop()

    def test_a_client_on_the_proxys_machine_is_not_on_ours(self) -> None:
        transport = self.connect("192.0.2.7")
        transport.send(V1.replace(b"203.0.113.9", b"127.0.0.1") + b"HELO a\r\n")
        self.assertEqual(self.peer_of(transport), ("192.0.2.7", False))
        transport.drop()

    def test_connections_are_counted_by_client(self) -> None:
        first = self.connect("192.0.2.7")
        first.send(V1 + b"HELO a\r\n")
        second = self.connect("192.0.2.7")
        second.send(V1 + b"HELO a\r\n")
        self.assertIn(b"\r\n421 4.3.2 ", second.read())
        self.assertFalse(second.is_open)
        other = self.connect("192.0.2.7")
        other.send(V1.replace(b".9 ", b".10 ") + b"HELO a\r\n")
        self.assertTrue(other.is_open)
        for transport in (first, other):
            transport.drop()
        self.assertEqual(self.factory._peers, {})


class RefusalTests(ProxiedTestCase):
    def test_no_header_no_greeting(self) -> None:
        for data in BAD:
            for piece in (0, 1):
                with self.subTest(data=data, piece=piece):
                    transport = self.connect()
                    transport.send(data, piece)
                    self.assertTrue(transport.was_aborted)
                    self.assertEqual(transport.read(), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.factory.connections, set())

    def test_too_long(self) -> None:
        transport = self.connect()
        transport.send(v2(0x21, 0x11, TCP4 + bytes(289)))
        self.assertTrue(transport.was_aborted)

    def test_silence(self) -> None:
        transport = self.connect()
        transport.send(V1[:10])
        self.clock.advance(4.9)
        self.assertTrue(transport.is_open)
        self.clock.advance(0.2)
        self.assertTrue(transport.was_aborted)
        self.assertEqual(transport.read(), b"")

    def test_nothing_is_heard_behind_a_bad_one(self) -> None:
        transport = self.connect()
        transport.abortConnection = lambda: None  # type: ignore[method-assign]
        transport.send(b"x")
        transport.send(V1)
        self.assertEqual(transport.read(), b"")

    def test_a_proxy_that_goes_away(self) -> None:
        transport = self.connect()
        transport.send(V1[:10])
        transport.drop()
        self.assertEqual((self.clock.getDelayedCalls(), self.proxied.waiting), ([], set()))

    def test_the_server_stops(self) -> None:
        self.proxied.doStart()
        transport = self.connect()
        self.proxied.doStop()
        self.assertTrue(transport.was_aborted)
        self.assertEqual((self.clock.getDelayedCalls(), self.proxied.waiting), ([], set()))

    def test_others_are_not_believed(self) -> None:
        transport = self.connect("198.51.100.1")
        self.assertEqual(transport.read(), GREETING)
        self.assertEqual(self.peer_of(transport), ("198.51.100.1", False))
        transport.send(V1)
        self.assertEqual(transport.read(), b"500 5.5.2 Command not recognised\r\n")
        self.assertEqual(self.peer_of(transport), ("198.51.100.1", False))

    def test_one_header_is_enough(self) -> None:
        transport = self.connect()
        transport.send(V1 + V1.replace(b".9", b".8"))
        self.assertEqual(transport.read(), GREETING + b"500 5.5.2 Command not recognised\r\n")
        self.assertEqual(self.peer_of(transport), ("203.0.113.9", False))

    def test_unix_sockets_are_listed_by_name(self) -> None:
        address = UNIXAddress(b"/run/client")
        self.assertIs(type(self.proxied.buildProtocol(address)), type(self.factory.buildProtocol(None)))
        self.proxied = self.behind("unix")
        protocol = self.proxied.buildProtocol(address)
        assert isinstance(protocol, Protocol)
        transport = MemoryTransport(protocol, "")
        transport.send(V1)
        self.assertEqual(transport.read(), GREETING)
        self.assertEqual(self.peer_of(transport), ("203.0.113.9", False))

    def test_a_factory_that_wants_nobody(self) -> None:
        self.factory.buildProtocol = lambda addr: None  # type: ignore[assignment, misc]
        transport = self.connect()
        transport.send(V1)
        self.assertTrue(transport.was_aborted)


class ProtocolTests(DialogueTestCase):
    """The same for each protocol, and what follows from who the client is."""

    limits = SMTPLimits(greeting_wait=0)

    def behind(self, factory: ServerFactory, header: bytes) -> MemoryTransport:
        proxied = ProxiedFactory(factory, Networks([LOOPBACK]), clock=self.clock)
        protocol = proxied.buildProtocol(IPv4Address("TCP", LOOPBACK, 1))
        assert isinstance(protocol, Protocol)
        transport = MemoryTransport(protocol, LOOPBACK)
        transport.send(header, 1)
        return transport

    def test_the_trace_names_the_client(self) -> None:
        self.delivery = FakeDelivery()
        factory = SMTPServerFactory(
            self.delivery, clock=self.clock, hostname="mx.example", limits=self.limits
        )
        transport = self.behind(factory, V1)
        transport.read()
        transport.send(b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n")
        self.assertIn(b"250 2.0.0 Taken", transport.read())
        envelope, content = self.delivery.delivered[0]
        self.assertEqual(envelope.session.peer, "203.0.113.9")
        self.assertTrue(content.startswith(b"Received: from a ([203.0.113.9])\r\n"), content)

    def test_no_password_in_clear_from_elsewhere(self) -> None:
        """Though the proxy itself is on this machine."""
        for header, allowed in (
            (b"PROXY TCP4 127.0.0.1 127.0.0.1 40001 25\r\n", True),
            (V1, False),
            (b"PROXY UNKNOWN\r\n", False),
            (v2(0x20, 0, b""), False),  # HAProxy says so of clients at its Unix sockets, too
            (v2(0x21, 0, b""), False),
            (v2(0x21, 0x12, TCP4), False),
            (v2(0x21, 0x31, bytes(216)), False),
        ):
            smtp = SMTPServerFactory(
                FakeDelivery(),
                clock=self.clock,
                hostname="mx.example",
                portal=self.portal,
                limits=self.limits,
            )
            pop3 = POP3ServerFactory(self.portal, clock=self.clock, hostname="mx.example")
            imap = IMAPServerFactory(self.portal, clock=self.clock, hostname="mx.example")
            for factory, command, offer in (
                (smtp, b"EHLO a\r\n", b" PLAIN"),
                (pop3, b"CAPA\r\n", b" PLAIN"),
                (imap, b"a CAPABILITY\r\n", b"AUTH=PLAIN"),
            ):
                with self.subTest(factory=factory, allowed=allowed):
                    transport = self.behind(factory, header)
                    transport.read()
                    transport.send(command)
                    self.assertEqual(offer in transport.read(), allowed)
                    transport.drop()

    def test_a_proxys_own_connections_on_each(self) -> None:
        settings: dict[str, Any] = {"clock": self.clock, "hostname": "mx.example"}
        smtp = SMTPLimits(connections_per_peer=1, greeting_wait=2)
        for factory in (
            SMTPServerFactory(FakeDelivery(), **settings, limits=smtp),
            LMTPServerFactory(FakeDelivery(), **settings, limits=smtp),
            POP3ServerFactory(self.portal, **settings, limits=POP3Limits(connections_per_peer=1)),
            IMAPServerFactory(self.portal, **settings, limits=IMAPLimits(connections_per_peer=1)),
        ):
            with self.subTest(factory=factory):
                for header, greeted in ((v2(0x20, 0, b""), 3), (b"PROXY UNKNOWN\r\n", 1)):
                    transports = [self.behind(factory, header) for _ in range(3)]
                    self.clock.advance(3)
                    for transport in transports:
                        transport.read()
                    self.assertEqual(sum(transport.is_open for transport in transports), greeted)
                    for transport in transports:
                        transport.drop()
                self.assertEqual((factory._peers, factory.connections), ({}, set()))


class SocketTests(TestCase):
    """With real transports: TLS before and behind the greeting."""

    async def connect(self, wrap: Callable[[Any, Any], Any]) -> AskingClient:
        folder = self.mktemp()
        os.mkdir(folder)
        reactor: Any = installed
        tls = server_tls(*ensure_self_signed(folder, "mx.example"))
        self.delivery = FakeDelivery()
        factory = self.factory = SMTPServerFactory(
            self.delivery, clock=reactor, hostname="mx.example", tls=tls, limits=SMTPLimits(greeting_wait=0)
        )
        proxied = ProxiedFactory(wrap(tls, factory), Networks(["127.0.0.1"]), clock=reactor)
        port = reactor.listenTCP(0, proxied, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.shut_down)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client: AskingClient = await connectProtocol(endpoint, AskingClient())
        return client

    async def deliver(
        self, client: AskingClient, peer: str = "203.0.113.9", name: str = "203.0.113.9 via 127.0.0.1"
    ) -> None:
        (connection,) = self.factory.connections
        self.assertEqual((str(connection.peer), connection.is_local), (name, False))
        await client.ask(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"\r\n354 ")
        await client.ask(b"Subject: x\r\n\r\ny\r\n.\r\n", b"\r\n")
        envelope, content = self.delivery.delivered[0]
        self.assertEqual(envelope.session.peer, peer)
        self.assertIsNotNone(envelope.session.tls)
        shown = f" ([{peer}])" if peer else ""
        self.assertTrue(content.startswith(f"Received: from a{shown}\r\n".encode()), content)
        await client.ask(b"QUIT\r\n", b"221 ")

    async def test_a_client_that_closes_its_side_gets_its_answers(self) -> None:
        client = await self.connect(lambda tls, factory: factory)
        await client.ask(V1, GREETING)
        deliver = self.delivery.deliver

        async def slowly(envelope: Envelope, content: Content) -> Sequence[Outcome]:
            await deferLater(installed, 0.05)  # type: ignore[arg-type]
            return await deliver(envelope, content)

        self.patch(self.delivery, "deliver", slowly)
        everything = b"HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\n"
        answers = client.ask(everything, b"250 2.0.0 Taken")
        client.transport.loseWriteConnection()  # type: ignore[attr-defined]
        await answers

    async def test_starttls(self) -> None:
        client = await self.connect(lambda tls, factory: factory)
        await client.ask(V1, GREETING)
        await client.ask(b"EHLO a\r\n", b"HELP\r\n")
        await client.ask(b"STARTTLS\r\n", b"220 2.0.0")
        client.transport.startTLS(CertificateOptions())  # type: ignore[attr-defined]
        await self.deliver(client)

    async def test_tls_from_the_first_octet(self) -> None:
        client = await self.connect(
            lambda tls, factory: TLSMemoryBIOFactory(tls, False, factory, clock=installed)
        )
        client.transport.write(V1)
        client.transport.startTLS(CertificateOptions())  # type: ignore[attr-defined]
        await client.ask(b"", GREETING)
        await self.deliver(client)

    async def test_clients_that_are_not_known(self) -> None:
        """Whether TLS comes before the greeting or after it."""
        for header, name, peer in (
            (b"PROXY UNKNOWN\r\n", "unknown via 127.0.0.1", ""),
            (v2(0x20, 0, b""), "127.0.0.1", "127.0.0.1"),
        ):
            client = await self.connect(lambda tls, factory: factory)
            await client.ask(header, GREETING)
            await client.ask(b"STARTTLS\r\n", b"220 2.0.0")
            client.transport.startTLS(CertificateOptions())  # type: ignore[attr-defined]
            await self.deliver(client, peer, name)
            client = await self.connect(
                lambda tls, factory: TLSMemoryBIOFactory(tls, False, factory, clock=installed)
            )
            client.transport.write(header)
            client.transport.startTLS(CertificateOptions())  # type: ignore[attr-defined]
            await client.ask(b"", GREETING)
            await self.deliver(client, peer, name)
