"""AUTH (RFC 4954)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.auth import Challenge, Login
from mailproto.smtp import _replies as replies
from mailproto.smtp.wire import Auth, AuthResponse

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["auth", "auth_response"]


async def auth(session: SMTPServer, event: Auth) -> None:
    """Begin an exchange."""
    sasl = session.sasl
    if sasl is None:
        session.error(replies.NOT_IMPLEMENTED)
    elif session.factory.require_tls and not session.is_encrypted:
        session.error(replies.TLS_FIRST)
    elif not session.extended:
        session.error(replies.HELLO_FIRST)
    elif session.account is not None:
        session.error(replies.SIGNED_IN_ALREADY)
    elif session.transaction is not None:
        session.error(replies.NOT_IN_TRANSACTION)
    else:
        _answer(session, await sasl.begin(event.mechanism, event.initial, session.channel))


async def auth_response(session: SMTPServer, event: AuthResponse) -> None:
    """Go on with it."""
    assert session.sasl is not None  # noqa: S101 - nobody else asks for a response
    _answer(session, await session.sasl.respond(event.octets))


def _answer(session: SMTPServer, step: Challenge | Login) -> None:
    """There is one more challenge, or somebody is signed in."""
    if isinstance(step, Challenge):
        session.wire.expect_response()
        session.write(b"334 %b\r\n" % step.encoded)
    else:
        session.login = step
        session.session_changed()
        session.write(replies.SIGNED_IN)
