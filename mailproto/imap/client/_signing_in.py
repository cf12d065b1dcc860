"""The commands that begin and end a session: TLS, signing in and out, LOGOUT."""

from __future__ import annotations

import re
from contextlib import suppress

from twisted.internet.defer import Deferred

from mailproto.auth import Password
from mailproto.auth.sasl import ClientCredentials
from mailproto.client import ServerAddress
from mailproto.client.base import SASLAnswer, SASLStatus, choose_mechanisms, sign_in
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    OutOfOrder,
    ProtocolViolation,
    ServerUntrusted,
    TLSUnavailable,
)
from mailproto.errors import WireError
from mailproto.imap.client._command import Command, Literal, Piece
from mailproto.imap.client._gathering import not_offered
from mailproto.imap.client._searching import string_piece
from mailproto.imap.client._server_commands import ServerCommands
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.wire._answers import Continuation, StatusResponse
from mailproto.tls import Channel, client_channel
from mailproto.typing import ClientTLSContext

__all__ = ["SigningIn"]

_UNKNOWN = re.compile(
    rb"(?:command|mechanism|method|type)\b.{0,20}\b(?:unknown|unsupported|unrecogni[sz]ed|not supported)"
    rb"|(?:unknown|unsupported|unrecogni[sz]ed)\b.{0,20}\b(?:command|mechanism|method|type)",
    re.IGNORECASE,
)
"""How servers say that they do not know a mechanism that they offer."""


class SigningIn(ServerCommands):
    """The commands that begin and end a session."""

    _authenticated_by = ""

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """993 with implicit TLS, otherwise 143."""
        return 993 if server.tls == "implicit" else 143

    @property
    def authenticated_by(self) -> str:
        """The mechanism with which the client has signed in, ``LOGIN`` for that command, ``PREAUTH`` if the
        server needed no credentials; ``""`` if it has not signed in."""
        return self._authenticated_by or ("PREAUTH" if self._session.is_signed_in else "")

    def authenticate(
        self, credentials: ClientCredentials, *, mechanism: str | None = None, allow_clear: bool = False
    ) -> Deferred[str]:
        """Sign in with AUTHENTICATE, or with LOGIN if the server has no mechanism (RFC 9051 6.2).

        If the server needs no credentials (PREAUTH), none are sent.

        :param mechanism: use this mechanism and no other.
        :param allow_clear: True to send a secret in clear without TLS, or to a server with an unverified
            certificate.  Otherwise a secret in clear goes only to a server on this machine.
        :returns: what was used, as in `authenticated_by`.
        :raises TypeError: the argument is of no class of credentials.
        :raises AuthenticationRefused: the server does not accept the credentials.
        :raises AuthenticationUnavailable: no mechanism can be used; the connection goes on.
        :raises ServerUntrusted: the server could not prove that it knows the password; the connection is
            closed.
        """
        return self._session.run(lambda: self._authenticate(credentials, mechanism, allow_clear))

    def login(self, name: str, password: str, *, allow_clear: bool = False) -> Deferred[str]:
        """LOGIN: sign in with a name and a password in clear (RFC 9051 6.2.3); rather use `authenticate`.

        :param allow_clear: as in `authenticate`.
        :raises AuthenticationRefused, AuthenticationUnavailable: as in `authenticate`.
        """
        credentials = Password(name, password)
        return self._session.run(lambda: self._login(credentials, allow_clear))

    def unauthenticate(self) -> Deferred[None]:
        """UNAUTHENTICATE: sign out, so that another account can use the connection (RFC 8437).

        Nothing stays of the session but TLS: no mailbox is selected, what was enabled is not, and nothing is
        compressed.

        :raises NotOffered: the server does not offer it.
        :raises OutOfOrder: the client has not signed in.
        :raises ConnectionLost: also if the server refuses it, because then nobody knows what is left.
        """
        self._session.saved = None
        return self._session.run(self._unauthenticate)

    def quit(self) -> Deferred[None]:
        """LOGOUT after all earlier calls are done, and close the connection.

        :returns: fires when the connection is closed; never fails.
        """
        if self.is_usable:
            self._session.run(self._quit).addErrback(lambda _: None)
        return self.closed()

    logout = quit

    # -- dialogues

    def _introduce(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._knows())

    async def _starttls(self, tls: ClientTLSContext) -> frozenset[str]:
        session = self._session
        if session.is_signed_in:
            raise TLSUnavailable("Signed in before TLS")
        await self._learn_within_turn()
        if self.is_encrypted or not session.has("STARTTLS"):
            raise TLSUnavailable
        try:
            await self._within_turn(Command("STARTTLS", [b"STARTTLS"]))
        except CommandRefused as error:
            raise TLSUnavailable(reply=error.reply) from None
        await session.start_tls(tls)
        session.capabilities = None
        session.enabled.clear()
        await self._learn_within_turn()
        return self.capabilities

    async def _authenticate(
        self, credentials: ClientCredentials, mechanism: str | None, allow_clear: bool
    ) -> str:
        session = self._session
        if self._authenticated_by:
            raise AuthenticationUnavailable("Authenticated already")
        if session.is_signed_in:
            return self.authenticated_by
        await self._learn_within_turn()
        offered = session.capabilities or frozenset()
        names = sorted(each[5:] for each in offered if each.startswith("AUTH="))
        try:
            mechanisms = choose_mechanisms(
                names, credentials, self._channel(), mechanism=mechanism, allow_clear=allow_clear
            )
            used = await sign_in(
                mechanisms, _Authenticate(session, has_ir="SASL-IR" in offered), session.clock
            )
        except AuthenticationUnavailable:
            if mechanism is not None or not isinstance(credentials, Password) or "LOGINDISABLED" in offered:
                raise
            return await self._login(credentials, allow_clear)
        except ServerUntrusted as error:
            raise session.fail(error) from None
        await self._now_signed_in(used, offered)
        return used

    async def _login(self, credentials: Password, allow_clear: bool) -> str:
        session = self._session
        if self.authenticated_by:
            raise AuthenticationUnavailable("Authenticated already")
        await self._learn_within_turn()
        offered = session.capabilities or frozenset()
        if "LOGINDISABLED" in offered:
            raise AuthenticationUnavailable("LOGIN is not offered")
        # LOGIN shows as much as PLAIN does.
        choose_mechanisms(["PLAIN"], credentials, self._channel(), mechanism=None, allow_clear=allow_clear)
        pieces: list[Piece] = [
            b"LOGIN ",
            _credential(credentials.username),
            b" ",
            _credential(credentials.password),
        ]
        try:
            await self._within_turn(Command("LOGIN", pieces))
        except CommandRefused as error:
            raise AuthenticationRefused(reply=error.reply) from None
        await self._now_signed_in("LOGIN", offered)
        return "LOGIN"

    def _channel(self) -> Channel:
        connection = self._session.connection
        return client_channel(connection.transport, is_local=connection.is_local)

    async def _now_signed_in(self, used: str, offered: frozenset[str]) -> None:
        """Note it, and learn what the server offers from now on, unless it has said so."""
        session = self._session
        self._authenticated_by = used
        session.signed_in()
        if session.capabilities is offered:
            session.capabilities = None
            await self._learn_within_turn()

    async def _unauthenticate(self) -> None:
        session = self._session
        await self._learn_within_turn()
        if not session.is_signed_in:
            raise OutOfOrder("Not signed in")
        if not session.has("UNAUTHENTICATE"):
            raise not_offered("UNAUTHENTICATE")
        offered = session.capabilities
        session.connection.end_compressing()
        try:
            await self._within_turn(Command("UNAUTHENTICATE", [b"UNAUTHENTICATE"]))
        except CommandRefused as error:
            raise session.fail(ProtocolViolation("UNAUTHENTICATE was refused", reply=error.reply)) from None
        try:
            session.connection.end_compression()
        except WireError as error:
            raise session.fail(ProtocolViolation(str(error))) from None
        session.signed_out()
        self._authenticated_by = ""
        if session.capabilities is offered:
            session.capabilities = None
            await self._learn_within_turn()

    async def _quit(self) -> None:
        session = self._session
        session.is_leaving = True
        with suppress(CommandRefused):
            await self._within_turn(Command("LOGOUT", [b"LOGOUT"], timeout=self.timeouts.quit))
        session.leave()


