"""The server's end of one connection: time limits, TLS, and the end."""

from __future__ import annotations

import math
from asyncio import _get_running_loop
from collections.abc import Awaitable, Sequence
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.awaiting import Result, settle
from mailproto.connection._awaiting import begin, rest_of, run
from mailproto.connection._calls import LimitedCall
from mailproto.connection._descriptors import DESCRIPTORS
from mailproto.connection._events import CLOSED
from mailproto.connection._handshake import Handshake, may_begin_handshake
from mailproto.connection._limits import CloseReason
from mailproto.connection._observed import ObservedConnection
from mailproto.connection._peer import peer_of
from mailproto.interfaces import IRevocable
from mailproto.observing import Connected, Disconnected, Refusal, TurnedAway
from mailproto.typing import ServerTLSContext

if TYPE_CHECKING:
    from mailproto.connection._factory import ServerFactory

__all__ = ["ServerConnection"]

EventT = TypeVar("EventT")
T = TypeVar("T")


@implementer(IRevocable)
class ServerConnection(ObservedConnection[EventT]):
    """The server's end of one connection; subclasses handle its events.

    A subclass provides `greet`, `handle`, `refuse_syntax`, `refuse` and `closing_words`.  It sets `wire` in
    ``__init__``, before anything is received; only `start_tls` uses its ``take_pending``.

    :ivar counted_as: the client network for which the factory counts this connection; None if it is not
        counted.
    :ivar signed_in_as: the account for which the factory counts this connection (`admit_account`); or None.
    """

    alpn: ClassVar[Sequence[bytes]] = ()
    """The names of the protocol in TLS (ALPN, RFC 7301)."""

    def __init__(self, factory: ServerFactory) -> None:
        super().__init__(factory)
        self.counted_as: str | None = None
        self.signed_in_as: str | None = None
        self._leaving: CloseReason | None = None  # why the connection ends after the running command
        self._began = 0.0
        self._signed_out = 0.0  # since when no account is signed in
        self._calls: list[LimitedCall] = []

    # -- provided by each protocol

    def greet(self) -> Awaitable[None] | None:
        """Write the greeting, if any; no event is handled until the awaitable is done.

        The connection ends if the awaitable fails.
        """
        return None

    def closing_words(self, reason: CloseReason) -> bytes:
        """The last reply to a client that did not ask to end the connection."""
        return b""

    def closed(self) -> None:
        """The connection has ended: release what the session holds."""

    def released(self) -> None:
        """`closed` was called, and the last handler has ended: let go of what refers back to this object.

        What refers to itself is only freed by the garbage collector: the more there is of it, the longer that
        holds the reactor.
        """

    # -- for use by protocols

    def end(self, closing_words: bytes = b"", reason: str = "") -> None:
        """See `EventConnection.end`; the client may take ``limits.close_timeout`` seconds."""
        if not self._ending:
            self._set_timer(self.limits.close_timeout)
        super().end(closing_words, reason)

    def call(self, result: Result[T], owner: object, method: str, seconds: float) -> T | Deferred[T]:
        """Take the result of a contract's method.

        :param owner: the object whose method it is, for the log.
        :param seconds: the time after which the call is cancelled.
        :returns: the result if it is there, or a ``Deferred``; it fails with `TookTooLong` (451).
        """
        if type(result) is CoroutineType and _get_running_loop() is None:
            # The same as below, inlined for the usual case: a coroutine that need not wait.
            try:
                waiting = result.send(None)
            except StopIteration as end:
                value: T = end.value
                return value
            running: Deferred[T] = rest_of(result, waiting, self.in_context, self.clock)
        else:
            answer = run(settle(result), self.in_context, self.clock)
            if not isinstance(answer, Deferred):
                return answer
            running = answer
        call = LimitedCall(running, f"{type(owner).__name__}.{method}", seconds, self.clock.seconds())
        self._calls.append(call)
        if not self._open:
            call.watch(self.clock)
        elif self._timer is None or self._timer.getTime() > call.end:
            self._set_timer(seconds)
        return running.addBoth(self._call_done, call)

    def _call_done(self, result: T, call: LimitedCall) -> T:
        self._calls.remove(call)
        call.done()
        return result

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
            self.observer.refused(Refusal(self.client, CloseReason.TALKED_AHEAD.value))
            return False
        if not self._begin_handshake():
            return False
        self._unsent.append(go_ahead)
        self._begin_tls(cast(ServerTLSContext, self.factory.tls), received)
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
            self._set_peer(self.peer.client_at(host))
        return self.factory.admit(self)

    # -- the beginning

    def signed_out(self) -> None:
        """The account does not count for this connection any more; the time to sign in begins anew."""
        self.factory.forget_account(self)
        self._signed_out = self.clock.seconds()
        self._set_timer(min(self.idle_limit(), self.limits.login))

    def connectionMade(self) -> None:
        super().connectionMade()
        self._began = self._signed_out = self._progress = self.clock.seconds()
        DESCRIPTORS.add(self)
        if DESCRIPTORS.left() < 0:
            self.observer.turned_away(TurnedAway(self.client, "too few file descriptors"))
            if DESCRIPTORS.is_desperate():
                self._abort_for(CloseReason.CROWDED.value)
            else:
                self._end_for(CloseReason.CROWDED)
        elif self.factory.admit(self):
            self.observer.connected(Connected(self.client))
            self._set_timer(min(self.limits.first_command, self._login_left(self._began)))
            if not self.is_encrypted or self._begin_handshake():
                self._begin_greeting()
        else:
            self._end_for(CloseReason.CROWDED)

    def _begins(self) -> bool:
        """Look at the peer again: Twisted's ``haproxy:`` endpoints name the client only now.

        :returns: False if the client has too many connections; it has been told.
        """
        peer = peer_of(self.transport)
        if peer == self.peer:
            return True
        self.is_spoken_for = self.is_encrypted  # then TLS is perhaps the proxy's
        self.factory.forget(self)
        self._set_peer(peer)
        if self.factory.admit(self):
            return True
        self._end_for(CloseReason.CROWDED)
        return False

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

    # -- time and end

    def idle_limit(self) -> float:
        """Seconds for which the client may be silent in the current state."""
        return self.limits.idle if self._had_event else self.limits.first_command

    def _begin_handshake(self) -> bool:
        """A TLS handshake begins; False if there are too many, and the connection ends."""
        if not self.factory.admit_handshake(self):
            self.observer.turned_away(TurnedAway(self.client, "too many TLS handshakes"))
            self._abort_for(CloseReason.CROWDED.value)
            return False
        self._handshake = Handshake(self.transport, self.clock, self.limits.handshake)
        self._set_timer(min(self.limits.handshake, self.idle_limit()))
        return True

    def give_up_handshake(self) -> None:
        """The TLS handshake has taken too long: nothing can be said to the client."""
        self.observer.refused(Refusal(self.client, "TLS handshake not done in time"))
        self._abort_for("no TLS")

    def _login_left(self, now: float) -> float:
        """Seconds in which the client must have signed in."""
        if self._leaving is not None or not self.must_sign_in or self.is_signed_in:
            return math.inf
        return self._signed_out + self.limits.login - now

    def _set_timer(self, seconds: float) -> None:
        # Not `reset`: to move a call forward, Twisted searches all delayed calls.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.clock.callLater(seconds, self.in_context, self._timer_fired)

    def _timer_fired(self) -> None:
        """Check the time limits; one timer, set again for the rest of the time, instead of one for each
        event."""
        self._timer = None
        now = self.clock.seconds()
        for call in [call for call in self._calls if call.end <= now]:
            call.give_up()
        if self._timer is not None or not self._open:
            return  # what came afterwards has set it again, or has ended the connection
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
        login_left = self._login_left(now)
        if login_left <= 0:
            login_left = math.inf
            if handshake_left is None:
                self._leave(CloseReason.LOGIN)
                if self._ending:
                    return
        if handshake_left is not None and handshake_left <= 0:
            self.give_up_handshake()
            return
        left = self._progress + self.idle_limit() - now
        if self._running is not None and self._writable:
            left = self.idle_limit()  # the client waits for us
        left = min(left, login_left)
        if handshake_left is not None:
            left = min(left, handshake_left)
        for call in self._calls:
            left = min(left, call.end - now)
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

    def stop_now(self) -> None:
        """The server has stopped: abort, and cancel the calls that are running."""
        self._abort_for(CloseReason.STOPPING.value)
        self.give_up_calls()

    def give_up_calls(self) -> None:
        """The server has stopped: cancel the calls that are running."""
        for call in list(self._calls):
            call.give_up("was cancelled, because the server stops")

    def revoke(self) -> None:
        """See `IRevocable.revoke`: a running command has `REVOCATION_GRACE` seconds to finish.

        The client has the same time to read its replies.  If it does not, the connection is aborted in the
        middle of a reply, without `closing_words`.
        """
        self.in_context(self._leave, CloseReason.REVOKED)
        if self.is_open or not self._writable:
            self._set_timer(REVOCATION_GRACE)

    def _may_go_on(self) -> bool:
        if self._leaving is CloseReason.LOGIN and self.is_signed_in:
            self._leaving = None
        if self._leaving is None:
            return True
        self._end_for(self._leaving)
        return False

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
        self._note_tls()
        DESCRIPTORS.remove(self)
        super().connectionLost(reason)
        for call in self._calls:
            call.watch(self.clock)
        self._wake()
        self._stop_waiting()
        # If we had begun to close the connection, it does not matter how the client closes it.
        end_reason = self._end_reason or _how_lost(reason)
        seconds = self.clock.seconds() - self._began
        try:
            event = Disconnected(
                self.client, end_reason, seconds, self.octets_in, self.octets_out, self.log_counts()
            )
            self.observer.disconnected(event)
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self.closed()
        except Exception:
            self.log.failure("{peer}: error while closing a session", peer=self.peer)
        if self._running is not None:
            self.when_idle(partial(self.factory.unfinished(self), None))
        self.when_idle(self.released)
        self.factory.forget(self)


def _how_lost(reason: Failure) -> str:
    """Why a connection ended that we did not close."""
    if reason.check(ConnectionDone):
        return CLOSED
    return "aborted" if reason.check(ConnectionAborted) else "lost"


REVOCATION_GRACE = 0.3
"""Seconds; the hint may take half a second, so a revoked session ends within one second."""
