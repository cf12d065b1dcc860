"""SASL for all client protocols (RFC 4422): the choice of a mechanism, and the exchange."""

from __future__ import annotations

import binascii
import enum
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from mailproto.auth.sasl import (
    ClientCredentials,
    ClientMechanism,
    SASLError,
    client_mechanisms,
    decode_base64,
)
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ConnectionLost,
    ServerReply,
    ServerUntrusted,
)
from mailproto.tls import Channel
from mailproto.typing import ReactorTime

__all__ = ["SASLAnswer", "SASLDialect", "SASLStatus", "choose_mechanisms", "sign_in"]


class SASLStatus(enum.Enum):
    """The meaning of a server's answer for the exchange."""

    CHALLENGE = "go on"
    SUCCESS = "the credentials are taken"
    OTHER_MECHANISM = "this mechanism cannot be used, which says nothing of the credentials"
    REFUSED = "the credentials are not taken"


@dataclass(frozen=True, slots=True)
class SASLAnswer:
    """A server's answer.

    :ivar reply: the protocol's own reply.
    :ivar challenge: in base64, as it was sent; only with `SASLStatus.CHALLENGE`.
    """

    status: SASLStatus
    reply: ServerReply
    challenge: bytes = b""


class SASLDialect(Protocol):
    """The SASL commands of one protocol; messages are already in base64."""

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        """Whether the command may contain the initial response; it may be too long for that."""

    def begin(self, mechanism: str, initial: bytes | None) -> Awaitable[SASLAnswer]:
        """Send the command.

        :param initial: the initial response, ``=`` for an empty one; None for none.
        """

    def respond(self, response: bytes) -> Awaitable[SASLAnswer]:
        """Send the response to a challenge; ``*`` cancels the exchange."""


def choose_mechanisms(
    offered: Sequence[str],
    credentials: ClientCredentials,
    channel: Channel,
    *,
    mechanism: str | None,
    allow_clear: bool,
) -> list[ClientMechanism]:
    """The mechanisms of `client_mechanisms`.  :raises AuthenticationUnavailable: there is none."""
    found = client_mechanisms(offered, credentials, channel, mechanism=mechanism, allow_clear=allow_clear)
    if found:
        return found
    if not offered:
        raise AuthenticationUnavailable("Authentication is not offered")
    if client_mechanisms(offered, credentials, channel, mechanism=mechanism, allow_clear=True):
        raise AuthenticationUnavailable("The secret would be sent in clear, or to an unknown server")
    raise AuthenticationUnavailable


async def sign_in(mechanisms: Sequence[ClientMechanism], dialect: SASLDialect, reactor: ReactorTime) -> str:
    """Try ``mechanisms`` until one succeeds.

    :returns: the name of the mechanism that succeeded.
    :raises AuthenticationRefused: the credentials were refused.  No other mechanism is tried, because
        servers count failures to detect password guessing.
    :raises AuthenticationUnavailable: the server refused every mechanism, or there is none.
    :raises ServerUntrusted: the server did not prove itself; the connection must be closed.
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


async def _try(mechanism: ClientMechanism, dialect: SASLDialect, reactor: ReactorTime) -> SASLAnswer:
    """Run one exchange; returns the answer that ends it."""
    initial = mechanism.initial()
    # An empty initial response differs from none.
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


async def _step(mechanism: ClientMechanism, challenge: bytes, reactor: ReactorTime) -> bytes:
    if mechanism.is_slow and IReactorThreads.providedBy(reactor):
        return await deferToThreadPool(reactor, reactor.getThreadPool(), mechanism.step, challenge)
    return mechanism.step(challenge)


def _encode(message: bytes) -> bytes:
    return binascii.b2a_base64(message, newline=False)
