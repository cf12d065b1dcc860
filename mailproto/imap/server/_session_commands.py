"""Commands of the session: CAPABILITY, NOOP, ID, ENABLE, LOGOUT, and signing in (RFC 9051 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from twisted.cred.credentials import UsernamePassword

from mailproto.auth import signing_in
from mailproto.auth.sasl import Challenge
from mailproto.errors import (
    AuthenticationCancelled,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    UnknownMechanism,
)
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.wire import Authenticate, Command, Enable, Id, Login, NoArguments

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = [
    "authenticate",
    "capabilities",
    "capability",
    "check_login_allowed",
    "enable",
    "identify",
    "login",
    "logout",
    "noop",
    "starttls",
]

EXTENSIONS = (
    b"IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN ESEARCH"
    b" LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE"
)
"""The capabilities that do not depend on the connection.

They are announced before login too, because some clients ask only then.
"""


def capabilities(server: IMAPServer) -> bytes:
    """The capabilities in the session's state, separated by spaces.

    Before login they include the ways to sign in that are allowed now.
    """
    if server.account is not None:
        return server.factory.capabilities
    offered = [server.factory.capabilities]
    if mechanisms := server.sasl.mechanisms(server.channel):
        offered += [b"SASL-IR", *(b"AUTH=" + name.encode("ascii") for name in mechanisms)]
    if server.can_start_tls:
        offered.append(b"STARTTLS")
    if not (server.is_secure and server.sasl.takes_passwords):
        offered.append(b"LOGINDISABLED")
    return b" ".join(offered)


async def capability(server: IMAPServer, command: Command[NoArguments]) -> None:
    """CAPABILITY (RFC 9051 6.1.1)."""
    server.respond(b"* CAPABILITY %b\r\n" % capabilities(server))


async def noop(server: IMAPServer, command: Command[NoArguments]) -> None:
    """NOOP and CHECK: updates come before every tagged OK, so nothing is left to do (RFC 9051 6.1.2)."""


async def identify(server: IMAPServer, command: Command[Id]) -> None:
    """ID: our name without a version, which would help attackers only (RFC 2971 4)."""
    server.respond(b'* ID ("name" "mailproto")\r\n')


async def enable(server: IMAPServer, command: Command[Enable]) -> None:
    """ENABLE: no extension here needs to be enabled; all names are ignored (RFC 5161 3.1)."""
    server.respond(b"* ENABLED\r\n")


async def logout(server: IMAPServer, command: Command[NoArguments]) -> None:
    """LOGOUT: BYE, the tagged OK, and the end (RFC 9051 6.1.3)."""
    server.end_after(command, b"LOGOUT completed")


_LOGIN = "LOGIN"
"""What the mail log names as the mechanism of LOGIN."""


async def starttls(server: IMAPServer, command: Command[NoArguments]) -> None:
    """STARTTLS (RFC 9051 6.2.1)."""
    if not server.can_start_tls:
        raise BadCommand("TLS is not available now")
    server.start_tls(b"%b OK Begin TLS negotiation now\r\n" % command.tag.encode("ascii"))
    raise SessionOver  # in plaintext nothing more is said


def check_login_allowed(server: IMAPServer) -> None:
    """Refuse LOGIN where passwords may not be sent by it (RFC 9051 6.2.3, LOGINDISABLED)."""
    error: MailError | None = None
    if not server.sasl.takes_passwords:
        error = UnknownMechanism("LOGIN is not offered here, but AUTHENTICATE")
    elif not server.is_secure:
        error = EncryptionRequired("Start TLS first")
    if error is not None:
        signing_in.sign_in_refused(server, _LOGIN, "", error)
        raise error


async def login(server: IMAPServer, command: Command[Login]) -> bytes:
    """LOGIN (RFC 9051 6.2.3)."""
    arguments = command.arguments
    credentials = UsernamePassword(arguments.user, arguments.password)
    signed_in = await server.sasl.login(credentials, _LOGIN)
    if not server.is_open:
        signed_in.logout()
        raise SessionOver
    return _signed_in(server, signed_in)


async def authenticate(server: IMAPServer, command: Command[Authenticate]) -> bytes | None:
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


def _signed_in(server: IMAPServer, login: signing_in.Login) -> bytes:
    try:
        server.factory.admit_account(server, login.name)
    except BaseException:
        login.logout()
        raise
    server.sign_in(login.account, login.logout)
    return b"[CAPABILITY %b] Logged in" % capabilities(server)