def _credential(text: str) -> Piece:
    octets = text.encode()
    return string_piece(text) if octets.isascii() else Literal(octets)


class _Authenticate:
    """The `SASLDialect` of IMAP (RFC 9051 6.2.2, RFC 4959)."""

    _MAX_COMMAND = 8000

    def __init__(self, session: IMAPSession, *, has_ir: bool) -> None:
        self._session = session
        self._has_ir = has_ir
        self._command = Command("AUTHENTICATE", [])

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        """Whether the command may have the initial response."""
        return self._has_ir and len(response) < self._MAX_COMMAND

    async def begin(self, mechanism: str, initial: bytes | None) -> SASLAnswer:
        """AUTHENTICATE, with the initial response if there is one."""
        line = b"AUTHENTICATE " + mechanism.encode("ascii")
        if initial is not None:
            line += b" " + initial
        self._command = Command("AUTHENTICATE", [line])
        return self._read(await self._session.open_dialogue(self._command))

    async def respond(self, response: bytes) -> SASLAnswer:
        """A line with a response in base64."""
        return self._read(await self._session.go_on(self._command, response + b"\r\n"))

    def _read(self, answer: Continuation | StatusResponse) -> SASLAnswer:
        if isinstance(answer, Continuation):
            reply = StatusResponse("", "OK", "", b"", b"")
            return SASLAnswer(SASLStatus.CHALLENGE, reply, answer.text)
        if answer.status == "OK":
            return SASLAnswer(SASLStatus.SUCCESS, answer)
        # NO means either: an unknown mechanism, or credentials that are wrong (RFC 9051 6.2.2).
        is_other = answer.status == "BAD" or (not answer.code and _UNKNOWN.search(answer.octets) is not None)
        return SASLAnswer(SASLStatus.OTHER_MECHANISM if is_other else SASLStatus.REFUSED, answer)
