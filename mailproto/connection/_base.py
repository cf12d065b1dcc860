"""What a server's connection and a client's have in common: the transport below, and the way out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from twisted.internet.interfaces import IDelayedCall, IPushProducer, ISSLTransport, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._twisted_internals import tls_connection, tls_layer, writer_of
from mailproto.connection._peer import NOT_CONNECTED, Peer, peer_of
from mailproto.connection._turn import Turn, turn_of
from mailproto.model import TLSInfo

__all__ = ["OCTETS_AT_ONCE", "Connection"]

OCTETS_AT_ONCE = 1 << 16
"""Octets that are collected before they are written."""

P = ParamSpec("P")
R = TypeVar("R")

_HERE: ContextVar[object] = ContextVar("mailproto connection")
"""Which connection's context this is, or a copy of."""


@implementer(IPushProducer)
class Connection(Protocol):
    """One end of a connection: what is written leaves in order, in few writes, and soon.

    A subclass sets `_pumping` while it handles events, and calls `_flush` behind them: what
    was written then leaves at the end of the turn in which this connection is served with
    others, or else at once.

    Each connection has a context of its own (`contextvars`), copied when it is made: all that is
    done for it is done there, also after a wait and by timers.  What is set in it is seen by
    this connection's later events, and by nothing else.

    :ivar peer: who is at the other end; for the log, as it is.
    :ivar peer_address: the other end's IP address, "" over a Unix socket.
    :ivar is_local: whether the other end is on this machine.
    """

    transport: Any  # several of Twisted's interfaces at once

    def __init__(self) -> None:
        self._meet(NOT_CONNECTED)
        self._unsent: list[bytes] = []
        self._unsent_octets = 0
        self._pumping = False
        self._writable = True
        self._open = False
        self._ending = False
        self._progress = 0.0
        self._timer: IDelayedCall | None = None
        self._turn: Turn | None = None
        self._is_listed = False  # to be sent for at the end of the turn
        self._write_out: Callable[[bytes], object] | None = None  # to `_writes_to`
        self._writes_to: Any = None
        self._context = copy_context()
        self._mark = object()
        self._is_inside = False  # the context

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that we have not begun to close."""
        return self._open and not self._ending

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on, or about to be."""
        transport = self.transport
        return bool(ISSLTransport.providedBy(transport)) or tls_connection(transport) is not None

    def tls_info(self) -> TLSInfo | None:
        """What was negotiated; None in plaintext."""
        connection = tls_connection(self.transport)
        if connection is None:
            return None
        return TLSInfo(connection.get_protocol_version_name(), connection.get_cipher_name() or "")

    def write(self, data: bytes) -> None:
        """Send, after everything that was written before; dropped when the connection is ending."""
        if self._ending:
            return
        self._unsent.append(data)
        self._unsent_octets += len(data)
        if not self._pumping:
            self._flush()

    def abort(self) -> None:
        """Close now, whatever is unsent."""
        self._ending = True
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    def in_context(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call in this connection's context, wherever we are: for what comes from elsewhere, such as hints.

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
        # From here we came to another connection, and back: a context cannot be entered twice.
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
        self._meet(peer_of(transport))
        if ITCPTransport.providedBy(transport):
            # What is written is whole: waiting for the other end's ACK only delays it.
            with suppress(OSError):  # a Unix socket has none: an older Twisted asks for it all the same
                transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._ending = True
        self._write_out = self._writes_to = None
        self._writable = True
        self._unsent.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pauseProducing(self) -> None:
        """The transport holds more than it can send: begin nothing new (IPushProducer)."""
        self._writable = False

    def resumeProducing(self) -> None:
        """The other end has read what was sent (IPushProducer)."""
        self._writable = True

    def stopProducing(self) -> None:
        """The transport is done (IPushProducer)."""
        self._writable = True

    def _meet(self, peer: Peer) -> None:
        """The other end is ``peer``'s from now on."""
        self.peer, self.peer_address, self.is_local = peer, peer.address, peer.is_local

    def _flush(self) -> None:
        """Send what is unsent, with what others of this turn have to send."""
        turn = self._turn
        if turn is None or not turn.is_running or self._unsent_octets >= OCTETS_AT_ONCE:
            self._send_now()
        elif not self._is_listed:
            self._is_listed = True
            turn.at_end.append(self._send_now)

    def _send_now(self) -> None:
        """Send what is unsent now."""
        self._is_listed = False
        unsent = self._unsent
        if not unsent:
            return
        data = unsent[0] if len(unsent) == 1 else b"".join(unsent)
        unsent.clear()
        self._unsent_octets = 0
        if not self._open:
            return
        write_out = self._write_out
        if write_out is None or self._writes_to is not self.transport:
            self._writes_to = self.transport  # which a protocol may have put another one over
            write_out = self._write_out = writer_of(self.transport)
        write_out(data)

    def _speak_tls(self, tls: Any, received: bytes = b"") -> None:
        """Send what is unsent in plaintext, and then speak TLS.

        :param received: the first octets of the handshake, if they have come already.
        """
        self._send_now()
        self.transport.startTLS(tls)
        self._write_out = None
        if received:
            layer = tls_layer(self.transport)
            if layer is None:
                self.abort()  # the wire would take them for what was sent inside TLS
            else:
                layer.dataReceived(received)

    def _let_go(self) -> None:
        """Close once everything is sent."""
        # A transport that still has a producer waits for it before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
