"""The client's side of SASL mechanisms (RFC 4422), and the choice among them."""

from __future__ import annotations

import abc
import hmac
from collections.abc import Collection, Sequence

from mailproto.auth._client_credentials import Certificate, ClientCredentials, Password, Token
from mailproto.auth._sasl_messages import SASLError
from mailproto.auth._saslprep import saslprep
from mailproto.auth._scram import SCRAM_ALGORITHMS, ScramAlgorithm, ScramClientExchange, escape_name
from mailproto.tls._channel import Channel

__all__ = ["ClientMechanism", "client_mechanisms"]

_PLUS = "-PLUS"


class ClientMechanism(abc.ABC):
    """One authentication exchange.

    :ivar name: the mechanism's name (RFC 4422 3.1).
    :ivar ignores_challenges: whether the text of challenges is ignored; it need not even be base64.
    :ivar is_slow: whether `step` should run in a thread.
    """

    name: str
    ignores_challenges: bool = False
    is_slow: bool = False

    def initial(self) -> bytes | None:
        """The initial response, sent with the command or in answer to an empty challenge.

        None if the server begins.
        """
        return None

    @abc.abstractmethod
    def step(self, challenge: bytes) -> bytes:
        """The response to a challenge.

        :raises SASLError: the challenge is malformed or out of order, or the server does not know the
            secret.  The client must cancel the exchange.
        """

    @property
    def is_complete(self) -> bool:
        """Whether a success reply may be trusted: the server has sent every proof that the mechanism
        requires."""
        return True


class OneMessage(ClientMechanism):
    """A mechanism with a single message from the client."""

    @abc.abstractmethod
    def initial(self) -> bytes:
        """The message."""

    def step(self, challenge: bytes) -> bytes:
        """:raises SASLError: always, because the mechanism has no challenge."""
        raise SASLError(f"{self.name} has no challenge")


class Plain(OneMessage):
    """PLAIN (RFC 4616): ``[authzid] NUL authcid NUL passwd``."""

    name = "PLAIN"

    def __init__(self, credentials: Password) -> None:
        self._credentials = credentials

    def initial(self) -> bytes:
        """The message."""
        given = self._credentials
        return f"{given.authzid}\0{given.username}\0{given.password}".encode()


class Login(ClientMechanism):
    """LOGIN (draft-murchison-sasl-login): sends the name, then the password, whatever the prompts say."""

    name = "LOGIN"
    ignores_challenges = True

    def __init__(self, credentials: Password) -> None:
        self._responses = [credentials.password, credentials.username]

    def step(self, challenge: bytes) -> bytes:
        """The name, or then the password."""
        if not self._responses:
            raise SASLError("LOGIN has two challenges")
        return self._responses.pop().encode()


class CramMD5(ClientMechanism):
    """CRAM-MD5 (RFC 2195): one challenge, answered with ``name SP digest``."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Password) -> None:
        self._credentials: Password | None = credentials

    def step(self, challenge: bytes) -> bytes:
        """The digest; only of the first challenge, so that a server cannot collect digests."""
        given, self._credentials = self._credentials, None
        if given is None or not challenge:
            raise SASLError("CRAM-MD5 has one challenge")
        digest = hmac.new(given.password.encode(), challenge, "md5").hexdigest()
        return f"{given.username} {digest}".encode()


class Scram(ClientMechanism):
    """SCRAM (RFC 5802, RFC 7677): sends the name and the proof, and checks the server's proof.

    :param gs2_flag: the channel binding flag (RFC 5802 6).
    :param binding: the channel binding data, for a -PLUS mechanism.
    :raises ValueError: `saslprep` rejects the name.
    """

    is_slow = True

    def __init__(
        self, algorithm: ScramAlgorithm, credentials: Password, gs2_flag: str, binding: bytes = b""
    ) -> None:
        self.name = f"SCRAM-{algorithm}{'-PLUS' if binding else ''}"
        self._exchange = exchange = ScramClientExchange(
            algorithm,
            credentials.username,
            credentials.password,
            authzid=credentials.authzid,
            gs2_flag=gs2_flag,
            binding=binding,
        )
        self._steps = [self._end, exchange.client_final]

    def initial(self) -> bytes:
        """The name and a nonce."""
        return self._exchange.client_first()

    def step(self, challenge: bytes) -> bytes:
        """The proof; then an empty answer to the server's proof."""
        if not self._steps:
            raise SASLError(f"{self.name} has two challenges")
        return self._steps.pop()(challenge)

    @property
    def is_complete(self) -> bool:
        """Whether the server has proved that it knows the password."""
        return self._exchange.is_proven

    def _end(self, challenge: bytes) -> bytes:
        self._exchange.server_final(challenge)
        return b""


