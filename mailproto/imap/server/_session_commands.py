"""Commands of the session: CAPABILITY, NOOP, LOGOUT, and signing in (RFC 9051 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

from twisted.cred.credentials import UsernamePassword

from mailproto.auth import signing_in
from mailproto.auth.sasl import Challenge
from mailproto.connection.commands import State
from mailproto.errors import (
    AuthenticationCancelled,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    UnknownMechanism,
)
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import Authenticate, Command, Login, NoArguments, grammars

__all__ = ["SESSION", "noop"]


async def capability(server: Session, command: Command[NoArguments]) -> None:
    """CAPABILITY (RFC 9051 6.1.1)."""
    server.respond(b"* CAPABILITY %b\r\n" % tables_of(server).capabilities(server))


async def noop(server: Session, command: Command[NoArguments]) -> None:
    """NOOP and CHECK: updates come before every tagged OK, so nothing is left to do (RFC 9051 6.1.2)."""


async def logout(server: Session, command: Command[NoArguments]) -> None:
    """LOGOUT: BYE, the tagged OK, and the end (RFC 9051 6.1.3)."""
    server.end_after(command, b"LOGOUT completed")


_LOGIN = "LOGIN"
"""What the mail log names as the mechanism of LOGIN."""


async def starttls(server: Session, command: Command[NoArguments]) -> None:
    """STARTTLS (RFC 9051 6.2.1)."""
    if not server.can_start_tls:
        raise BadCommand("TLS is not available now")
    server.start_tls(b"%b OK Begin TLS negotiation now\r\n" % command.tag.encode("ascii"))
    raise SessionOver  # in plaintext nothing more is said


def check_login_allowed(server: Session) -> None:
    """Refuse LOGIN where passwords may not be sent by it (RFC 9051 6.2.3, LOGINDISABLED)."""
    error: MailError | None = None
    if not server.sasl.takes_passwords:
        error = UnknownMechanism("LOGIN is not offered here, but AUTHENTICATE")
    elif not server.is_secure:
        error = EncryptionRequired("Start TLS first")
    if error is not None:
        signing_in.sign_in_refused(server, _LOGIN, "", error)
        raise error


async def login(server: Session, command: Command[Login]) -> bytes:
    """LOGIN (RFC 9051 6.2.3)."""
    arguments = command.arguments
    credentials = UsernamePassword(arguments.user, arguments.password)
    signed_in = await server.sasl.login(credentials, _LOGIN)
    if not server.is_open:
        signed_in.logout()
        raise SessionOver
    return _signed_in(server, signed_in)


async def authenticate(server: Session, command: Command[Authenticate]) -> bytes | None:
    """AUTHENTICATE (RFC 9051 6.2.2): challenges and responses in base64."""
    arguments = command.arguments
    sasl = server.sasl

    async def proceed(step: Awaitable[Challenge | signing_in.Login]) -> bytes | None:
        try:
            result = await step
        except (AuthenticationCancelled, MalformedAuthentication) as error:
            raise BadCommand(error.text) from None
        if isinstance(result, signing_in.Login):
            return _signed_in(server, result)
        server.request_line(command, result.encoded, lambda line: proceed(sasl.respond(line)))
        return None

    return await proceed(sasl.begin(arguments.mechanism, arguments.initial, server.channel))


def _signed_in(server: Session, login: signing_in.Login) -> bytes:
    try:
        server.factory.admit_account(server, login.name)
    except BaseException:
        login.logout()
        raise
    server.sign_in(login.account, login.logout)
    return b"[CAPABILITY %b] Logged in" % tables_of(server).capabilities(server)


def announce(server: Session) -> Iterator[str]:
    """Before login, the ways to sign in that are allowed now."""
    if server.account is not None:
        return
    for name in server.sasl.mechanisms(server.channel):
        yield f"AUTH={name}"
    if server.can_start_tls:
        yield "STARTTLS"
    if not (server.is_secure and server.sasl.takes_passwords):
        yield "LOGINDISABLED"


_NONE = grammars.no_arguments

SESSION = Extension(
    "the session's commands",
    capabilities=("IMAP4rev1",),
    announce=announce,
    commands=(
        CommandSpec("CAPABILITY", _NONE, capability, State.ANY),
        CommandSpec("NOOP", _NONE, noop, State.ANY),
        CommandSpec("LOGOUT", _NONE, logout, State.ANY, Updates.NOTHING),
        CommandSpec("STARTTLS", _NONE, starttls, State.NOT_AUTHENTICATED),
        CommandSpec("AUTHENTICATE", grammars.authenticate, authenticate, State.NOT_AUTHENTICATED),
        CommandSpec("LOGIN", grammars.login, login, State.NOT_AUTHENTICATED, precheck=check_login_allowed),
    ),
)
"""What is there before a mailbox is selected, and how to sign in."""
