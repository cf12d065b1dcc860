"""The greeting: before it, the delivery may turn the client away, and strangers wait (RFC 5321 4.3.1)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from mailproto.errors import MailError
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["Greeting"]


class Greeting:
    """Greets the client of one connection."""

    __slots__ = ("_server", "_timer")

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._timer: IDelayedCall | None = None

    def begin(self) -> Awaitable[None] | None:
        """Begin the delivery's session, if it has sessions, and send the greeting; again after XCLIENT."""
        beginning = self._server.delivery.begin()
        return self._greet() if beginning is None else self._greet_after(beginning)

    def cancel(self) -> None:
        """The connection has ended."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    async def _greet_after(self, beginning: Awaitable[None]) -> None:
        server = self._server
        try:
            await beginning
        except MailError as error:
            # These codes turn a client away (RFC 5321 3.1, 4.2.3).
            reply = render_reply(554 if error.code >= 500 else 421, error.enhanced, error.text)
            server.session_log.client_refused(reply, error.detail.encode())
            server.end(reply, "turned away")
            return
        waiting = self._greet()
        if waiting is not None:
            await waiting

    def _greet(self) -> Deferred[None] | None:
        """Send the greeting, after ``greeting_wait``."""
        server = self._server
        wait = 0 if server.is_proxy else server.limits.wait_before_greeting(is_near=server.peer.is_near)
        if not wait:
            server.write_greeting()
            return None
        # A proxy may have pipelined commands after XCLIENT; only commands that come later are too early.
        waited: Deferred[int] = Deferred()
        self._timer = server.clock.callLater(wait, waited.callback, server.wire.pending)
        return waited.addCallback(self._waited)

    def _waited(self, pending: int) -> None:
        server = self._server
        if server.wire.pending > pending:
            server.session_log.client_refused(replies.EARLY_TALKER)
            server.end(replies.EARLY_TALKER, "talked before the greeting")
        elif not server.factory.stopping:
            server.write_greeting()
