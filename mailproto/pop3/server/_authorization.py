"""The AUTHORIZATION state: commands before login (RFC 1939 4, RFC 2595 4, RFC 5034 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from twisted.cred.credentials import UsernamePassword

from mailproto.auth.credentials import ApopDigest
from mailproto.auth.sasl import Challenge
from mailproto.auth.signing_in import Login, sign_in_refused
from mailproto.errors import MailError
from mailproto.pop3.server._capabilities import capabilities
from mailproto.pop3.server._errors import BadCommand
from mailproto.pop3.server._language import lang
from mailproto.pop3.wire import Command, Response, challenge, multiline, ok

if TYPE_CHECKING:
    from mailproto.pop3.server._server import POP3Server

__all__ = ["Authorization"]


_APOP = "APOP"
_DIGEST = 32
"""The length of an MD5 digest in hexadecimal."""

_USER = "USER"
"""What the mail log names as the mechanism of USER and PASS."""


class Authorization:
    """A session before login."""

    def __init__(self, connection: POP3Server) -> None:
        self._connection = connection
        self._name: bytes | None = None  # from USER, until the next command

    def handle(self, event: Command | Response) -> Awaitable[None] | None:
        """Act on one command, or on a response to the latest challenge."""
        if isinstance(event, Response):
            return self._proceed(self._connection.sasl.respond(event.data))
        if event.keyword != "PASS":
            self._name = None
        command = _COMMANDS.get(event.keyword)
        if command is None:
            raise BadCommand("Unknown command, or not before login")
        return command(self, event)

    def interrupted(self) -> None:
        """After a syntax error: forget the name from USER, and any SASL exchange under way."""
        self._name = None
        self._connection.sasl.abandon()

    # -- commands

    def _capa(self, command: Command) -> None:
        _no_arguments(command)
        self._connection.write(multiline("Capabilities", capabilities(self._connection)))

    def _quit(self, command: Command) -> None:
        _no_arguments(command)
        self._connection.end(ok("Bye"), "quit")

    def _lang(self, command: Command) -> None:
        lang(self._connection, command)

    def _utf8(self, command: Command) -> None:
        _no_arguments(command)
        self._connection.is_utf8 = True
        self._connection.write(ok("UTF-8 enabled"))

    def _stls(self, command: Command) -> None:
        _no_arguments(command)
        if self._connection.is_utf8:  # RFC 6856 2.1
            raise BadCommand("STLS comes before UTF8")
        if not self._connection.can_start_tls:
            raise BadCommand("No TLS to begin here")
        if self._connection.start_tls(ok("Begin TLS")):
            self._connection.restart()

    def _user(self, command: Command) -> None:
        self._admit_password()
        if len(command.arguments) != 1:
            raise BadCommand("USER name")
        [self._name] = command.arguments
        # The same for every name, so that clients cannot find out which accounts exist.
        self._connection.write(ok("Password, please"))

    def _pass(self, command: Command) -> Awaitable[None]:
        self._admit_password()
        name, self._name = self._name, None
        if name is None:
            raise BadCommand("USER comes first")
        if not command.rest:
            raise BadCommand("PASS password")
        credentials = UsernamePassword(name, command.rest)
        return self._proceed(self._connection.sasl.login(credentials, _USER))

    def _apop(self, command: Command) -> Awaitable[None]:
        connection = self._connection
        if not connection.timestamp:
            raise BadCommand("APOP is not offered here")
        arguments = command.arguments
        if len(arguments) != 2 or len(arguments[1]) != _DIGEST:
            raise BadCommand("APOP name digest")
        name, digest = arguments
        credentials = ApopDigest(name, connection.timestamp, digest.lower())
        return self._proceed(connection.sasl.login(credentials, _APOP))

    def _auth(self, command: Command) -> Awaitable[None] | None:
        arguments = command.arguments
        if not arguments:
            # Older than RFC 2449: Thunderbird and others ask for the mechanisms in this way, too.
            mechanisms = self._connection.sasl.mechanisms(self._connection.channel)
            self._connection.write(multiline("Mechanisms", mechanisms))
            return None
        if not 1 <= len(arguments) <= 2:
            raise BadCommand("AUTH mechanism [initial-response]")
        name, initial = arguments[0].decode("ascii", "replace"), arguments[1] if arguments[1:] else None
        return self._proceed(self._connection.sasl.begin(name, initial, self._connection.channel))

    # -- signing in

    async def _proceed(self, step: Awaitable[Challenge | Login]) -> None:
        """Act on the result of a SASL step or of a password check."""
        connection = self._connection
        try:
            result = await step
        except MailError as error:
            if connection.sasl.failures >= connection.limits.failed_logins:
                connection.end(connection.refusal(error), "too many failed logins")
            raise
        if isinstance(result, Challenge):
            connection.wire.expect_response()
            connection.write(challenge(result.encoded))
        else:
            await connection.sign_in(result)

    def _admit_password(self) -> None:
        error: MailError | None = None
        if not self._connection.sasl.takes_passwords:
            error = MailError("USER and PASS are not offered here, but AUTH")
        elif not self._connection.is_secure:
            hint = "STLS first" if self._connection.can_start_tls else "connect with TLS"
            error = MailError(f"Passwords are not taken in clear: {hint}")
        if error is not None:
            sign_in_refused(self._connection, _USER, "", error)
            raise error


_COMMANDS: Mapping[str, Callable[[Authorization, Command], Awaitable[None] | None]] = {
    "APOP": Authorization._apop,
    "AUTH": Authorization._auth,
    "CAPA": Authorization._capa,
    "LANG": Authorization._lang,
    "PASS": Authorization._pass,
    "QUIT": Authorization._quit,
    "STLS": Authorization._stls,
    "USER": Authorization._user,
    "UTF8": Authorization._utf8,
}


def _no_arguments(command: Command) -> None:
    if command.arguments:
        raise BadCommand(f"{command.keyword} takes no arguments")
