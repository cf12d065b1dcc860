"""Who is at the other end: for the protocols, for limits, and for the log."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import (
    ProcessEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    connectProtocol,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.connection import UNKNOWN, Peer, ServerFactory
from mailproto.connection._peer import peer_at, peer_of
from mailproto.connection.proxy import UNIX, Networks
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from tests.asking import AskingClient
from tests.smtp.server.dialogue import FakeDelivery, Realm


def updates(peer: Peer) -> tuple[str, str, bool]:
    return peer.address, str(peer), peer.is_local


class PeerTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        for host, address, name, is_local, network in (
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", False, "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", False, "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1", False, "2001:db8::"),
            ("fe80::1%eth0", "fe80::1", "fe80::1%eth0", False, "fe80::"),
            ("fe80::1%2", "fe80::1", "fe80::1%2", False, "fe80::"),
            ("::1", "::1", "::1", True, "::"),
            ("::1%lo", "::1", "::1%lo", True, "::"),
            ("::ffff:127.0.0.1%lo", "127.0.0.1", "127.0.0.1", True, "127.0.0.1"),
            ("", "", "unix", True, ""),
            ("host.example", "host.example", "host.example", False, "host.example"),
            (UNKNOWN, "", UNKNOWN, False, UNKNOWN),
        ):
            with self.subTest(host=host):
                peer = peer_at(host)
                self.assertEqual((*updates(peer), peer.network), (address, name, is_local, network))

    def test_clients_of_a_proxy(self) -> None:
        for proxy, client, address, name, is_local in (
            ("127.0.0.1", "203.0.113.9", "203.0.113.9", "203.0.113.9 via 127.0.0.1", False),
            ("127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.2 via 127.0.0.1", True),
            ("127.0.0.1", "::ffff:127.0.0.2", "127.0.0.2", "127.0.0.2 via 127.0.0.1", True),
            ("127.0.0.1", UNKNOWN, "", "unknown via 127.0.0.1", False),
            ("", "203.0.113.9", "203.0.113.9", "203.0.113.9 via unix", False),
            ("", "::1", "::1", "::1 via unix", True),
            ("", UNKNOWN, "", "unknown via unix", False),
            # Loopback there is another machine than here.
            ("192.0.2.1", "127.0.0.1", "192.0.2.1", "127.0.0.1 via 192.0.2.1", False),
            ("192.0.2.1", "::1", "192.0.2.1", "::1 via 192.0.2.1", False),
            ("fe80::1%eth0", "fe80::2%eth0", "fe80::2", "fe80::2 via fe80::1%eth0", False),
        ):
            with self.subTest(proxy=proxy, client=client):
                peer = peer_at(proxy).client_at(client)
                self.assertEqual(updates(peer), (address, name, is_local))
                self.assertFalse(peer.is_proxy)

    def test_who_is_not_known_is_in_no_list(self) -> None:
        peer = peer_at("127.0.0.1").client_at(UNKNOWN)
        self.assertNotIn(peer.host, Networks([UNIX, "0.0.0.0/0", "::/0"]))
        self.assertNotEqual(peer.network, peer_at("").network)

    def test_a_chain(self) -> None:
        peer = peer_at("127.0.0.1").client_at("192.0.2.1").client_at("127.0.0.1")
        self.assertEqual(updates(peer), ("192.0.2.1", "127.0.0.1 via 192.0.2.1 via 127.0.0.1", False))

    def test_a_proxy_on_its_own(self) -> None:
        peer = peer_at("127.0.0.1").on_its_own()
        self.assertEqual((*updates(peer), peer.is_proxy), ("127.0.0.1", "127.0.0.1", False, True))

    def test_transports(self) -> None:
        class Transport:
            def __init__(self, peer: Any, host: Any) -> None:
                self.getPeer, self.getHost = lambda: peer, lambda: host

        here = IPv4Address("TCP", "127.0.0.1", 25)
        for peer, host, name in (
            (IPv4Address("TCP", "192.0.2.1", 1), here, "192.0.2.1"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), here, "fe80::1%eth0"),
            (HostnameAddress(b"host", 1), here, "unknown"),
            (object(), object(), "unknown"),
            (UNIXAddress(None), UNIXAddress(None), "unix"),
            (UNIXAddress(b""), UNIXAddress(b"/run/a"), "unix:/run/a"),
            (UNIXAddress(b"/run/a"), UNIXAddress(None), "unix:/run/a"),
            (UNIXAddress(None), UNIXAddress(b"\0abstract"), "unix:@abstract"),
            (UNIXAddress(None), UNIXAddress(b"/run/\xff"), "unix:/run/\\xff"),
        ):
            with self.subTest(peer=peer, host=host):
                self.assertEqual(str(peer_of(Transport(peer, host))), name)


class ProcessTests(TestCase):
    """A program that speaks for us, such as ssh, is a transport of Twisted's, too."""

    async def test_a_client(self) -> None:
        program = "print('220 x', end='\\r\\n', flush=True); input(); print('221 x', end='\\r\\n')"
        endpoint = ProcessEndpoint(installed, sys.executable, [sys.executable, "-c", program])
        client = await SMTPClient.connect(installed, endpoint)
        self.assertEqual((str(client.peer), client.peer.is_local), ("unknown", False))
        await client.quit()


class UnixTests(TestCase):
    """Each protocol says in the log who comes by a Unix socket."""

    async def test_every_protocol(self) -> None:
        reactor: Any = installed
        settings: dict[str, Any] = {"clock": reactor, "hostname": "mx.example"}
        portal = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse()])
        for factory in (
            SMTPServerFactory(FakeDelivery(), **settings, limits=SMTPLimits(connections=0)),
            LMTPServerFactory(FakeDelivery(), **settings, limits=SMTPLimits(connections=0)),
            POP3ServerFactory(portal, **settings, limits=POP3Limits(connections=0)),
            IMAPServerFactory(portal, **settings, limits=IMAPLimits(connections=0)),
        ):
            with self.subTest(factory=factory):
                await self.check(reactor, factory)

    async def check(self, reactor: Any, factory: ServerFactory) -> None:
        path = self.mktemp()
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        with capturedLogs() as events:
            client: AskingClient = await connectProtocol(UNIXClientEndpoint(reactor, path), AskingClient())
            await client.ask(b"", b"oo many connections")
        name = f"unix:{path} (uid {os.geteuid()}, pid {os.getpid()})"
        line = f'turned-away peer="{name}" protocol={factory.service_name} reason="too many connections"'
        self.assertIn(line, [formatEvent(event) for event in events])
        client.transport.abortConnection()  # type: ignore[attr-defined]
        await port.stopListening()