class _TokenMechanism(ClientMechanism):
    """A token in one message.

    The server answers a bad token with an error in JSON.  The client must then send one more message, after
    which the server sends the protocol's own error reply.
    """

    _after_error: bytes

    def __init__(self, credentials: Token) -> None:
        self._credentials = credentials
        self._has_failed = False

    def step(self, challenge: bytes) -> bytes:
        """The answer to the server's error."""
        if self._has_failed:
            raise SASLError(f"{self.name} has one challenge")
        self._has_failed = True
        return self._after_error

    @property
    def is_complete(self) -> bool:
        """False after an error challenge, whatever the server replies."""
        return not self._has_failed


class OAuthBearer(_TokenMechanism):
    """OAUTHBEARER (RFC 7628): a GS2 header with the name, and the token."""

    name = "OAUTHBEARER"
    _after_error = b"\x01"

    def initial(self) -> bytes:
        """The message (3.1)."""
        name = self._credentials.username
        header = f"n,{'a=' + escape_name(name) if name else ''},"
        return f"{header}\x01auth=Bearer {self._credentials.token}\x01\x01".encode()


class XOAuth2(_TokenMechanism):
    """XOAUTH2 (Google's, older): the name and the token."""

    name = "XOAUTH2"
    _after_error = b""

    def initial(self) -> bytes:
        """The message."""
        return f"user={self._credentials.username}\x01auth=Bearer {self._credentials.token}\x01\x01".encode()


class External(OneMessage):
    """EXTERNAL (RFC 4422 appendix A): sends the authzid or nothing; the client's certificate identifies
    it."""

    name = "EXTERNAL"

    def __init__(self, credentials: Certificate) -> None:
        self._authzid = credentials.authzid

    def initial(self) -> bytes:
        """The authzid."""
        return self._authzid.encode()


# -- the choice


def client_mechanisms(
    offered: Collection[str],
    credentials: ClientCredentials,
    channel: Channel,
    *,
    mechanism: str | None = None,
    allow_clear: bool = False,
) -> list[ClientMechanism]:
    """New exchanges for the mechanisms that can be used, best first.

    With a password: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN.  If SCRAM can be bound to the
    channel (-PLUS), nothing else is used: otherwise an attacker in between could make the client fall back
    just by refusing it (RFC 5802 6).  With a token: OAUTHBEARER, XOAUTH2.  With a certificate: EXTERNAL, in
    TLS.

    :param offered: the server's mechanisms, in upper case.
    :param mechanism: the name of the only mechanism to use, in any case.
    :param allow_clear: also use mechanisms that reveal the secret to an eavesdropper or to a false server,
        even if `Channel.is_secure` is False.
    :raises TypeError: ``credentials`` is of another type.
    """
    may_show = channel.is_secure or allow_clear
    possible: Sequence[ClientMechanism]
    if isinstance(credentials, Password):
        possible = _with_password(offered, credentials, channel, may_show=may_show)
    elif isinstance(credentials, Token):
        possible = [OAuthBearer(credentials), XOAuth2(credentials)] if may_show else []
    elif isinstance(credentials, Certificate):
        possible = [External(credentials)] if channel.is_encrypted else []
    else:
        raise TypeError(f"a Password, Token or Certificate is needed, not {type(credentials).__name__}")
    usable = [each for each in possible if each.name in offered]
    if mechanism is not None:
        return [each for each in usable if each.name == mechanism.upper()]
    return [each for each in usable if each.name.endswith(_PLUS)] or usable


def _with_password(
    offered: Collection[str], credentials: Password, channel: Channel, *, may_show: bool
) -> list[ClientMechanism]:
    mechanisms: list[ClientMechanism] = [*_scram(offered, credentials, channel)]
    if not credentials.authzid:
        mechanisms.append(CramMD5(credentials))
    if may_show:
        mechanisms.append(Plain(credentials))
        if not credentials.authzid:
            mechanisms.append(Login(credentials))
    return mechanisms


def _scram(offered: Collection[str], credentials: Password, channel: Channel) -> list[Scram]:
    """The flag is ``p=`` to bind, ``y`` if only the client supports it, or ``n`` (RFC 5802 6)."""
    if not _can_be_prepared(credentials):
        return []
    if not channel.bindings:
        return [Scram(algorithm, credentials, "n") for algorithm in SCRAM_ALGORITHMS]
    kind, binding = next(iter(channel.bindings.items()))
    is_offered = any(name.endswith(_PLUS) for name in offered)
    return [
        *(Scram(algorithm, credentials, f"p={kind}", binding) for algorithm in SCRAM_ALGORITHMS),
        *(Scram(algorithm, credentials, "n" if is_offered else "y") for algorithm in SCRAM_ALGORITHMS),
    ]


def _can_be_prepared(credentials: Password) -> bool:
    try:
        saslprep(credentials.username, is_query=True)
        saslprep(credentials.password)
    except ValueError:
        return False
    return True
