"""A transport in memory that behaves like Twisted's own, with a test at its other end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ISystemHandle, ITLSTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

LOOPBACK = "127.0.0.1"
ELSEWHERE = "192.0.2.1"


class FakeTLS:
    """The methods of a pyOpenSSL connection that servers use; it has no channel bindings."""

    def get_protocol_version(self) -> int:
        return SSL.TLS1_2_VERSION

    def get_protocol_version_name(self) -> str:
        return "TLSv1.2"

    def get_cipher_name(self) -> str:
        return "TLS_FAKE"

    def get_certificate(self) -> None:
        return None

    def get_peer_certificate(self) -> None:
        return None

    def get_peer_finished(self) -> bytes | None:
        return b"finished"

    def get_context(self) -> SSL.Context:
        return SSL.Context(SSL.TLS_SERVER_METHOD)


@implementer(ITLSTransport, ISystemHandle)
class MemoryTransport:
    """Connects a protocol to a test; a `Dialogue` uses it, and a test may use it directly.

    It holds what the protocol writes until the test reads it.  Past ``capacity`` octets it pauses the
    protocol's producer, as with a full socket buffer.  Closing waits for unread octets and for the
    producer; aborting does not.

    :ivar is_reading: whether the protocol reads; octets that are sent while it does not are kept.
    :ivar is_open: True until the protocol's ``connectionLost`` is called.
    :ivar writes: how often the protocol wrote.
    """

    def __init__(
        self, protocol: Protocol, peer: str = LOOPBACK, *, capacity: int = 1 << 16, tls: bool = False
    ) -> None:
        self.protocol = protocol
        self.capacity = capacity
        self.is_reading = self.is_open = True
        self.was_aborted = False
        self.writes = 0
        self.no_delay = False
        self.tls: Any = None
        self._peer = IPv4Address("TCP", peer, 40000)
        self._out = bytearray()
        self._in = bytearray()
        self._producer: Any = None
        self._producer_paused = False
        self._closing = False
        if tls:
            alsoProvides(self, ISSLTransport)
        protocol.makeConnection(self)

    # -- the client's end

    def send(self, data: bytes, piece: int = 0) -> None:
        """Send ``data`` to the protocol, in pieces of ``piece`` octets if that is not 0."""
        for start in range(0, len(data), piece or len(data) or 1):
            self._in += data[start : start + (piece or len(data))]
            self._deliver()

    def read(self) -> bytes:
        """Everything that the protocol wrote since the last call."""
        read = bytearray()
        while self._out:  # reading may make the protocol write more
            read += self._out
            self._out.clear()
            if self._producer_paused and self._producer is not None:
                self._producer_paused = False
                self._producer.resumeProducing()
        self._maybe_close()
        return bytes(read)

    @property
    def disconnecting(self) -> bool:
        """Whether the protocol has closed the connection (`LineReceiver` asks)."""
        return self._closing

    def unread(self) -> int:
        """The number of octets that the protocol wrote and the test has not read."""
        return len(self._out)

    def drop(self) -> None:
        """Lose the connection without closing it."""
        self._lose(Failure(ConnectionDone()))

    # -- the protocol's end

    def write(self, data: bytes) -> None:
        if not self.is_open:
            return
        self.writes += 1
        self._out += data
        if len(self._out) > self.capacity and self._producer is not None:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self._closing = True
        self._maybe_close()

    def abortConnection(self) -> None:
        self.was_aborted = True
        self._lose(Failure(ConnectionAborted()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self._producer is None
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        self._maybe_close()

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True
        self._deliver()

    def startTLS(self, context: Any) -> None:
        """From now on the transport claims to use TLS; octets are not encrypted."""
        self.tls = context
        alsoProvides(self, ISSLTransport)

    def getHandle(self) -> FakeTLS:
        """Servers treat it as a transport of the network, so that tests can have peers elsewhere."""
        return FakeTLS()

    def getTcpNoDelay(self) -> bool:
        return self.no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Has no effect."""

    def loseWriteConnection(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return self._peer

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", LOOPBACK, 1)

    def _deliver(self) -> None:
        while self._in and self.is_reading and self.is_open:
            data = bytes(self._in)
            self._in.clear()
            self.protocol.dataReceived(data)

    def _maybe_close(self) -> None:
        if self._closing and not self._out and self._producer is None:
            self._lose(Failure(ConnectionDone()))

    def _lose(self, reason: Failure) -> None:
        if self.is_open:
            self.is_open = False
            if self._producer is not None:
                self._producer.stopProducing()
            self.protocol.connectionLost(reason)
