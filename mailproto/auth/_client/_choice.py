"""Which mechanisms a client can use with a server, and in which order it tries them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mailproto.auth._client._clear import Login, Plain
from mailproto.auth._client._cram_md5 import CramMD5
from mailproto.auth._client._credentials import Certificate, ClientCredentials, Password, Token
from mailproto.auth._client._external import External
from mailproto.auth._client._mechanism import ClientMechanism
from mailproto.auth._client._oauth import OAuthBearer, XOAuth2
from mailproto.auth._client._scram import Scram
from mailproto.auth._saslprep import saslprep
from mailproto.auth._scram import SCRAM_ALGORITHMS
from mailproto.tls._channel import Channel

__all__ = ["client_mechanisms"]

_PLUS = "-PLUS"


def client_mechanisms(
    offered: Collection[str],
    credentials: ClientCredentials,
    channel: Channel,
    *,
    mechanism: str | None = None,
    allow_clear: bool = False,
) -> list[ClientMechanism]:
    """Exchanges that can be begun, best first.

    With a password: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN.  If SCRAM can be bound
    to the channel (-PLUS), nothing else is used: who stands between the two, and cannot speak
    it, would only have to refuse it (RFC 5802 6).  With a token: OAUTHBEARER, XOAUTH2.  With a
    certificate: EXTERNAL, in TLS.

    :param offered: the server's mechanisms, in upper case.
    :param mechanism: the only one to be used, in any case.
    :param allow_clear: use those that show the secret to whoever listens, or is taken for the
        server, even if `Channel.is_secure` is not so.
    :raises TypeError: these are no credentials.
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
    """What is said of the channel is RFC 5802 6: ``p=``, or ``y`` for "I could", or ``n``."""
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
