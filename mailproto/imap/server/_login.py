"""STARTTLS, AUTHENTICATE and LOGIN (RFC 9051 6.2, RFC 4959)."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from twisted.cred.credentials import ICredentials, UsernamePassword

from mailproto import auth
from mailproto.errors import AuthenticationFailed
from mailproto.imap.server._capabilities import capabilities
from mailproto.imap.server._errors import BadCommand, PrivacyRequired, SessionOver, UnknownMechanism
from mailproto.imap.wire import Authenticate, Command, Login

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["authenticate", "login", "starttls"]

T = TypeVar("T")
V = TypeVar("V")


async def starttls(session: IMAPSession, command: Command) -> None:
    """RFC 9051 6.2.1."""
    if not session.can_start_tls:
        raise BadCommand("TLS is not available now")
    session.start_tls(b"%b OK Begin TLS negotiation now\r\n" % command.tag.encode("ascii"))
    raise SessionOver  # of the plaintext one: there is nothing more to say in it


async def login(session: IMAPSession, command: Command) -> bytes:
    """RFC 9051 6.2.3."""
    arguments = cast(Login, command.arguments)
    if not session.is_secure:
        raise PrivacyRequired
    return await _sign_in(session, UsernamePassword(arguments.user, arguments.password))


async def authenticate(session: IMAPSession, command: Command) -> bytes | None:
    """RFC 9051 6.2.2: an exchange of challenges and responses in base64."""
    arguments = cast(Authenticate, command.arguments)
    mechanism = auth.server_mechanism(arguments.mechanism)
    if mechanism is None:
        raise UnknownMechanism
    if mechanism.plaintext and not session.is_secure:
        raise PrivacyRequired

    async def step(response: bytes | None) -> bytes | None:
        result = _or_bad(mechanism.step, response)
        if isinstance(result, auth.Challenge):
            session.ask(command, binascii.b2a_base64(result.data, newline=False), answer)
            return None
        return await _sign_in(session, result)

    async def answer(line: bytes) -> bytes | None:
        if line == b"*":
            raise BadCommand("Authentication cancelled")
        return await step(_or_bad(auth.decode_base64, line))

    initial = arguments.initial
    if initial is None:
        return await step(None)
    return await step(b"" if initial == b"=" else _or_bad(auth.decode_base64, initial))


def _or_bad(function: Callable[[V], T], value: V) -> T:
    """``function(value)``; what is no answer to a challenge is answered with BAD."""
    try:
        return function(value)
    except auth.SASLError as error:
        raise BadCommand(str(error).capitalize()) from None


async def _sign_in(session: IMAPSession, credentials: ICredentials) -> bytes:
    try:
        signed_in = await auth.login(session.factory.portal, credentials)
    except AuthenticationFailed:
        session.failed_logins += 1
        raise
    if not session.is_open:
        signed_in.logout()
        raise SessionOver
    session.sign_in(signed_in.account, signed_in.logout)
    return b"[CAPABILITY %b] Logged in" % capabilities(session)
