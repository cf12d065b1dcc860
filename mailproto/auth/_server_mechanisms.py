"""The server's side of SASL mechanisms (RFC 4422): responses in, challenges and credentials out, no I/O."""

from __future__ import annotations

import abc
import binascii
import re
import secrets
import time
from dataclasses import dataclass
from typing import ClassVar, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    ICredentials,
    IUsernameHashedPassword,
    IUsernamePassword,
    UsernamePassword,
)
from zope.interface import Interface

from mailproto.accounts import account_key, full_name
from mailproto.auth._credentials import (
    BearerToken,
    ClientCertificate,
    CramMD5Response,
    IBearerToken,
    IClientCertificate,
    IScramChecker,
    IScramProof,
    ScramProof,
)
from mailproto.auth._sasl_messages import SASLError
from mailproto.auth._scram import ScramAlgorithm, ScramServerExchange
from mailproto.auth._scram._messages import unescape_name
from mailproto.awaiting import settle
from mailproto.errors import AuthenticationFailed, UnwantedInitialResponse
from mailproto.tls._channel import Channel

__all__ = [
    "Challenge",
    "CramMD5",
    "External",
    "Login",
    "OAuthBearer",
    "Plain",
    "ScramSHA1",
    "ScramSHA1Plus",
    "ScramSHA256",
    "ScramSHA256Plus",
    "ServerMechanism",
    "XOAuth2",
]

_DIGEST = 32
"""The length of an MD5 digest in hexadecimal."""

# RFC 6750 2.1; the scheme's name is compared without case (RFC 9110 11.1).
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z]+")
_SEPARATOR = "\x01"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next message; the client's response goes to the next step."""

    data: bytes

    @property
    def encoded(self) -> bytes:
        """In base64, as all three protocols send it."""
        return binascii.b2a_base64(self.data, newline=False)


class ServerMechanism(abc.ABC):
    """One authentication exchange: responses in, challenges and credentials out, no I/O.

    :cvar name: the mechanism's name (RFC 4422 3.1).
    :cvar credentials: the interface of the resulting credentials; the mechanism is offered only if the
        portal has a checker for it.
    :cvar plaintext: whether it sends a secret unencrypted, so that it needs TLS or a client on this
        machine.
    :cvar binds: whether it uses channel binding.  If no such mechanism is offered, no mechanism gets the
        channel binding data.
    :ivar final: additional data with success (RFC 4422 3.6), sent as one more challenge, because mail
        protocols have no other place for it; None for none.
    :ivar refusal: additional data before a failure, sent in the same way.
    :ivar username: the name that the client has given so far, for the log.
    :ivar acts_as_another: whether it wants to act as another account, which is refused when it has signed in.

    :param checker: the portal's checker for ``credentials``.
    """

    name: ClassVar[str]
    credentials: ClassVar[type[Interface]]
    plaintext: ClassVar[bool] = False
    binds: ClassVar[bool] = False
    final: bytes | None = None
    refusal: bytes | None = None
    username: str = ""
    acts_as_another = False

    def __init__(self, channel: Channel, checker: ICredentialsChecker) -> None:
        self.channel = channel
        self.checker = checker

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """Whether the mechanism can be used over this channel."""
        return True

    def is_itself(self, authzid: str, name: str) -> bool:
        """Whether ``authzid`` is the account ``name`` itself; either may be written without its domain."""
        domain = getattr(self.checker, "default_domain", "")
        return account_key(full_name(authzid, domain)) == account_key(full_name(name, domain))

    @abc.abstractmethod
    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Continue the exchange.  Only calls of ``checker`` are awaited.

        :param response: the decoded response; None at the start if there is no initial response, which
            differs from an empty one (RFC 4954 4: ``=``).
        :returns: a challenge, or the credentials that end the exchange.
        :raises SASLError: when the response is malformed.
        :raises UnwantedInitialResponse: the server begins in this mechanism, but the client sent an initial
            response.
        :raises AuthenticationFailed: the response is well-formed, but asks for something that is never
            allowed.
        """


class Plain(ServerMechanism):
    """PLAIN (RFC 4616): ``[authzid] NUL authcid NUL passwd`` in one message.

    No account may act as another, so the authzid must be empty or the authcid.
    """

    name = "PLAIN"
    credentials = IUsernamePassword
    plaintext = True

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise SASLError("PLAIN needs three parts")
        authzid, authcid, password = parts
        self.username = authcid.decode(errors="replace")
        if not authcid or not password:
            raise SASLError("PLAIN needs a name and a password")
        self.acts_as_another = bool(authzid) and not self.is_itself(_text(authzid), _text(authcid))
        return UsernamePassword(authcid, password)


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


class Login(ServerMechanism):
    """LOGIN (draft-murchison-sasl-login): never a standard, but still used by many clients.

    Clients look for exactly these two challenges.  An empty initial response counts as none: Dovecot's
    client sends one.
    """

    name = "LOGIN"
    credentials = IUsernamePassword
    plaintext = True
    _has_begun = False
    _username = b""

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Ask for the name, unless it came as the initial response, then for the password."""
        has_begun, self._has_begun = self._has_begun, True
        if response is None or not (response or has_begun):
            return Challenge(b"Username:")
        if b"\0" in response or not response:
            raise SASLError("LOGIN needs a name and a password")
        if not self._username:
            self._username = response
            self.username = response.decode(errors="replace")
            return Challenge(b"Password:")
        return UsernamePassword(self._username, response)


