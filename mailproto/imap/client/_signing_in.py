"""The commands that begin and end a session: TLS, signing in, ENABLE, ID, COMPRESS, LOGOUT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from twisted.internet.defer import Deferred

from mailproto._arguments import check_type
from mailproto._twisted_arguments import check_client_tls
from mailproto.auth import Password
from mailproto.auth.sasl import ClientCredentials
from mailproto.client import ServerAddress
from mailproto.client.base import SASLAnswer, SASLStatus, choose_mechanisms, sign_in
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    ServerUntrusted,
    TLSUnavailable,
)
from mailproto.imap.client._answer_data import values_of
from mailproto.imap.client._command import Command, Literal, Piece
from mailproto.imap.client._core import ClientCore
from mailproto.imap.client._gathering import at_once, not_offered
from mailproto.imap.client._searching import string_piece
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.wire._answers import Continuation, StatusResponse
from mailproto.imap.wire._values import text_of
from mailproto.tls import Channel, client_channel
from mailproto.typing import ClientTLSContext

__all__ = ["SigningIn"]

_UNKNOWN = re.compile(
    rb"(?:command|mechanism|method|type)\b.{0,20}\b(?:unknown|unsupported|unrecogni[sz]ed|not supported)"
    rb"|(?:unknown|unsupported|unrecogni[sz]ed)\b.{0,20}\b(?:command|mechanism|method|type)",
    re.IGNORECASE,
)
"""How servers say that they do not know a mechanism that they offer."""


class SigningIn(ClientCore):
    """The commands that begin and end a session."""

    _authenticated_by = ""

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """993 with implicit TLS, otherwise 143."""
        return 993 if server.tls == "implicit" else 143

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers, in upper case; empty if it is not known yet."""
        return self._session.capabilities or frozenset()

    @property
    def enabled(self) -> frozenset[str]:
        """The extensions that were enabled, in upper case."""
        return frozenset(self._session.enabled)

    @property
    def authenticated_by(self) -> str:
        """The mechanism with which the client has signed in, ``LOGIN`` for that command, ``PREAUTH`` if the
        server needed no credentials; ``""`` if it has not signed in."""
        return self._authenticated_by or ("PREAUTH" if self._session.is_signed_in else "")

    @at_once
    async def capability(self) -> frozenset[str]:
        """CAPABILITY: ask what the server offers.

        :raises CommandRefused: the server refuses it.
        """
        await self._send("CAPABILITY", [b"CAPABILITY"])
        return self.capabilities

    def starttls(self, tls: ClientTLSContext) -> Deferred[frozenset[str]]:
        """STARTTLS: start TLS, and forget what was learnt in plaintext (RFC 9051 6.2.1).

        If plaintext follows the server's reply, that is an attack, and the connection is closed.

        :param tls: such as `mailproto.tls.client_tls` gives.
        :returns: fires with the server's capabilities.
        :raises TLSUnavailable: STARTTLS is not offered or is refused, or the server has signed the client in
            before TLS, which an attacker may have done (PREAUTH); the connection goes on.
        :raises TLSFailed: the handshake failed, or the certificate was not accepted; the connection is
            closed.
        """
        check_client_tls("tls", tls)
        return self._session.run(lambda: self._starttls(tls))

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

    @at_once
    async def enable(self, *extensions: str) -> frozenset[str]:
        """ENABLE extensions (RFC 5161), such as ``QRESYNC`` or ``UTF8=ACCEPT``; before `select`.

        What the server does not offer is left out.

        :returns: all that are enabled now.
        :raises CommandRefused: the server refuses it.
        """
        await self._knows()
        names = [name.upper() for name in extensions]
        for name in names:
            check_type("extension", name, str, "a str")
            if not name.isascii() or not name.replace("=", "").replace("-", "").replace("/", "").isalnum():
                raise ValueError(f"extension must be a name such as 'QRESYNC', not {name!r}")
        wanted = [name for name in names if self._offers(name) and name not in self._session.enabled]
        if wanted and self._session.has("ENABLE", "IMAP4REV2"):
            await self._send("ENABLE", [f"ENABLE {' '.join(wanted)}".encode("ascii")], alone=True)
        return self.enabled

    def _offers(self, extension: str) -> bool:
        has = self._session.has
        return has(extension) or (extension == "CONDSTORE" and has("QRESYNC"))

    @at_once
    async def id(self, **fields: str) -> Mapping[str, str]:
        """ID: tell the server about this program, and ask about the server (RFC 2971).

        :param fields: such as ``name`` and ``version``; none to tell nothing.
        :returns: what the server tells, by name in lower case; nothing if it has no ID.
        """
        await self._knows()
        if not self._session.has("ID"):
            return {}
        pieces: list[Piece] = [b"ID NIL"]
        if fields:
            pieces = [b"ID ("]
            for name, value in fields.items():
                pieces += [string_piece(name), b" ", string_piece(value), b" "]
            pieces[-1] = b")"
        told: dict[str, str] = {}
        for data in await self._ask("ID", pieces, "ID"):
            data = data._replace(text=data.text.replace(b'", "', b'" "'))  # some servers write commas
            for value in values_of(data, self._session.limits):
                if isinstance(value, list):
                    pairs = zip(value[::2], value[1::2], strict=False)
                    told.update((text_of(name).lower(), text_of(text)) for name, text in pairs)
        return told

    @at_once
    async def noop(self) -> None:
        """NOOP: let the server tell what is new.  :raises CommandRefused: the server refuses it."""
        await self._send("NOOP", [b"NOOP"])

    def compress(self) -> Deferred[None]:
        """COMPRESS: send and receive compressed data from now on (RFC 4978).

        :raises NotOffered: the server does not offer it.
        :raises CommandRefused: the server refuses it, perhaps because TLS compresses already.
        """
        return self._session.run(self._compress)

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
            await self._within_turn("STARTTLS", [b"STARTTLS"])
        except CommandRefused as error:
            raise TLSUnavailable(reply=error.reply) from None
        await session.start_tls(tls)
        session.capabilities = None
        session.enabled.clear()
        await self._learn_within_turn()
        return self.capabilities

    async def _learn_within_turn(self) -> None:
        if self._session.capabilities is None:
            await self._within_turn("CAPABILITY", [b"CAPABILITY"])
            if self._session.capabilities is None:
                self._session.learn(b"IMAP4REV1")

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
            await self._within_turn("LOGIN", pieces)
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

    async def _compress(self) -> None:
        session = self._session
        await self._learn_within_turn()
        if not session.has("COMPRESS=DEFLATE"):
            raise not_offered("COMPRESS=DEFLATE")
        await self._within_turn("COMPRESS", [b"COMPRESS DEFLATE"])
        session.connection.begin_compression(session.wire.take_pending())

    async def _quit(self) -> None:
        session = self._session
        session.is_leaving = True
        with suppress(CommandRefused):
            await self._within_turn("LOGOUT", [b"LOGOUT"], timeout=self.timeouts.quit)
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
