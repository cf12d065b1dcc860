"""AUTH (RFC 4954): a mechanism's messages in the lines of SMTP."""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto.auth import ClientCredentials, ClientMechanism, SASLError, client_mechanisms, decode_base64
from mailproto.smtp.client._errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ConnectionLost,
    ServerUntrusted,
)
from mailproto.smtp.wire import Reply
from mailproto.tls import Channel

__all__ = ["choose", "sign_in"]

_MAX_COMMAND = 512
"""Octets of AUTH with its initial response; a longer one follows in a line of its own (4)."""

_SUCCESS = 235
_CHALLENGE = 334
_OTHER_MECHANISM = (504, 534, 538)
"""Not known, too weak, only in TLS: nothing was said of the credentials (6)."""

Exchange: TypeAlias = Callable[[bytes], Awaitable[Reply]]


def choose(
    offered: Sequence[str],
    credentials: ClientCredentials,
    channel: Channel,
    *,
    mechanism: str | None,
    allow_clear: bool,
) -> list[ClientMechanism]:
    """What `client_mechanisms` finds.  :raises AuthenticationUnavailable: nothing, and why."""
    found = client_mechanisms(offered, credentials, channel, mechanism=mechanism, allow_clear=allow_clear)
    if found:
        return found
    if not offered:
        raise AuthenticationUnavailable("AUTH is not offered")
    if client_mechanisms(offered, credentials, channel, mechanism=mechanism, allow_clear=True):
        raise AuthenticationUnavailable("The secret would be sent in clear, or to an unknown server")
    raise AuthenticationUnavailable


async def sign_in(mechanisms: Sequence[ClientMechanism], exchange: Exchange, reactor: Any) -> str:
    """Try ``mechanisms`` until the server takes one.

    :param exchange: sends a line and gives the reply: 235, 334, 4yz or 5yz.
    :returns: the name of the one that it took.
    :raises AuthenticationRefused: the credentials were refused: no other mechanism is tried,
        since each failure counts for those who look for guessers.
    :raises AuthenticationUnavailable: every mechanism was refused, or there is none.
    :raises ServerUntrusted: and the connection is to be closed.
    """
    reply = None
    for mechanism in mechanisms:
        reply = await _try(mechanism, exchange, reactor)
        if reply.code == _SUCCESS:
            if not mechanism.is_complete:
                raise ServerUntrusted
            return mechanism.name
        if reply.code not in _OTHER_MECHANISM:
            raise AuthenticationRefused(reply=reply)
    raise AuthenticationUnavailable(reply=reply)


async def _try(mechanism: ClientMechanism, exchange: Exchange, reactor: Any) -> Reply:
    """One exchange: the reply that ends it."""
    command = b"AUTH " + mechanism.name.encode("ascii")
    initial = mechanism.initial()
    # An empty one is not the same as none.
    whole = b"" if initial is None else b"%b %b\r\n" % (command, _encode(initial) or b"=")
    if whole and len(whole) <= _MAX_COMMAND:
        reply = await exchange(whole)
    else:
        reply = await exchange(command + b"\r\n")
        if initial is not None and reply.code == _CHALLENGE:
            reply = await exchange(_encode(initial) + b"\r\n")
    while reply.code == _CHALLENGE:
        try:
            challenge = b"" if mechanism.ignores_challenges else decode_base64(reply.lines[0])
            response = await _step(mechanism, challenge, reactor)
        except SASLError as error:
            with suppress(ConnectionLost):
                await exchange(b"*\r\n")
            raise ServerUntrusted(f"Authentication cancelled: {error}") from None
        reply = await exchange(_encode(response) + b"\r\n")
    return reply


async def _step(mechanism: ClientMechanism, challenge: bytes, reactor: Any) -> bytes:
    if mechanism.is_slow and IReactorThreads.providedBy(reactor):
        return await deferToThreadPool(reactor, reactor.getThreadPool(), mechanism.step, challenge)
    return mechanism.step(challenge)


def _encode(message: bytes) -> bytes:
    return binascii.b2a_base64(message, newline=False)
