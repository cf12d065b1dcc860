"""What all mechanisms have in common, as a server sees them (RFC 4422)."""

from __future__ import annotations

import abc
import binascii
from dataclasses import dataclass
from typing import ClassVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from zope.interface import Interface

from mailproto.accounts import account_key, full_name
from mailproto.tls._channel import Channel

__all__ = ["Challenge", "ServerMechanism"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the server sends next; the client's response goes to the next step."""

    data: bytes

    @property
    def encoded(self) -> bytes:
        """In base64, as all three protocols send it."""
        return binascii.b2a_base64(self.data, newline=False)


class ServerMechanism(abc.ABC):
    """One authentication exchange: messages in, challenges and credentials out, no I/O.

    :cvar name: as it is announced (RFC 4422 3.1).
    :cvar credentials: the interface of what it ends with: a portal without a checker for it
        has no use for the mechanism.
    :cvar plaintext: whether a secret crosses the wire in clear, so that TLS or a loopback
        address is needed.
    :cvar binds: whether it binds to the channel below; where none that does is offered, no
        mechanism is told what there is to bind to.
    :ivar final: what the server tells the client along with success (RFC 4422 3.6), sent as
        one more challenge, because our protocols have no other place for it; None for nothing.
    :ivar refusal: what it tells the client before failure, likewise.
    :ivar username: whom the client wants to be, as far as it has said so, for the log.

    :param checker: the portal's for ``credentials``.
    """

    name: ClassVar[str]
    credentials: ClassVar[type[Interface]]
    plaintext: ClassVar[bool] = False
    binds: ClassVar[bool] = False
    final: bytes | None = None
    refusal: bytes | None = None
    username: str = ""

    def __init__(self, channel: Channel, checker: ICredentialsChecker) -> None:
        self.channel = channel
        self.checker = checker

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """Whether what lies below the connection has what the mechanism builds upon."""
        return True

    def is_itself(self, authzid: str, name: str) -> bool:
        """Whether an account that gives an authzid means itself: both may be without a domain."""
        domain = getattr(self.checker, "default_domain", "")
        return account_key(full_name(authzid, domain)) == account_key(full_name(name, domain))

    @abc.abstractmethod
    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Go on with the exchange; only a question to ``checker`` is awaited.

        :param response: decoded; None at the start when there is no initial response, which
            is not the same as an empty one (RFC 4954 4: ``=``).
        :returns: credentials end the exchange.
        :raises SASLError: when the response is malformed.
        :raises UnwantedInitialResponse: when the server begins, and there is a response.
        :raises AuthenticationFailed: when it can be read, and asks for what nobody may.
        """
