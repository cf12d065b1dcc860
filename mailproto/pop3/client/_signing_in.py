"""Signing in: by SASL (RFC 5034), by USER and PASS, or by APOP (RFC 1939 7)."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from mailproto.auth import Password
from mailproto.auth.sasl import ClientCredentials
from mailproto.client.base import SASLAnswer, SASLStatus, choose_mechanisms, sign_in
from mailproto.client.errors import AuthenticationRefused, AuthenticationUnavailable, ServerUntrusted
from mailproto.pop3.client._session import POP3Session
from mailproto.pop3.wire import Reply
from mailproto.tls import Channel, client_channel

__all__ = ["authenticate"]

APOP: Final = "APOP"
USER: Final = "USER"

_MAX_COMMAND: Final = 255
"""The most octets of AUTH with its initial response (RFC 2449 4, RFC 5034 4)."""

_UNSENDABLE: Final = re.compile(r"[\r\n\0]")


async def authenticate(
    session: POP3Session, credentials: ClientCredentials, mechanism: str | None, *, allow_clear: bool
) -> str:
    """Sign in, and return how; `POP3Client.authenticate` describes it."""
    connection = session.connection
    channel = client_channel(connection.transport, is_local=connection.is_local)
    wanted = None if mechanism is None else mechanism.upper()
    try:
        if wanted in (APOP, USER):
            used = await _by_command(session, credentials, wanted, channel, allow_clear=allow_clear)
        else:
            used = await _by_sasl(session, credentials, wanted, channel, allow_clear=allow_clear)
    except ServerUntrusted as error:
        raise session.fail(error) from None
    session.authenticated_by = used
    return used


async def _by_sasl(
    session: POP3Session,
    credentials: ClientCredentials,
    wanted: str | None,
    channel: Channel,
    *,
    allow_clear: bool,
) -> str:
    """By the best mechanism; if there is none, by a command of POP3's own."""
    offered = [name.upper() for name in (session.capabilities or {}).get("SASL", ())]
    try:
        mechanisms = choose_mechanisms(
            offered, credentials, channel, mechanism=wanted, allow_clear=allow_clear
        )
        return await sign_in(mechanisms, _Dialect(session), session.clock)
    except AuthenticationUnavailable as unavailable:
        is_bound = any(name.endswith("-PLUS") for name in offered) and bool(channel.bindings)
        if wanted is not None or is_bound or not isinstance(credentials, Password):
            raise
        may_show = channel.is_secure or allow_clear
        if not (may_show or session.timestamp) or credentials.authzid:
            raise
        command = USER if may_show else APOP
        try:
            return await _by_command(session, credentials, command, channel, allow_clear=allow_clear)
        except AuthenticationUnavailable:
            raise unavailable from None


async def _by_command(
    session: POP3Session,
    credentials: ClientCredentials,
    command: str,
    channel: Channel,
    *,
    allow_clear: bool,
) -> str:
    if not isinstance(credentials, Password) or credentials.authzid:
        raise AuthenticationUnavailable(f"{command} takes a name and a password only")
    name, password = credentials.username, credentials.password
    if _UNSENDABLE.search(name + password) or " " in name:
        raise AuthenticationUnavailable(f"{command} cannot send this name or password")
    if not (name + password).isascii() and "USER" not in (session.capabilities or {}).get("UTF8", ()):
        raise AuthenticationUnavailable("The server takes names and passwords in ASCII only")  # RFC 6856 2.2
    if command == APOP:
        if not session.timestamp:
            raise AuthenticationUnavailable("The greeting has no timestamp for APOP, or one that is not safe")
        octets = (session.timestamp + password).encode()
        digest = hashlib.md5(octets, usedforsecurity=False).hexdigest()
        _check(await session.say(APOP, f"APOP {name} {digest}\r\n".encode()))
        return APOP
    if not (channel.is_secure or allow_clear):
        raise AuthenticationUnavailable("The secret would be sent in clear, or to an unknown server")
    _check(await session.say(USER, f"USER {name}\r\n".encode()))
    _check(await session.say("PASS", f"PASS {password}\r\n".encode()))
    return USER


def _check(reply: Reply) -> None:
    if not reply.is_ok:
        raise AuthenticationRefused(reply=reply)


class _Dialect:
    """The `SASLDialect` of POP3."""

    def __init__(self, session: POP3Session) -> None:
        self._session = session

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        """Whether AUTH has room for the initial response."""
        return len(_auth_line(mechanism, response)) <= _MAX_COMMAND

    async def begin(self, mechanism: str, initial: bytes | None) -> SASLAnswer:
        """AUTH, with the initial response if there is one."""
        return self._read(await self._session.say("AUTH", _auth_line(mechanism, initial)))

    async def respond(self, response: bytes) -> SASLAnswer:
        """A line with a response in base64."""
        return self._read(await self._session.respond("AUTH", response + b"\r\n"))

    def _read(self, reply: Reply) -> SASLAnswer:
        if reply.status == "+":
            return SASLAnswer(SASLStatus.CHALLENGE, reply, reply.text.strip().encode())
        if reply.is_ok:
            return SASLAnswer(SASLStatus.SUCCESS, reply)
        # A server with AUTH-RESP-CODE says AUTH if it has looked at the credentials (RFC 3206 6).
        is_other = "AUTH-RESP-CODE" in (self._session.capabilities or ()) and not reply.code
        return SASLAnswer(SASLStatus.OTHER_MECHANISM if is_other else SASLStatus.REFUSED, reply)


def _auth_line(mechanism: str, initial: bytes | None) -> bytes:
    command = b"AUTH " + mechanism.encode("ascii")
    return command + b"\r\n" if initial is None else b"%b %b\r\n" % (command, initial)
