"""Authentication as every protocol does it (RFC 4422): which mechanism, and what is said in turn."""

from __future__ import annotations

import binascii
import enum
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto.auth import (
    ClientCredentials,
    ClientMechanism,
    SASLError,
    client_mechanisms,
    decode_base64,
)
from mailproto.client._errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ConnectionLost,
    ServerReply,
    ServerUntrusted,
)
from mailproto.tls import Channel

__all__ = ["SASLAnswer", "SASLDialect", "SASLStatus", "choose_mechanisms", "sign_in"]


class SASLStatus(enum.Enum):
    """What a server's answer means for the exchange."""

    CHALLENGE = "go on"
    SUCCESS = "the credentials are taken"
    OTHER_MECHANISM = "this mechanism cannot be used, which says nothing of the credentials"
    REFUSED = "the credentials are not taken"


@dataclass(frozen=True, slots=True)
class SASLAnswer:
    """What a server answered.

    :ivar reply: in the protocol's own words.
    :ivar challenge: in base64, as it was sent; of a `SASLStatus.CHALLENGE` only.
    """

    status: SASLStatus
    reply: ServerReply
    challenge: bytes = b""


class SASLDialect(Protocol):
    """How one protocol says what all say in the exchange; messages are in base64 already."""

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        """Whether the first message may come along with the command: some commands are too long then."""

    def begin(self, mechanism: str, initial: bytes | None) -> Awaitable[SASLAnswer]:
        """Send the command.

        :param initial: the first message, ``=`` for an empty one; None for none.
        """

    def respond(self, response: bytes) -> Awaitable[SASLAnswer]:
        """Send the answer to a challenge; ``*`` cancels the exchange."""


def choose_mechanisms(
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
        raise AuthenticationUnavailable("Authentication is not offered")
    if client_mechanisms(offered, credentials, channel, mechanism=mechanism, allow_clear=True):
        raise AuthenticationUnavailable("The secret would be sent in clear, or to an unknown server")
    raise AuthenticationUnavailable


async def sign_in(mechanisms: Sequence[ClientMechanism], dialect: SASLDialect, reactor: Any) -> str:
    """Try ``mechanisms`` until the server takes one.

    :returns: the name of the one that it took.
    :raises AuthenticationRefused: the credentials were refused: no other mechanism is tried,
        since each failure counts for those who look for guessers.
    :raises AuthenticationUnavailable: every mechanism was refused, or there is none.
    :raises ServerUntrusted: and the connection is to be closed.
    """
    reply = None
    for mechanism in mechanisms:
        answer = await _try(mechanism, dialect, reactor)
        reply = answer.reply
        if answer.status is SASLStatus.SUCCESS:
            if not mechanism.is_complete:
                raise ServerUntrusted
            return mechanism.name
        if answer.status is not SASLStatus.OTHER_MECHANISM:
            raise AuthenticationRefused(reply=reply)
    raise AuthenticationUnavailable(reply=reply)


async def _try(mechanism: ClientMechanism, dialect: SASLDialect, reactor: Any) -> SASLAnswer:
    """One exchange: the answer that ends it."""
    initial = mechanism.initial()
    # An empty message is not the same as none.
    encoded = None if initial is None else _encode(initial) or b"="
    if encoded is not None and dialect.takes_initial(mechanism.name, encoded):
        answer = await dialect.begin(mechanism.name, encoded)
    else:
        answer = await dialect.begin(mechanism.name, None)
        if initial is not None and answer.status is SASLStatus.CHALLENGE:
            answer = await dialect.respond(_encode(initial))
    while answer.status is SASLStatus.CHALLENGE:
        try:
            challenge = b"" if mechanism.ignores_challenges else decode_base64(answer.challenge)
            response = await _step(mechanism, challenge, reactor)
        except SASLError as error:
            with suppress(ConnectionLost):
                await dialect.respond(b"*")
            raise ServerUntrusted(f"Authentication cancelled: {error}") from None
        answer = await dialect.respond(_encode(response))
    return answer


async def _step(mechanism: ClientMechanism, challenge: bytes, reactor: Any) -> bytes:
    if mechanism.is_slow and IReactorThreads.providedBy(reactor):
        return await deferToThreadPool(reactor, reactor.getThreadPool(), mechanism.step, challenge)
    return mechanism.step(challenge)


def _encode(message: bytes) -> bytes:
    return binascii.b2a_base64(message, newline=False)
