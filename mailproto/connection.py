"""What every server connection shares, whatever it speaks.

A `ServerConnection` is the typed shell around a sans-IO wire: octets go in, events
come out one at a time, in order.

- While a handler's awaitable is pending, the next event waits; the limits do not:
  what arrives meanwhile is bounded, by pausing the transport.
- Replies leave in the order they were written, in as few writes as possible, and at
  once instead of on the reactor's next turn.
- While the client does not read, no further command is begun, and a handler that
  produces much waits in `ServerConnection.drained`.
- What was received in plaintext behind the command that starts TLS closes the
  connection (RFC 3207 4.2, CVE-2011-0411).
- Whole events, not octets, reset the idle timer: a client that sends an octet a
  minute is as idle as one that sends none.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Awaitable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from typing import Protocol as Structure

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ISystemHandle,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.errors import MailError, Unavailable, WireError
from mailproto.model import TLSInfo

__all__ = ["Farewell", "Limits", "ServerConnection", "ServerFactory", "Wire"]

EventT = TypeVar("EventT")
EventT_co = TypeVar("EventT_co", covariant=True)


class Wire(Structure[EventT_co]):
    """The server's side of a protocol as octets in, events out (sans-IO)."""

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""

    def receive(self, data: bytes) -> None:
        """Take octets; never raises."""

    def next_event(self) -> EventT_co | None:
        """The next event, or None for "more octets".

        :raises WireError: for what is not the protocol; the next call goes on behind it.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may use of a server's patience, in seconds, octets and numbers.

    :ivar first_command: from the connection to the first command.
    :ivar idle: from one command to the next, and for a client that does not read.
        At least 300 for SMTP (RFC 5321 4.5.3.2.7), 600 for POP3 (RFC 1939 3), 1800 for
        IMAP (RFC 9051 5.4).
    :ivar farewell: from the wish to end a connection to its abortion.
    :ivar pipelined: octets that may wait behind a running command before the transport
        is paused; one more read (64 KiB) may come on top.
    :ivar connections: at once, on one factory.
    :ivar connections_per_peer: at once, from one IP address that is not loopback.
    """

    first_command: float = 60
    idle: float = 300
    farewell: float = 10
    pipelined: int = 1 << 17
    connections: int = 10_000
    connections_per_peer: int = 200


class Farewell(enum.Enum):
    """Why the server ends a connection."""

    IDLE = "idle too long"
    STOPPING = "server shutting down"
    CROWDED = "too many connections"


