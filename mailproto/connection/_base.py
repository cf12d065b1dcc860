"""The common base of server and client connections: the transport, output, and closing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from twisted.internet.interfaces import IDelayedCall, IPushProducer, ISSLTransport, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._twisted_internals import tls_connection, tls_layer, writer_of
from mailproto.connection._compression import Deflater
from mailproto.connection._peer import NOT_CONNECTED, Peer, peer_of
from mailproto.connection._turn import Turn, turn_of
from mailproto.model import TLSInfo
from mailproto.typing import ClientTLSContext, ServerTLSContext

__all__ = ["OCTETS_AT_ONCE", "Connection"]

OCTETS_AT_ONCE = 1 << 16
"""Octets that are collected before they are written to the transport."""

P = ParamSpec("P")
R = TypeVar("R")

_HERE: ContextVar[object] = ContextVar("mailproto connection")
"""The connection to which the current context belongs."""


@implementer(IPushProducer)
class Connection(Protocol):
    """One end of a connection: sends what is written in order, in few writes, and soon.

    A subclass sets `_pumping` while it handles events, and calls `_flush` after them.  If this connection
    is served in a turn with others, the output is sent at the end of that turn, or else at once.

    Each connection has its own context (`contextvars`), copied when the connection is made.  All its work
    runs in that context, also after a wait and in timers.  Only this connection's later events see
    variables that are set there.

    :ivar peer: the other end of the connection; its ``str`` is for the log.
    :ivar peer_address: the other end's IP address, "" over a Unix socket.
    :ivar is_local: whether the other end is on this machine.
    :ivar counts_octets: whether octets are counted, which costs 1 % of an SMTP server's time.
    :ivar octets_out: how many octets were sent, inside TLS before encryption, if they are counted.
    """

    transport: Any  # several of Twisted's interfaces at once

    def __init__(self) -> None:
        self._set_peer(NOT_CONNECTED)
        self._unsent: list[bytes] = []
        self._unsent_octets = 0
        self.counts_octets = False
        self.octets_out = 0
        self._pumping = False
        self._writable = True
        self._open = False
        self._ending = False
        self._progress = 0.0
        self._timer: IDelayedCall | None = None
        self._deflater: Deflater | None = None
        self._turn: Turn | None = None
        self._is_listed = False  # whether the turn sends our output at its end
        self._write_out: Callable[[Sequence[bytes]], object] | None = None  # to `_writes_to`
        self._writes_to: Any = None
        self._context = copy_context()
        self._mark = object()
        self._is_inside = False  # the context

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, and we have not begun to close it."""
        return self._open and not self._ending

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on, or about to be."""
        transport = self.transport
        return bool(ISSLTransport.providedBy(transport)) or tls_connection(transport) is not None

    def tls_info(self) -> TLSInfo | None:
        """The negotiated TLS parameters; None in plaintext."""
        connection = tls_connection(self.transport)
        if connection is None:
            return None
        return TLSInfo(connection.get_protocol_version_name(), connection.get_cipher_name() or "")

    def write(self, data: bytes) -> None:
        """Send ``data`` after everything written before; ignored once the connection is being closed."""
        if self._ending:
            return
        self._unsent.append(data)
        self._unsent_octets += len(data)
        if not self._pumping:
            self._flush()

    def _write_pieces(self, pieces: Sequence[bytes]) -> None:
        """As `write`, of pieces one after the other, which are not joined if they are much."""
        if self._ending:
            return
        self._unsent += pieces
        self._unsent_octets += sum(map(len, pieces))
        if not self._pumping:
            self._flush()

    def abort(self) -> None:
        """Close now, and drop unsent data."""
        self._ending = True
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def in_context(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call in this connection's context; for calls from outside, such as the hints of a watch.

        :returns: what the call returns.
        """
        if not self._is_inside:
            self._is_inside = True
            try:
                return self._context.run(call, *args, **kwargs)
            finally:
                self._is_inside = False
        if _HERE.get(None) is self._mark:
            return call(*args, **kwargs)
        # This call came through another connection: a context cannot be entered twice.
        return self._context.copy().run(call, *args, **kwargs)

    def makeConnection(self, transport: ITransport) -> None:
        """See `IProtocol`."""
        self._turn = turn_of(transport)
        self._context = copy_context()
        self._context.run(_HERE.set, self._mark)
        self.in_context(super().makeConnection, transport)

    def connectionMade(self) -> None:
        self._open = True
        transport = self.transport
        self._set_peer(peer_of(transport))
        if ITCPTransport.providedBy(transport):
            # We write whole replies: waiting for the other end's ACK would only delay them.
            with suppress(OSError):  # Unix sockets do not have this option, but an older Twisted sets it
                transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._ending = True
        self._write_out = self._writes_to = None
        self._writable = True
        self._unsent.clear()
        if self._deflater is not None:
            self._deflater.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pauseProducing(self) -> None:
        """The transport's buffer is full: begin nothing new (IPushProducer)."""
        self._writable = False

    def resumeProducing(self) -> None:
        """The other end has read what was sent (IPushProducer)."""
        self._writable = True

    def stopProducing(self) -> None:
        """The transport has closed (IPushProducer)."""
        self._writable = True

    def _set_peer(self, peer: Peer) -> None:
        """Record who is at the other end."""
        self.peer, self.peer_address, self.is_local = peer, peer.address, peer.is_local

    def when_sent(self, call: Callable[[], object]) -> None:
        """If there is time after this turn's replies, call what prepares the next one in less than 0.5 ms."""
        turn = self._turn
        if turn is not None and turn.is_running:
            turn.when_sent.append(call)  # outside of our context, because it runs no code of others

    def _flush(self) -> None:
        """Send unsent data, at the end of this turn if there is one."""
        turn = self._turn
        if turn is None or not turn.is_running or self._unsent_octets >= OCTETS_AT_ONCE:
            self._send_now()
        elif not self._is_listed:
            self._is_listed = True
            turn.at_end.append(self._send_now)

    def _send_now(self) -> None:
        """Send unsent data now."""
        self._is_listed = False
        unsent = self._unsent
        if not unsent:
            return
        pieces, self._unsent = unsent, []
        self._unsent_octets = 0
        if not self._open:
            return
        if self._deflater is not None:
            pieces = [self._deflater.compress(b"".join(pieces))]
        if self.counts_octets:
            self.octets_out += sum(map(len, pieces))
        write_out = self._write_out
        if write_out is None or self._writes_to is not self.transport:
            self._writes_to = self.transport  # a protocol may have replaced it by a wrapper
            write_out = self._write_out = writer_of(self.transport)
        write_out(pieces)

    def _begin_tls(self, tls: ServerTLSContext | ClientTLSContext, received: bytes = b"") -> None:
        """Send unsent data in plaintext, and then start TLS.

        :param received: the first octets of the handshake, if they have arrived already.
        """
        self._send_now()
        self.transport.startTLS(tls)
        self._write_out = None
        if received:
            layer = tls_layer(self.transport)
            if layer is None:
                self.abort()  # the wire would read them as if they had been sent inside TLS
            else:
                layer.dataReceived(received)

    def _close_when_sent(self) -> None:
        """Close the connection once everything is sent."""
        # A transport that still has a producer waits for it before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
