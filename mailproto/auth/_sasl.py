"""SASL as a server sees it (RFC 4422): messages in, challenges and credentials out, no I/O.

A protocol looks a mechanism up by name, gives `ServerMechanism.step` each response
of the client, and sends each `Challenge` on, until it gets credentials, which it
hands to `mailproto.auth.login`.  Another mechanism is another row in the table.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from twisted.cred.credentials import ICredentials, UsernamePassword

from mailproto.auth._errors import SASLError

__all__ = [
    "MECHANISMS",
    "Challenge",
    "ServerMechanism",
    "server_mechanism",
]


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the server sends next, before base64; the client's response goes to the next step."""

    data: bytes


class ServerMechanism(abc.ABC):
    """One authentication exchange.

    :cvar name: as it is announced (RFC 4422 3.1).
    :cvar plaintext: whether the password crosses the wire in clear, so that TLS or a
        loopback address is needed.
    :ivar final: what the server tells the client along with success (RFC 4422 3.6), sent as
        one more challenge where the protocol has no other place for it; None for nothing.
    """

    name: ClassVar[str]
    plaintext: ClassVar[bool]
    final: bytes | None = None

    @abc.abstractmethod
    def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Go on with the exchange.

        :param response: decoded; None at the start when there is no initial response, which
            is not the same as an empty one (RFC 4954 4: ``=``).
        :returns: credentials end the exchange.
        :raises SASLError: when the response is malformed.
        """


class Plain(ServerMechanism):
    """PLAIN (RFC 4616): ``[authzid] NUL authcid NUL passwd`` in one message.

    Nobody may act as somebody else, so an authzid is taken only if it is the authcid.
    """

    name = "PLAIN"
    plaintext = True

    def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise SASLError("PLAIN needs three parts")
        authzid, authcid, password = parts
        if not authcid or not password:
            raise SASLError("PLAIN needs a name and a password")
        if authzid not in (b"", authcid):
            raise SASLError("PLAIN lets nobody act as somebody else")
        return UsernamePassword(authcid, password)


class Login(ServerMechanism):
    """LOGIN (draft-murchison-sasl-login, never a standard, still spoken by many clients).

    The two challenges are what those clients look for.
    """

    name = "LOGIN"
    plaintext = True

    def __init__(self) -> None:
        self._username: bytes | None = None

    def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Asks for the name, unless it came as initial response, then for the password."""
        if response is None:
            return Challenge(b"Username:")
        if b"\0" in response or not response:
            raise SASLError("LOGIN needs a name and a password")
        if self._username is None:
            self._username = response
            return Challenge(b"Password:")
        return UsernamePassword(self._username, response)


_TABLE: Mapping[str, Callable[[], ServerMechanism]] = {
    mechanism.name: mechanism for mechanism in (Plain, Login)
}

MECHANISMS: tuple[str, ...] = tuple(_TABLE)
"""The names to announce, best first."""


def server_mechanism(name: str) -> ServerMechanism | None:
    """A new exchange of the mechanism ``name`` (any case), or None if there is none."""
    make = _TABLE.get(name.upper())
    return None if make is None else make()