class CramMD5(ServerMechanism):
    """CRAM-MD5 (RFC 2195): the client answers ``<unique@host>`` with ``name SP digest``.

    The digest is keyed with the password, so the server must know the password itself.
    """

    name = "CRAM-MD5"
    credentials = IUsernameHashedPassword
    _challenge = b""

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """The challenge, then the credentials."""
        if not self._challenge:
            if response is not None:
                raise UnwantedInitialResponse
            # In the form of a msg-id, and unique (RFC 2195 2).
            unique = f"<{secrets.token_hex(16)}.{int(time.time())}@mailproto>"
            self._challenge = unique.encode()
            return Challenge(self._challenge)
        username, _, digest = (response or b"").rpartition(b" ")
        if not username or len(digest) != _DIGEST:
            raise SASLError("CRAM-MD5 needs a name and a digest")
        return CramMD5Response(username, self._challenge, digest.lower())


class ScramSHA256(ServerMechanism):
    """SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides prove what they know.

    The client proves that it knows the password, and the server proves that it has the keys.

    If an attacker may have changed the exchange, the checker still gets the credentials, so that the
    failure looks like a wrong password and takes as long.

    No account may act as another, so the authzid must be empty or the user's own name.
    """

    name = "SCRAM-SHA-256"
    credentials = IScramProof
    algorithm: ClassVar[ScramAlgorithm] = "SHA-256"

    def __init__(self, channel: Channel, checker: ICredentialsChecker) -> None:
        super().__init__(channel, checker)
        self._exchange = ScramServerExchange(self.algorithm, channel.bindings, self.binds)

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """The -PLUS mechanisms need channel binding data."""
        return not cls.binds or bool(channel.bindings)

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Answer the client's first message with salt and iterations; its last message has the proof."""
        if response is None:
            return Challenge(b"")
        exchange = self._exchange
        if not self.username:
            self.username = username = exchange.client_first(response)
            authzid = exchange.authzid
            self.acts_as_another = bool(authzid) and not self.is_itself(authzid, username)
            if exchange.flaw:
                return self._proof(b"", b"")
            keys = await settle(cast(IScramChecker, self.checker).scram_keys(username, self.algorithm))
            return Challenge(exchange.server_first(keys))
        credentials = self._proof(*exchange.client_final(response))
        self.final = exchange.server_final()
        return credentials

    def _proof(self, auth_message: bytes, proof: bytes) -> ScramProof:
        return ScramProof(self.username, self.algorithm, auth_message, proof, self._exchange.flaw)