@implementer(IPushProducer)
class ServerConnection(Protocol, Generic[EventT]):
    """One client's connection; subclasses say what its events mean.

    A subclass provides `greet`, `handle`, `refuse_syntax`, `refuse` and the farewells, and
    sets `wire` before anything is received (in ``__init__``).

    :ivar peer_address: the client's IP address, "" over a Unix socket.
    :ivar is_local: whether the client is on this machine.
    :ivar clock: for whatever else must be timed.
    """

    log = Logger()
    factory: ServerFactory
    transport: Any  # several of Twisted's interfaces at once
    wire: Wire[EventT]

    def __init__(self, factory: ServerFactory) -> None:
        self.factory = factory
        self.clock = factory.clock
        self.limits = factory.limits
        self.peer_address = ""
        self.is_local = True
        self._replies: list[bytes] = []
        self._collected = 0  # octets of replies
        self._running: Deferred[None] | None = None
        self._pumping = False
        self._reading = True
        self._writable = True
        self._open = False
        self._ending = False
        self._waiting: list[Deferred[None]] = []
        self._progress = 0.0
        self._timer: IDelayedCall | None = None
        self._had_event = False
        # What replies are sent on directly: None inside TLS, and while the transport holds some.
        self._socket: Any = None
        self._plain_socket: Any = None

    # -- what a protocol says of itself

    def greet(self) -> None:
        """Write the greeting, if any."""

    def handle(self, event: EventT) -> Awaitable[None] | None:
        """Act on one event; the next one waits for the awaitable, if there is one.

        A `MailError` that is raised, now or later, is given to `refuse`.
        """
        raise TypeError(f"{type(self).__name__} handles no {event!r}")

    def refuse_syntax(self, error: WireError) -> None:
        """Answer what is not the protocol."""

    def refuse(self, event: EventT, error: MailError) -> None:
        """Answer an event whose handler failed."""

    def farewell(self, reason: Farewell) -> bytes:
        """Last words to a client that did not ask to leave."""
        return b""

    def describe(self, event: EventT) -> str:
        """An event's name for the log: no secrets, nothing long."""
        return type(event).__name__

    def closed(self) -> None:
        """The connection is gone: let go of what the session holds."""

    # -- what a protocol may ask for

    def write(self, data: bytes) -> None:
        """Send, after everything that was written before; dropped when the connection is ending."""
        if self._ending:
            return
        self._replies.append(data)
        self._collected += len(data)
        if not self._pumping:
            self._flush()

    @property
    def is_open(self) -> bool:
        """Whether there is still somebody to write to."""
        return self._open and not self._ending

    @property
    def congested(self) -> bool:
        """Whether the client is slow to read: what produces much should await `drained`."""
        return not self._writable

    def drained(self) -> Deferred[None]:
        """Fires when the client has read enough, or has gone (look at `is_open`)."""
        self._flush()
        waiter: Deferred[None] = Deferred()
        if self._writable:
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    def end(self, farewell: bytes = b"") -> None:
        """Write ``farewell``, then close once it is sent; no further event is handled."""
        if self._ending:
            return
        self._replies.append(farewell)
        self._ending = True
        self._flush()
        self._set_timer(self.limits.farewell)
        # A transport that still has a producer waits for it before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    @property
    def is_secure(self) -> bool:
        """Whether a password may be sent in clear: inside TLS, or on one machine."""
        return self.is_encrypted or self.is_local

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return bool(ISSLTransport.providedBy(self.transport))

    def tls_info(self) -> TLSInfo | None:
        """What was negotiated; None in plaintext."""
        if not self.is_encrypted:
            return None
        connection = self.transport.getHandle()
        return TLSInfo(connection.get_protocol_version_name(), connection.get_cipher_name() or "")

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS or STLS is to be offered."""
        return (
            self.factory.tls is not None
            and not self.is_encrypted
            and ITLSTransport.providedBy(self.transport)
        )

    def start_tls(self, go_ahead: bytes) -> bool:
        """Write ``go_ahead`` in plaintext, then speak TLS.

        :returns: False if the client had already sent something behind its command: that
            is an attack, and the connection is closed instead.
        """
        if self.wire.pending:
            self.log.warn("{peer} sent plaintext behind its wish for TLS", peer=self.peer_address)
            self.abort()
            return False
        self._replies.append(go_ahead)
        self._flush()
        self._socket = self._plain_socket = None
        self.transport.startTLS(self.factory.tls)
        return True

    def abort(self) -> None:
        """Close now, whatever is unsent."""
        self._ending = True
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()

    # -- events, one at a time

    def connectionMade(self) -> None:
        self._open = True
        transport = self.transport
        self.peer_address, self.is_local = _peer(transport.getPeer())
        if ITCPTransport.providedBy(transport):
            # Replies are written whole: waiting for the client's ACK only delays them.
            transport.setTcpNoDelay(True)
        if ISystemHandle.providedBy(transport) and not self.is_encrypted:
            self._socket = self._plain_socket = transport.getHandle()
        transport.registerProducer(self, True)
        self._progress = self.clock.seconds()
        if self.factory.admit(self):
            self._set_timer(self.limits.first_command)
            self.greet()
        else:
            self.end(self.farewell(Farewell.CROWDED))

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            return
        self.wire.receive(data)
        if self._running is None and self._writable:
            self._pump()
        elif self._reading and self.wire.pending > self.limits.pipelined:
            self._reading = False
            self.transport.pauseProducing()

    def _pump(self) -> None:
        """Handle events until one is pending, none is left, or the client must read first."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._running is None and self._writable and not self._ending:
                try:
                    event = self.wire.next_event()
                except WireError as error:
                    self._note_progress()
                    self.refuse_syntax(error)
                    if error.fatal:
                        self.end()
                    continue
                if event is None:
                    break
                self._note_progress()
                self._begin(event)
                if len(self._replies) >= _REPLIES_AT_ONCE or self._collected >= _OCTETS_AT_ONCE:
                    self._flush()
        finally:
            self._pumping = False
        self._flush()
        if not self._reading and self._running is None and self._writable and not self._ending:
            self._reading = True
            self.transport.resumeProducing()

    def _begin(self, event: EventT) -> None:
        try:
            result = self.handle(event)
            if isinstance(result, Coroutine):
                result = at_once(result)
        except Exception:
            self._failed(event, Failure())
            return
        if result is None:
            return
        running = self._running = cast("Deferred[None]", result)
        running.addErrback(lambda failure: self._failed(event, failure))
        running.addCallback(self._finished)

    def _failed(self, event: EventT, failure: Failure) -> None:
        if isinstance(failure.value, MailError):
            error = failure.value
            if error.detail:
                self.log.info("{peer}: {error}", peer=self.peer_address, error=error)
        else:
            self.log.failure(
                "{peer}: while handling {event}", failure, peer=self.peer_address, event=self.describe(event)
            )
            error = Unavailable()
        if self.is_open:
            self.refuse(event, error)

    def _finished(self, _: None) -> None:
        self._running = None
        self._progress = self.clock.seconds()
        if self.factory.stopping:
            self.end(self.farewell(Farewell.STOPPING))
        elif not self._pumping:
            self._pump()

    # -- output

    def _flush(self) -> None:
        if not self._replies:
            return
        data = self._replies[0] if len(self._replies) == 1 else b"".join(self._replies)
        self._replies.clear()
        self._collected = 0
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
        self.transport.write(data)

    def pauseProducing(self) -> None:
        """The transport holds more than it can send: begin nothing new (IPushProducer)."""
        self._writable = False

    def resumeProducing(self) -> None:
        """The client has read what was sent (IPushProducer)."""
        self._writable = True
        self._socket = self._plain_socket
        self._progress = self.clock.seconds()
        self._wake()
        if self._running is None and not self._pumping and not self._ending:
            self._pump()

    def stopProducing(self) -> None:
        """The transport is done (IPushProducer)."""
        self._writable = True

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    # -- time and end

    def _note_progress(self) -> None:
        self._had_event = True
        self._progress = self.clock.seconds()

    def idle_limit(self) -> float:
        """How long the client may now be silent, in seconds."""
        return self.limits.idle if self._had_event else self.limits.first_command

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.clock.callLater(seconds, self._timer_fired)

    def _timer_fired(self) -> None:
        """One timer a connection, set again for what is left of the time, instead of at each event."""
        self._timer = None
        if self._ending:
            self.abort()
            return
        left = self._progress + self.idle_limit() - self.clock.seconds()
        if self._running is not None and self._writable:
            left = self.idle_limit()  # it is our own work that takes so long
        if left > 0:
            self._set_timer(left)
        elif self._writable:
            self.end(self.farewell(Farewell.IDLE))
        else:
            self.abort()

    def stop(self) -> None:
        """The server stops: end now, or once the running command is done."""
        if self._running is None:
            self.end(self.farewell(Farewell.STOPPING))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._ending = True
        self._socket = self._plain_socket = None
        self._writable = True
        self._replies.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        if not reason.check(ConnectionDone):
            self.log.debug("{peer}: {reason}", peer=self.peer_address, reason=reason.getErrorMessage())
        self.closed()
        self.factory.forget(self)


