"""What a server's connection and a client's have in common: the transport below, and the way out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.interfaces import (
    IDelayedCall,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.connection._peer import NOT_CONNECTED, Peer, peer_of
from mailproto.connection._turn import Turn, turn_of
from mailproto.model import TLSInfo

__all__ = ["OCTETS_AT_ONCE", "Connection"]

OCTETS_AT_ONCE = 1 << 16
"""Octets that are collected before they are written."""


@implementer(IPushProducer)
class Connection(Protocol):
    """One end of a connection: what is written leaves in order, in few writes, and soon.

    A subclass sets `_pumping` while it handles events, and calls `_flush` behind them: what
    was written then leaves at the end of the turn in which this connection is served with
    others, or else at once.

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
        self._encrypt: Callable[[bytes], object] | None = None  # instead of the transport's write
        # What is written to directly: None inside TLS, and while the transport holds octets.
        self._socket: Any = None
        self._plain_socket: Any = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that we have not begun to close."""
        return self._open and not self._ending

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on, or about to be."""
        return bool(ISSLTransport.providedBy(self.transport))

    def tls_info(self) -> TLSInfo | None:
        """What was negotiated; None in plaintext."""
        if not self.is_encrypted:
            return None
        connection = self.transport.getHandle()
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

    def connectionMade(self) -> None:
        self._open = True
        transport = self.transport
        self._meet(peer_of(transport))
        if ITCPTransport.providedBy(transport):
            # What is written is whole: waiting for the other end's ACK only delays it.
            with suppress(OSError):  # a Unix socket has none: an older Twisted asks for it all the same
                transport.setTcpNoDelay(True)
        if ISystemHandle.providedBy(transport) and not self.is_encrypted:
            self._socket = self._plain_socket = transport.getHandle()
        self._turn = turn_of(transport)
        self._encrypt = _unbuffered(transport)
        transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._ending = True
        self._socket = self._plain_socket = None
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
        self._socket = self._plain_socket

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
        if self._socket is not None:
            # The transport holds nothing, so this may go before it, and usually all of it goes.
            try:
                sent = self._socket.send(data)
            except OSError:
                sent = 0  # full, or an error that the transport meets again and knows how to treat
            if sent == len(data):
                return
            data = data[sent:]
            self._socket = None  # until the transport says that it is empty
        if self._encrypt is None:
            self.transport.write(data)
        else:
            self._encrypt(data)

    def _speak_tls(self, tls: Any, received: bytes = b"") -> None:
        """Send what is unsent in plaintext, and then speak TLS.

        :param received: the first octets of the handshake, if they have come already.
        """
        self._send_now()
        self._socket = self._plain_socket = None
        self.transport.startTLS(tls)
        self._encrypt = _unbuffered(self.transport)
        if received:
            layer = _tls_layer(self.transport)
            if layer is None:
                self.abort()  # the wire would take them for what was sent inside TLS
            else:
                layer.dataReceived(received)

    def _let_go(self) -> None:
        """Close once everything is sent."""
        # A transport that still has a producer waits for it before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()


def _unbuffered(transport: Any) -> Callable[[bytes], object] | None:
    """Of TLS, the ``write`` that does not wait for more: `Connection` has done that; else None."""
    layer = _tls_layer(transport)
    return None if layer is None else partial(TLSMemoryBIOProtocol.write, layer)


def _tls_layer(transport: Any) -> TLSMemoryBIOProtocol | None:
    """The layer that does TLS: the transport itself, or what ``startTLS`` put into it; None without TLS."""
    for layer in (transport, getattr(transport, "protocol", None)):
        if isinstance(layer, TLSMemoryBIOProtocol):
            return layer
    return None
