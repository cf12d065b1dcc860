"""Credentials other than a name and a password, for the checkers of ``twisted.cred`` portals.

CRAM-MD5 gives an `IUsernameHashedPassword` of ``twisted.cred`` itself; only a checker that knows the
passwords themselves can check it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.x509 import Certificate
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    ICredentials,
    IUsernameHashedPassword,
    IUsernamePassword,
    UsernamePassword,
)
from zope.interface import Attribute, implementer

from mailproto.auth._saslprep import prepared_password
from mailproto.auth._scram import ScramAlgorithm, ScramKeys
from mailproto.observing import Client

__all__ = [
    "ApopDigest",
    "BearerToken",
    "ClientCertificate",
    "ClientPassword",
    "CramMD5Response",
    "IApopDigest",
    "IBearerToken",
    "IClientCertificate",
    "IClientPassword",
    "IProxyLogin",
    "IScramChecker",
    "IScramProof",
    "ProxyLogin",
    "ScramProof",
]


class IScramProof(ICredentials):
    """A client's proof that it knows a password (RFC 5802 3).  Its checker is an `IScramChecker`."""

    username: str = Attribute("The name, prepared (SASLprep) if it can be.")
    algorithm: ScramAlgorithm = Attribute("SHA-256 or SHA-1.")
    auth_message: bytes = Attribute("The messages of the exchange, which the proof covers.")
    proof: bytes = Attribute('ClientProof; b"" if there is a flaw: it matches nothing.')
    flaw: str = Attribute('A sign of an attacker in between, for the log; "" if there is none.')


class IScramChecker(ICredentialsChecker):
    """A checker for `IScramProof` that also provides the keys for the beginning of the exchange."""

    def scram_keys(name: str, algorithm: ScramAlgorithm) -> Awaitable[ScramKeys]:  # noqa: N805
        """The keys of ``name``.

        If the account does not exist or has no keys, they are invented, but the same each time, so that a
        client cannot find out which accounts exist (RFC 5802 9).
        """


class IClientPassword(IUsernamePassword):
    """A name and a password, and the client that gave them: what the servers give to checkers of
    ``IUsernamePassword``."""

    client: Client = Attribute("Its address, behind a proxy too, and its connection.")

    def on_leaving(call: Callable[[], object]) -> None:  # noqa: N805
        """Call a function if the client leaves before it has its answer, for example to check nothing."""


class IApopDigest(IUsernameHashedPassword):
    """A client's digest of a timestamp and its password (APOP, RFC 1939 7).

    Its ``checkPassword`` compares, so a checker must know the passwords themselves.  A POP3 server offers
    APOP if its portal has a checker for this very interface: one for ``IUsernameHashedPassword`` does not
    count, because MD5 in this way is the weakest of all (whoever changes the timestamp learns a part of the
    password).
    """

    username: bytes = Attribute("The name as the client gave it.")


class IBearerToken(ICredentials):
    """An OAuth 2.0 bearer token (RFC 6750)."""

    username: str = Attribute('The account that the client wants; "" to leave that to the token.')
    token: str = Attribute("As the client sent it.")


class IClientCertificate(ICredentials):
    """A certificate that TLS has verified."""

    certificate: Certificate = Attribute("The client's own.")
    authzid: str = Attribute('The account that the client wants; "" to leave that to the certificate.')


class IProxyLogin(ICredentials):
    """The statement of a trusted proxy that it has signed its client in."""

    username: str = Attribute("The account's name, as the proxy knows it.")


@implementer(IClientPassword)
class ClientPassword(UsernamePassword):
    """See `IClientPassword`."""

    def __init__(self, username: bytes, password: bytes, client: Client) -> None:
        super().__init__(username, password)
        self.client = client
        self._calls: list[Callable[[], object]] = []

    def on_leaving(self, call: Callable[[], object]) -> None:
        """See `IClientPassword`."""
        self._calls.append(call)

    def leave(self) -> None:
        """The client has left, or has its answer."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()


@implementer(IScramProof)
@dataclass(frozen=True, slots=True)
class ScramProof:
    """See `IScramProof`."""

    username: str
    algorithm: ScramAlgorithm
    auth_message: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    flaw: str = ""


@implementer(IBearerToken)
@dataclass(frozen=True, slots=True)
class BearerToken:
    """See `IBearerToken`."""

    username: str
    token: str = field(repr=False)


@implementer(IClientCertificate)
@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """See `IClientCertificate`."""

    certificate: Certificate
    authzid: str = ""


@implementer(IProxyLogin)
@dataclass(frozen=True, slots=True)
class ProxyLogin:
    """See `IProxyLogin`."""

    username: str


@implementer(IUsernameHashedPassword)
@dataclass(frozen=True, slots=True)
class CramMD5Response:
    """A client's response in CRAM-MD5 (RFC 2195 2).

    :ivar response: the digest of ``challenge``, keyed with the password, in hexadecimal.
    """

    username: bytes
    challenge: bytes
    response: bytes = field(repr=False)

    def checkPassword(self, password: bytes) -> bool:
        """Whether the client knows ``password``."""
        digest = hmac.new(password, self.challenge, hashlib.md5).hexdigest()
        return hmac.compare_digest(digest.encode(), self.response)


@implementer(IApopDigest)
@dataclass(frozen=True, slots=True)
class ApopDigest:
    """See `IApopDigest`.

    :ivar timestamp: that of the server's greeting, with its angle brackets.
    :ivar response: the MD5 digest of the timestamp and the password, in lower-case hexadecimal.
    """

    username: bytes
    timestamp: bytes
    response: bytes = field(repr=False)

    def checkPassword(self, password: bytes) -> bool:
        """Whether the client knows ``password``: as it is, or as SASLprep prepares it (RFC 6856 2.2)."""
        forms = [password]
        with suppress(UnicodeDecodeError):
            forms.append(prepared_password(password.decode()))
        octets = [self.timestamp + form for form in forms]
        digests = [hashlib.md5(each, usedforsecurity=False).hexdigest().encode() for each in octets]
        return any(hmac.compare_digest(digest, self.response) for digest in digests)