class ScramSHA256Plus(ScramSHA256):
    """SCRAM-SHA-256 bound to this TLS connection."""

    name = "SCRAM-SHA-256-PLUS"
    binds = True


class ScramSHA1(ScramSHA256):
    """SCRAM with the older hash function."""

    name = "SCRAM-SHA-1"
    algorithm = "SHA-1"


class ScramSHA1Plus(ScramSHA1):
    """SCRAM-SHA-1 bound to this TLS connection."""

    name = "SCRAM-SHA-1-PLUS"
    binds = True


class _TokenMechanism(ServerMechanism):
    """Reads a message of key/value pairs; ``auth`` has the token.

    A bad token is first answered with an error in JSON.  The exchange then fails, whatever the client
    answers (RFC 7628 3.2.3).
    """

    credentials = IBearerToken
    plaintext = True

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        if response == _SEPARATOR.encode():  # the answer to an error (3.1), but there was none yet
            raise AuthenticationFailed(detail="no bearer token")
        try:
            parts = response.decode().split(_SEPARATOR)
        except UnicodeDecodeError:
            raise SASLError("not UTF-8") from None
        # Each pair ends with a separator, and so does the whole message.
        if len(parts) < 3 or parts[-2:] != ["", ""]:
            raise SASLError("not key/value pairs between separators")
        return self._read(parts[:-2])

    @abc.abstractmethod
    def _read(self, parts: list[str]) -> BearerToken:
        """:raises SASLError, AuthenticationFailed:"""


class OAuthBearer(_TokenMechanism):
    """OAUTHBEARER (RFC 7628): a GS2 header with the authzid, then the pairs."""

    name = "OAUTHBEARER"
    refusal = b'{"status":"invalid_token","schemes":"bearer"}'

    def _read(self, parts: list[str]) -> BearerToken:
        header, *pairs = parts
        flag, *names = header.split(",")
        if flag not in ("n", "y") or len(names) != 2 or names[1]:
            raise SASLError("bad GS2 header")
        authzid = names[0]
        if authzid and not authzid.startswith("a="):
            raise SASLError("bad GS2 header")
        self.username = name = unescape_name(authzid[2:])
        return BearerToken(name, _token(_values(pairs)))


class XOAuth2(_TokenMechanism):
    """XOAUTH2 (Google's, older): the pairs ``user`` and ``auth``."""

    name = "XOAUTH2"
    refusal = b'{"status":"401","schemes":"bearer"}'

    def _read(self, parts: list[str]) -> BearerToken:
        values = _values(parts)
        self.username = name = values.get("user", "")
        return BearerToken(name, _token(values))


def _values(pairs: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not _KEY.fullmatch(key) or key in values:
            raise SASLError("bad key/value pair")
        values[key] = value
    return values


def _token(values: dict[str, str]) -> str:
    """The token in ``auth``.  A client that sends none asks which scope it needs (RFC 7628 4.3)."""
    found = _BEARER.fullmatch(values.get("auth", ""))
    if found is None:
        raise AuthenticationFailed(detail="no bearer token")
    return found[1]


class External(ServerMechanism):
    """EXTERNAL (RFC 4422 appendix A): one message, the authzid or nothing.

    The client's TLS certificate identifies it.
    """

    name = "EXTERNAL"
    credentials = IClientCertificate

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """It needs a client's certificate."""
        return channel.certificate is not None

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        try:
            authzid = response.decode()
        except UnicodeDecodeError:
            raise SASLError("not UTF-8") from None
        if "\0" in authzid:
            raise SASLError("NUL in an authzid")
        assert self.channel.certificate is not None  # noqa: S101 - see is_possible
        return ClientCertificate(self.channel.certificate, authzid)
