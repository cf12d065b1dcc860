"""What is glued to STARTTLS in plaintext is not heard inside TLS, by our servers and by our client.

CVE-2011-0411 for servers; "NO STARTTLS" (CVE-2021-38371 and others) for servers and clients:
somebody between the two adds octets where only he can, and hopes that they count as said
by, or to, the one who is authenticated.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mailproto.client.errors import ClientError, ProtocolViolation, TLSFailed
from mailproto.smtp import SMTPClient
from mailproto.tls import server_tls
from tests.interop.server import HOST, PATIENCE, shared
from tests.interop.sink import certificate, reactor
from tests.interop.test_mta_servers import trust

PROTOCOLS = {
    "smtp": (b"EHLO client.test\r\n", b"STARTTLS\r\n", (b"NOOP\r\n", b"EHLO evil.test\r\n", b"QUIT\r\n")),
    "submission": (b"EHLO client.test\r\n", b"STARTTLS\r\n", (b"MAIL FROM:<a@example.com>\r\n",)),
    "lmtp": (b"LHLO client.test\r\n", b"STARTTLS\r\n", (b"NOOP\r\n",)),
    "pop3": (b"CAPA\r\n", b"STLS\r\n", (b"NOOP\r\n", b"QUIT\r\n")),
    "imap": (b"a CAPABILITY\r\n", b"b STARTTLS\r\n", (b"c NOOP\r\n", b"c LOGOUT\r\n")),
}
"""By listener: a harmless command, that for TLS, and what is glued to it."""


class ServerTests(TestCase):
    def setUp(self) -> None:
        self.server = shared()

    def connect(self, name: str, hello: bytes) -> socket.socket:
        """Greeted, and with an answer to ``hello``."""
        client = socket.create_connection((HOST, self.server.ports[name]), PATIENCE)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        self.assertTrue(client.recv(4096))
        client.sendall(hello)
        self.assertTrue(client.recv(4096))
        return client

    def heard_inside(self, client: socket.socket) -> bytes:
        """What is said inside TLS to a client that has said nothing there; b"" if there is no TLS."""
        with contextlib.suppress(ssl.SSLError, OSError):
            tls = self.server.trust().wrap_socket(client, server_hostname="localhost")
            self.addCleanup(tls.close)
            tls.settimeout(1)
            return tls.recv(4096)
        return b""

    def test_it_works_without(self) -> None:
        """Otherwise the tests below would prove nothing."""
        for name, (hello, starttls, injected) in PROTOCOLS.items():
            client = self.connect(name, hello)
            client.sendall(starttls)
            self.assertTrue(client.recv(4096))
            tls = self.server.trust().wrap_socket(client, server_hostname="localhost")
            self.addCleanup(tls.close)
            tls.sendall(hello + injected[0])
            self.assertTrue(tls.recv(4096), name)

    def test_commands_in_one_segment(self) -> None:
        for name, (hello, starttls, commands) in PROTOCOLS.items():
            for injected in (*commands, commands[0][:3], b"\r\n"):
                with self.subTest(name, injected=injected):
                    client = self.connect(name, hello)
                    client.sendall(starttls + injected)
                    with contextlib.suppress(ConnectionError):  # it may have hung up
                        client.recv(4096)
                    self.assertEqual(self.heard_inside(client), b"")

    def test_commands_in_the_next_segment(self) -> None:
        for name, (hello, starttls, commands) in PROTOCOLS.items():
            for injected in commands:
                with self.subTest(name, injected=injected):
                    client = self.connect(name, hello)
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    client.sendall(starttls)
                    with contextlib.suppress(ConnectionError):
                        client.sendall(injected)
                        client.recv(4096)
                    self.assertEqual(self.heard_inside(client), b"")


class Injector(Protocol):
    """A server with a certificate, and somebody before it who adds to what it says.

    :cvar glued: said in the same segment as the go-ahead.
    :cvar later: said in the next, in plaintext still.
    :ivar heard: all that the client says, inside TLS or not.
    """

    glued = later = b""
    transport: Any

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def connectionMade(self) -> None:
        self.transport.write(b"220 hostile.test\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)
        if data.startswith(b"EHLO"):
            self.transport.write(b"250-hostile.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
        elif data == b"STARTTLS\r\n":
            self.transport.write(b"220 Go ahead\r\n" + self.glued)
            if self.later:
                reactor.callLater(0.05, self.go_on)
            else:
                self.transport.startTLS(server_tls(*certificate()))

    def go_on(self) -> None:
        self.transport.write(self.later)


class ClientTests(TestCase):
    async def start(self, **added: bytes) -> tuple[Injector, ClientError | None]:
        """How it ends for a client that asks for TLS."""
        injectors: list[Injector] = []

        class Hostile(Factory):
            def buildProtocol(self, addr: Any) -> Injector:
                injector = Injector()
                vars(injector).update(added)
                injectors.append(injector)
                return injector

        listening = reactor.listenTCP(0, Hostile(), interface=HOST)
        self.addCleanup(listening.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, HOST, listening.getHost().port)
        client = await SMTPClient.connect(reactor, endpoint, hostname="client.test")
        error = None
        try:
            await client.ehlo()
            await client.starttls(trust())
        except ClientError as caught:
            error = caught
        self.assertEqual(client.is_usable, error is None)
        client.abort()
        await client.closed()
        return injectors[0], error

    async def test_it_works_without(self) -> None:
        injector, error = await self.start()
        self.assertIsNone(error)
        self.assertEqual(injector.heard, [b"EHLO client.test\r\n", b"STARTTLS\r\n", b"EHLO client.test\r\n"])

    async def test_replies_in_one_segment(self) -> None:
        for glued in (b"250-hostile.test\r\n250 AUTH PLAIN\r\n", b"250", b"\r\n", b"535 5.7.8 No\r\n" * 10):
            injector, error = await self.start(glued=glued)
            self.assertIsInstance(error, ProtocolViolation)
            self.assertEqual(injector.heard, [b"EHLO client.test\r\n", b"STARTTLS\r\n"])

    async def test_replies_in_the_next_segment(self) -> None:
        injector, error = await self.start(later=b"250-hostile.test\r\n250 AUTH PLAIN\r\n")
        self.assertIsInstance(error, TLSFailed | ProtocolViolation)
        self.assertNotIn(b"EHLO", b"".join(injector.heard[2:]))
