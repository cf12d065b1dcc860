"""Both ends of a TLS connection in memory, as Twisted has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.trial.unittest import SynchronousTestCase

from mailproto.tls import ServerTLS, is_verified
from tests.tls.certificates import Pair, make_certificate, write_pair

SECRET = b"AUTH PLAIN AGFsaWNlAHBlbmNpbA==\r\n"


class Recorder(Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = ""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.getErrorMessage()


class Eager(Recorder):
    """Says its secret whenever it can."""

    transport: Any

    def connectionMade(self) -> None:
        self.was_verified = is_verified(self.transport)
        self.transport.write(SECRET)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.writeSequence([SECRET])


class Greeter(Recorder):
    """A server that speaks first."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"220 Hello\r\n")


def limited_to(creator: ServerTLS, version: int | None) -> ServerTLS:
    """The same server, which knows no newer version."""
    if version is not None:
        creator._context.set_options(SSL.OP_NO_TLSv1_3)
    return creator


class HandshakeTestCase(SynchronousTestCase):
    """:ivar authority: the one that the client trusts."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = make_certificate(name="authority")
        self.trust_root, _ = write_pair(self.folder, "authority", self.authority)

    def server(self, pair: Pair, *chain: Pair, version: int | None = None, **more: Any) -> ServerTLS:
        files = write_pair(self.folder, "server", pair)
        with open(files[0], "ab") as file:
            for _, certificate in chain:
                file.write(certificate.public_bytes(Encoding.PEM))
        return limited_to(ServerTLS(*files, **more), version)

    def talk(self, client: Any, server: Any, protocol: Callable[[], Recorder] = Eager) -> None:
        """Until neither has more to say; `self.client` and `self.said_by_client` say what came of it."""
        clock = Clock()
        self.accepted = Greeter()
        self.client = protocol()
        ends = []
        for tls, is_client, end in ((client, True, self.client), (server, False, self.accepted)):
            wrapped_factory = Factory.forProtocol(lambda end=end: end)
            factory = TLSMemoryBIOFactory(tls, is_client, wrapped_factory, clock=clock)
            wrapped = factory.buildProtocol(None)
            ends.append((wrapped, FakeTransport(wrapped, isServer=not is_client)))
        for wrapped, transport in ends:
            wrapped.makeConnection(transport)
        self.handle = ends[1][0].getHandle()  # the server's
        pump = IOPump(ends[0][0], ends[1][0], ends[0][1], ends[1][1], False, clock)
        pump.flush()
        self.is_verified = is_verified(self.client.transport)

    def assert_refused(self, *texts: str) -> None:
        self.assertEqual(self.accepted.heard, b"")
        self.assertEqual(self.client.heard, b"")
        self.assertFalse(self.is_verified)
        self.assertTrue(self.client.lost)
        for text in texts:
            self.assertIn(text, self.client.lost)
        self.assertTrue(self.client.lost.isprintable(), self.client.lost)
        self.assertLess(len(self.client.lost), 700)

    def assert_taken(self) -> None:
        self.assertEqual(self.client.lost, "")
        self.assertTrue(self.is_verified)
        self.assertEqual(self.client.heard, b"220 Hello\r\n")
        self.assertEqual(self.accepted.heard, SECRET * 2)
