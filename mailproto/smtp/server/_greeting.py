"""The greeting: before it, the delivery may turn the client away, and strangers wait (RFC 5321 4.3.1)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from mailproto.errors import MailError
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["Greeting"]


class Greeting:
    """Greets the client of one connection."""

    __slots__ = ("_server", "_waited")

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._waited: Deferred[Any] | None = None  # fires when the client is greeted

    def begin(self) -> Awaitable[None] | None:
        """Begin the delivery's session, if it has sessions, and send the greeting; again after XCLIENT."""
        beginning = self._server.delivery.begin()
        return self._greet() if beginning is None else self._greet_after(beginning)

    async def begin_ungreeted(self) -> None:
        """Begin another session of the delivery; the client gets another answer than a greeting."""
        beginning = self._server.delivery.begin()
        if beginning is not None:
            await self._begun(beginning)

    def cancel(self) -> None:
        """The connection has ended."""
        if self._waited is not None:
            self._waited.cancel()

    async def _greet_after(self, beginning: Awaitable[None]) -> None:
        await self._begun(beginning)
        if self._server.is_open and (waiting := self._greet()) is not None:
            await waiting

    async def _begun(self, beginning: Awaitable[None]) -> None:
        """Wait for the delivery's session, or turn the client away."""
        server = self._server
        try:
            await beginning
        except MailError as error:
            # These codes turn a client away (RFC 5321 3.1, 4.2.3).
            reply = render_reply(554 if error.code >= 500 else 421, error.enhanced, error.text)
            server.session_log.client_refused(reply, error.detail.encode())
            server.end(reply, "turned away")

    def _greet(self) -> Deferred[None] | None:
        """Send the greeting, after ``greeting_wait``."""
        server = self._server
        wait = 0 if server.is_proxy else server.limits.wait_before_greeting(is_near=server.peer.is_near)
        if not wait:
            server.write_greeting()
            return None
        # A proxy may have pipelined commands after XCLIENT; only commands that come later are too early.
        pending = server.wire.pending

        def cancel(waited: Deferred[int]) -> None:
            timer.cancel()
            waited.callback(pending)

        waited: Deferred[int] = Deferred(cancel)
        timer = server.clock.callLater(wait, waited.callback, pending)
        self._waited = waited
        return waited.addCallback(self._go_on)

    def _go_on(self, pending: int) -> None:
        server = self._server
        if not server.is_open:
            return
        if server.wire.pending > pending:
            server.session_log.client_refused(replies.EARLY_TALKER)
            server.end(replies.EARLY_TALKER, "talked before the greeting")
        elif not server.factory.stopping:
            server.write_greeting()
