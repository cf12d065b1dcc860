"""STARTTLS, AUTHENTICATE and LOGIN (RFC 9051 6.2, RFC 4959)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar, cast

from twisted.cred.credentials import UsernamePassword

from mailproto import auth
from mailproto.errors import (
    AuthenticationCancelled,
    AuthenticationFailed,
    EncryptionRequired,
    MalformedAuthentication,
    UnknownMechanism,
)
from mailproto.imap.server._capabilities import capabilities
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.wire import Authenticate, Command, Login

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["admit_password", "authenticate", "login", "starttls"]

T = TypeVar("T")


async def starttls(session: IMAPSession, command: Command) -> None:
    """RFC 9051 6.2.1."""
    if not session.can_start_tls:
        raise BadCommand("TLS is not available now")
    session.start_tls(b"%b OK Begin TLS negotiation now\r\n" % command.tag.encode("ascii"))
    raise SessionOver  # of the plaintext one: there is nothing more to say in it


def admit_password(session: IMAPSession) -> None:
    """See that a password may come in LOGIN (RFC 9051 6.2.3, LOGINDISABLED)."""
    if not session.sasl.takes_passwords:
        raise UnknownMechanism("LOGIN is not offered here, but AUTHENTICATE")
    if not session.is_secure:
        raise EncryptionRequired("Start TLS first")


async def login(session: IMAPSession, command: Command) -> bytes:
    """RFC 9051 6.2.3."""
    arguments = cast(Login, command.arguments)
    credentials = UsernamePassword(arguments.user, arguments.password)
    signed_in = await _counted(session, auth.login(session.factory.portal, credentials, session))
    if not session.is_open:
        signed_in.logout()
        raise SessionOver
    return _signed_in(session, signed_in)


async def authenticate(session: IMAPSession, command: Command) -> bytes | None:
    """RFC 9051 6.2.2: an exchange of challenges and responses in base64."""
    arguments = cast(Authenticate, command.arguments)
    sasl = session.sasl

    async def proceed(step: Awaitable[auth.Challenge | auth.Login]) -> bytes | None:
        try:
            result = await _counted(session, step)
        except (AuthenticationCancelled, MalformedAuthentication) as error:
            raise BadCommand(error.text) from None
        if isinstance(result, auth.Login):
            return _signed_in(session, result)
        session.ask(command, result.encoded, lambda line: proceed(sasl.respond(line)))
        return None

    return await proceed(sasl.begin(arguments.mechanism, arguments.initial, session.channel))


async def _counted(session: IMAPSession, step: Awaitable[T]) -> T:
    try:
        return await step
    except AuthenticationFailed:
        session.failed_logins += 1
        raise


def _signed_in(session: IMAPSession, login: auth.Login) -> bytes:
    session.sign_in(login.account, login.logout)
    return b"[CAPABILITY %b] Logged in" % capabilities(session)
