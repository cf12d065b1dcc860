"""AUTH (RFC 4954)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.auth.sasl import Challenge
from mailproto.auth.signing_in import Login
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import Auth, AuthResponse

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["auth", "auth_response"]


async def auth(server: SMTPServer, event: Auth) -> None:
    """AUTH: begin a SASL exchange."""
    sasl = server.sasl
    if sasl is None:
        server.error(replies.NOT_IMPLEMENTED)
    elif server.factory.require_tls and not server.is_encrypted:
        server.error(replies.TLS_FIRST, "AUTH", event)
    elif not server.extended:
        server.error(replies.HELLO_FIRST)
    elif server.account is not None:
        server.error(replies.SIGNED_IN_ALREADY)
    elif server.transaction is not None:
        server.error(replies.NOT_IN_TRANSACTION)
    else:
        _answer(server, await sasl.begin(event.mechanism, event.initial, server.channel))


async def auth_response(server: SMTPServer, event: AuthResponse) -> None:
    """A response to a challenge: continue the exchange."""
    assert server.sasl is not None  # noqa: S101 - only `auth` asks for a response
    _answer(server, await server.sasl.respond(event.octets))


def _answer(server: SMTPServer, step: Challenge | Login) -> None:
    """Send the next challenge, or complete the login."""
    if isinstance(step, Challenge):
        server.wire.expect_response()
        server.write(b"334 %b\r\n" % step.encoded)
    else:
        server.login = step
        server.session_changed()
        server.write(replies.SIGNED_IN)
