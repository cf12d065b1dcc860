"""The server's end of one connection: connects a wire to a transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, ITLSTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto import maillog
from mailproto.connection._awaiting import begin
from mailproto.connection._base import OCTETS_AT_ONCE, Connection
from mailproto.connection._handshake import Handshake, may_begin_handshake
from mailproto.connection._limits import CloseReason
from mailproto.connection._wire import PlaintextWire
from mailproto.errors import (
    AuthenticationFailed,
    MailError,
    TemporaryAuthenticationFailure,
    Unavailable,
    WireError,
)
from mailproto.interfaces import IRevocable
from mailproto.tls import Channel, server_channel

if TYPE_CHECKING:
    from mailproto.connection._factory import ServerFactory

__all__ = ["ServerConnection"]

EventT = TypeVar("EventT")


@implementer(IHalfCloseableProtocol, IRevocable)
class ServerConnection(Connection, Generic[EventT]):
    """The server's end of one connection; subclasses handle its events.

    A subclass provides `greet`, `handle`, `refuse_syntax`, `refuse` and `closing_words`.  It sets `wire` in
    ``__init__``, before anything is received; only `start_tls` uses its ``take_pending``.

    :ivar clock: the factory's, for a subclass's own timers.
    :ivar counted_as: the client network for which the factory counts this connection; None if it is not
        counted.
    :ivar is_spoken_for: whether `speak_for` was called: the peer is a proxy that has named its client.
    """

    alpn: ClassVar[Sequence[bytes]] = ()
    """The names of the protocol in TLS (ALPN, RFC 7301)."""

    log = Logger()
    factory: ServerFactory
    wire: PlaintextWire[EventT]

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__()
        self.factory = factory
        self.clock = factory.clock
        self.limits = factory.limits
        self._running: Deferred[None] | None = None
        self._reading = True
        self._waiting: list[Deferred[None]] = []
        self._had_event = False
        self.counted_as: str | None = None
        self.is_spoken_for = False
        self._heard_all = False  # the client has closed its side
        self._unheard = 0  # octets received after our last reply
        self._leaving: CloseReason | None = None  # why the connection ends after the running command
        self._handshake: Handshake | None = None
        self._began = 0.0
        self._end_reason = ""
        self._tls_version = ""
        self.refusals = maillog.Refusals()

    # -- provided by each protocol

    def greet(self) -> Awaitable[None] | None:
        """Write the greeting, if any; no event is handled until the awaitable is done.

        The connection ends if the awaitable fails.
        """
        return None

    def handle(self, event: EventT) -> Awaitable[None] | None:
        """Handle one event; the next one waits for the awaitable, if there is one.

        The awaitable may be a coroutine, a ``Deferred``, or any other object with ``__await__``; also an
        asyncio future, if the reactor runs on asyncio's loop.  Code that needs asyncio's current task, such
        as ``asyncio.timeout``, must run in a task (``asyncio.ensure_future``).

        A `MailError` from the call or from the awaitable is passed to `refuse`.
        """
        raise TypeError(f"{type(self).__name__} handles no {event!r}")

    def refuse_syntax(self, error: WireError) -> None:
        """Answer octets that break the protocol."""

    def refuse(self, event: EventT, error: MailError) -> None:
        """Answer an event whose handler failed."""

    def closing_words(self, reason: CloseReason) -> bytes:
        """The last reply to a client that did not ask to end the connection."""
        return b""

    def describe(self, event: EventT) -> str:
        """A short name of an event for the log, without secrets."""
        return type(event).__name__

    def closed(self) -> None:
        """The connection has ended: release what the session holds."""

    # -- for the mail log

    @property
    def client(self) -> maillog.Client:
        """The client, with its current state, for the mail log."""
        return maillog.Client(
            peer=self.peer,
            protocol=self.factory.service_name,
            tls=self.tls_version,
            account=self.account_name,
            refusals=self.refusals,
        )

    @property
    def account_name(self) -> str | None:
        """The account that signed in, if the protocol has sign-in."""
        return None

    @property
    def tls_version(self) -> str:
        """The negotiated version, such as ``TLSv1.3``, or "" before the handshake is done.

        The value stays after the connection has ended.
        """
        if not self._tls_version and self._open and self._handshake and self._handshake.left() is None:
            info = self.tls_info()
            self._tls_version = "" if info is None else info.version
        return self._tls_version

    def log_refusal(self, event: EventT, error: MailError) -> None:
        """Log that a handler raised ``error``; by default only if the error has a ``detail``.

        Failed sign-ins are logged by `mailproto.auth`.
        """
        if error.detail and not isinstance(error, AuthenticationFailed | TemporaryAuthenticationFailure):
            maillog.failed(self.client, self.describe(event), error)

    def log_counts(self) -> dict[str, str | int]:
        """Counts of what the session did, for the log line about its end."""
        return {}

    # -- for use by protocols

    @property
    def congested(self) -> bool:
        """Whether the client is slow to read: handlers that write much should then await `drained`."""
        return not self._writable

    def drained(self) -> Deferred[None]:
        """Fires when the client has read enough, or the connection has ended (see `is_open`)."""
        self._send_now()
        waiter: Deferred[None] = Deferred()
        if self._writable:
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    def end(self, closing_words: bytes = b"", reason: str = "") -> None:
        """Write ``closing_words``, then close once it is sent; no further event is handled.

        :param reason: for the log.
        """
        if self._ending:
            return
        self._end_reason = reason
        self._unsent.append(closing_words)
        self._ending = True
        self._send_now()
        self._set_timer(self.limits.close_timeout)
        self._let_go()

    def beside(self, awaitable: Awaitable[None]) -> Deferred[None]:
        """Run a task in this connection's context, at the same time as events are handled.

        :param awaitable: of the kinds that `handle` may return.
        :returns: fires when it is done.
        """
        running = self.in_context(begin, awaitable, self.in_context, self.clock)
        return succeed(None) if running is None else running

    @property
    def is_secure(self) -> bool:
        """Whether a client may send a plaintext password: inside TLS, or from this machine."""
        return self.is_encrypted or self.is_local

    @property
    def channel(self) -> Channel:
        """The connection's security, for SASL mechanisms.

        If a proxy speaks for the client, the certificate and the channel bindings are the proxy's.
        """
        channel = server_channel(self.transport, is_local=self.is_local)
        return Channel(channel.is_secure, channel.is_encrypted) if self.is_spoken_for else channel

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS or STLS is to be offered."""
        return (
            self.factory.tls is not None
            and not self.is_encrypted
            and ITLSTransport.providedBy(self.transport)
        )

    def start_tls(self, go_ahead: bytes) -> bool:
        """Write ``go_ahead`` in plaintext, then start TLS.

        Octets that the client has sent after its command are used as the beginning of its handshake, if
        they can be that (RFC 9051 6.2.1).

        :returns: False if they are plaintext: that is an attack (RFC 3207 6, CVE-2011-0411), and the
            connection ends instead.
        """
        received = self.wire.take_pending() if self.wire.pending else b""
        if not may_begin_handshake(received):
            self._end_for(CloseReason.TALKED_AHEAD)
            maillog.refused(self.client, CloseReason.TALKED_AHEAD.value)
            return False
        self._unsent.append(go_ahead)
        self._begin_handshake()
        self._speak_tls(self.factory.tls, received)
        return True

    @property
    def is_proxy(self) -> bool:
        """Whether the peer is a listed proxy that has named no client yet; limits for peers do not count
        it."""
        return self.peer.is_proxy

    def speak_for(self, host: str | None) -> bool:
        """Treat the peer as a proxy: from now on the connection counts as its client's.

        :param host: the client's IP address; `UNKNOWN`; or None for the peer itself.
        :returns: False if that client has too many connections.
        """
        self.factory.forget(self)
        self.is_spoken_for = True
        if host is not None:
            self._meet(self.peer.client_at(host))
        return self.factory.admit(self)

    # -- handling of events, one at a time

    def connectionMade(self) -> None:
        super().connectionMade()
        self._began = self._progress = self.clock.seconds()
        if self.factory.admit(self):
            self._set_timer(self.limits.first_command)
            if self.is_encrypted:
                self._begin_handshake()
            self._begin_greeting()
        else:
            self._end_for(CloseReason.CROWDED)

    def _begin_greeting(self) -> None:
        try:
            greeting = self.greet()
            running = None if greeting is None else begin(greeting, self.in_context, self.clock)
        except Exception:
            self._greeting_failed(Failure())
        else:
            if running is not None:
                self._wait_for(running, self._greeting_failed)

    def _greeting_failed(self, failure: Failure) -> None:
        self.log.failure("{peer}: error while greeting", failure, peer=self.peer)
        self.end()

    def dataReceived(self, data: bytes) -> None:
        if self._ending:
            self._unheard += len(data)
            if self._unheard > _MAX_UNHEARD:
                self.abort()  # inside TLS, the transport would read until the client closes its side
            return
        self.wire.receive(data)
        if self._running is None and self._writable:
            if self._is_inside:
                self.in_context(self._pump)
            else:  # the same, inlined for the usual case
                self._is_inside = True
                try:
                    self._context.run(self._pump)
                finally:
                    self._is_inside = False
        elif self._reading and self.wire.pending > self.limits.pipelined:
            self._reading = False
            self.transport.pauseProducing()

    def _pump(self) -> None:
        """Handle events until a handler is pending, no event is left, or the client must read first."""
        if self._pumping:
            return
        self._pumping = True
        next_event = self.wire.next_event
        try:
            while self._running is None and self._writable and not self._ending:
                try:
                    event = next_event()
                except WireError as error:
                    self._note_progress()
                    self.refuse_syntax(error)
                    if error.fatal:
                        self.end(reason=str(error))
                    continue
                if event is None:
                    break
                self._had_event = True
                self._progress = self.clock.seconds()
                try:
                    result = self.handle(event)
                    running = None if result is None else begin(result, self.in_context, self.clock)
                except BaseException:  # asyncio's CancelledError is not an Exception
                    self._failed(event, Failure())
                else:
                    if running is not None:
                        self._wait_for(running, partial(self._failed, event))
                if self._unsent_octets >= OCTETS_AT_ONCE or len(self._unsent) >= _REPLIES_AT_ONCE:
                    self._send_now()
        finally:
            self._pumping = False
        if self._unsent:
            self._flush()
        if self._heard_all or not self._reading:
            self._go_on_reading()

    def _go_on_reading(self) -> None:
        """If everything is handled: read on, or end the connection if the client has closed its side."""
        if self._running is not None or not self._writable or self._ending:
            return
        if self._heard_all:
            self.end(reason=_CLOSED)
        else:
            self._reading = True
            self.transport.resumeProducing()

    def _wait_for(self, running: Deferred[None], failed: Callable[[Failure], None]) -> None:
        """Delay the next event until ``running`` fires."""
        self._running = running
        running.addErrback(failed)
        running.addCallback(self._finished)
        running.addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        """Answering an event failed: end the connection, because any later reply would be out of order."""
        self.log.failure("{peer}: error while answering", failure, peer=self.peer)
        self.abort()

    def _failed(self, event: EventT, failure: Failure) -> None:
        if isinstance(failure.value, MailError):
            error = failure.value
        else:
            self.log.failure(
                "{peer}: error while handling {event}", failure, peer=self.peer, event=self.describe(event)
            )
            error = Unavailable(detail=f"{type(failure.value).__name__}: see the traceback in the log")
        self.log_refusal(event, error)
        if self.is_open:
            self.refuse(event, error)

    def _finished(self, _: None) -> None:
        self._running = None
        self._progress = self.clock.seconds()
        if self._leaving is not None:
            self._end_for(self._leaving)
        elif not self._pumping:
            self._pump()

    def readConnectionLost(self) -> None:
        """The client has closed its side, and may wait for replies (`IHalfCloseableProtocol`)."""
        self._heard_all = True
        if self._running is None:
            self.in_context(self._pump)

    def writeConnectionLost(self) -> None:
        """We never close only our side (`IHalfCloseableProtocol`)."""

    # -- output

    def resumeProducing(self) -> None:
        """The client has read what was sent (IPushProducer)."""
        super().resumeProducing()
        self._progress = self.clock.seconds()
        self.in_context(self._go_on_writing)

    def _go_on_writing(self) -> None:
        self._wake()
        if self._running is None and not self._pumping and not self._ending:
            self._pump()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    # -- time and end

    def _note_progress(self) -> None:
        self._had_event = True
        self._progress = self.clock.seconds()

    def idle_limit(self) -> float:
        """Seconds for which the client may be silent in the current state."""
        return self.limits.idle if self._had_event else self.limits.first_command

    def _begin_handshake(self) -> None:
        self._handshake = Handshake(self.transport, self.clock, self.limits.handshake)
        self._set_timer(min(self.limits.handshake, self.idle_limit()))

    def _handshake_left(self) -> float | None:
        """Seconds that are left for the TLS handshake; None if there is none in progress."""
        return None if self._handshake is None else self._handshake.left()

    def _set_timer(self, seconds: float) -> None:
        # Not `reset`: to move a call forward, Twisted searches all delayed calls.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.clock.callLater(seconds, self.in_context, self._timer_fired)

    def _timer_fired(self) -> None:
        """Check the time limits; one timer, set again for the rest of the time, instead of one for each
        event."""
        self._timer = None
        if self._ending:
            self.abort()
            return
        if self._leaving is CloseReason.REVOKED:
            if self._writable:
                self._end_for(self._leaving)
            else:
                self._abort_for(self._leaving.value)
            return
        handshake_left = self._handshake_left()
        if handshake_left is not None and handshake_left <= 0:
            maillog.refused(self.client, "TLS handshake not done in time")
            self._abort_for("no TLS")
            return
        left = self._progress + self.idle_limit() - self.clock.seconds()
        if self._running is not None and self._writable:
            left = self.idle_limit()  # the client waits for us
        if handshake_left is not None:
            left = min(left, handshake_left)
        if left > 0:
            self._set_timer(left)
        elif self._writable:
            self._end_for(CloseReason.IDLE)
        else:
            self._abort_for("did not read")

    def stop(self) -> None:
        """The server stops: end now, or after the running command."""
        if self._handshake_left() is not None:
            self._abort_for(CloseReason.STOPPING.value)  # there is no way to tell the client
        else:
            self.in_context(self._leave, CloseReason.STOPPING)

    def revoke(self) -> None:
        """See `IRevocable.revoke`: a running command has `REVOCATION_GRACE` seconds to finish.

        The client has the same time to read its replies.  If it does not, the connection is aborted in the
        middle of a reply, without `closing_words`.
        """
        self.in_context(self._leave, CloseReason.REVOKED)
        if self.is_open or not self._writable:
            self._set_timer(REVOCATION_GRACE)

    def _leave(self, reason: CloseReason) -> None:
        self._leaving = reason
        if self._running is None:
            self._end_for(reason)

    def _end_for(self, reason: CloseReason) -> None:
        self.end(self.closing_words(reason), reason.value)

    def _abort_for(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
        self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.in_context(self._lost, reason)

    def _lost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._wake()
        # If we had begun to close the connection, it does not matter how the client closes it.
        end_reason = self._end_reason or _how_lost(reason)
        seconds = self.clock.seconds() - self._began
        try:
            maillog.ended(self.client, end_reason, seconds, self.log_counts())
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self.closed()
        except Exception:
            self.log.failure("{peer}: error while closing a session", peer=self.peer)
        self.factory.forget(self)


_CLOSED = "closed by the client"


def _how_lost(reason: Failure) -> str:
    """Why a connection ended that we did not close."""
    if reason.check(ConnectionDone):
        return _CLOSED
    return "aborted" if reason.check(ConnectionAborted) else "lost"


REVOCATION_GRACE = 0.3
"""Seconds; the hint may take half a second, so a revoked session ends within one second."""

_MAX_UNHEARD = 1 << 20
"""Octets that a client may send after our last reply, so that it can still read that reply."""

_REPLIES_AT_ONCE = 64
"""Replies that are collected; with `OCTETS_AT_ONCE` this bounds the memory that pipelining can use."""