_REPLIES_AT_ONCE = 64
"""Replies that are collected before they are written."""

_OCTETS_AT_ONCE = 1 << 16
"""Octets of replies that are: together these bound what pipelining makes us hold."""


class ServerFactory(Factory):
    """Makes one kind of connection, counts them, and ends them all.

    :param clock: the reactor, or `twisted.internet.task.Clock` in tests.
    :param tls: for STARTTLS or STLS; None where it is not to be offered.
    """

    noisy = False
    log = Logger()

    def __init__(self, clock: IReactorTime, *, tls: Any | None = None, limits: Limits | None = None) -> None:
        self.clock = clock
        self.tls = tls
        self.limits = limits or Limits()
        self.stopping = False
        self.connections: set[ServerConnection[Any]] = set()
        self._peers: dict[str, int] = {}
        self._all_gone: list[Deferred[None]] = []

    def admit(self, connection: ServerConnection[Any]) -> bool:
        """Count a connection in; False when there are too many, or the server stops."""
        peer = connection.peer_address
        number = self._peers.get(peer, 0)
        if (
            self.stopping
            or len(self.connections) >= self.limits.connections
            or (number >= self.limits.connections_per_peer and not connection.is_local)
        ):
            self.log.warn("{peer}: too many connections", peer=peer)
            return False
        self._peers[peer] = number + 1
        self.connections.add(connection)
        return True

    def forget(self, connection: ServerConnection[Any]) -> None:
        """Count a connection out."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        peer = connection.peer_address
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]
        if not self.connections:
            waiting, self._all_gone = self._all_gone, []
            for waiter in waiting:
                waiter.callback(None)

    def shut_down(self) -> Deferred[None]:
        """End every connection: idle ones now, others after their running command.

        :returns: fires when all are gone; those that do not go within ``limits.farewell``
            seconds are aborted.
        """
        self.stopping = True
        if not self.connections:
            return gatherResults([]).addCallback(lambda _: None)
        gone: Deferred[None] = Deferred()
        self._all_gone.append(gone)
        for connection in list(self.connections):
            connection.stop()

        def abort_stragglers() -> None:
            for connection in list(self.connections):
                connection.abort()

        timer = self.clock.callLater(self.limits.farewell, abort_stragglers)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        return gone.addCallback(cancel)


def at_once(coroutine: Coroutine[Any, Any, None]) -> Deferred[None] | None:
    """Run ``coroutine`` until it must wait.

    A ``Deferred`` around a coroutine costs more than most handlers do: one that has nothing
    to wait for does not pay for it.

    :returns: None if it is done, or else its rest.
    :raises Exception: what the coroutine raises before it has to wait.
    """
    try:
        waiting = coroutine.send(None)
    except StopIteration:
        return None
    return ensureDeferred(_rest(coroutine, waiting))


def _rest(coroutine: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """Pass on what the coroutine waits for, and to it what became of that."""
    try:
        while True:
            try:
                value = yield waiting
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                waiting = coroutine.throw(error)
            else:
                waiting = coroutine.send(value)
    except StopIteration:
        return


def _peer(address: IAddress) -> tuple[str, bool]:
    """(IP address or "", whether it is this machine) of a transport's peer."""
    host: str = getattr(address, "host", "")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host, not host
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip), ip.is_loopback
