"""OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, older): a token in one message.

A token that is refused is answered with an error in JSON first; whatever the client says
to that, it has failed then (RFC 7628 3.2.3).
"""

from __future__ import annotations

import abc
import re

from twisted.cred.credentials import ICredentials

from mailproto.auth._credentials import BearerToken, IBearerToken
from mailproto.auth._errors import SASLError
from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.auth._scram._messages import unescape_name
from mailproto.errors import AuthenticationFailed

__all__ = ["OAuthBearer", "XOAuth2"]

# RFC 6750 2.1; the scheme's name in any case (RFC 9110 11.1).
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z]+")
_SEPARATOR = "\x01"


class _TokenMechanism(ServerMechanism):
    """Takes a message of key/value pairs, of which ``auth`` has the token."""

    credentials = IBearerToken
    plaintext = True

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        if response == _SEPARATOR.encode():  # what answers an error, before there is one (3.1)
            raise AuthenticationFailed(detail="no bearer token")
        try:
            parts = response.decode().split(_SEPARATOR)
        except UnicodeDecodeError:
            raise SASLError("not UTF-8") from None
        # Each pair ends with a separator, and so does the whole.
        if len(parts) < 3 or parts[-2:] != ["", ""]:
            raise SASLError("not key/value pairs between separators")
        return self._read(parts[:-2])

    @abc.abstractmethod
    def _read(self, parts: list[str]) -> BearerToken:
        """:raises SASLError, AuthenticationFailed:"""


class OAuthBearer(_TokenMechanism):
    """OAUTHBEARER: a GS2 header with the authzid, then the pairs."""

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
    """XOAUTH2: the pairs ``user`` and ``auth``."""

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
    """Without one, or with one of another scheme, the client asks what it needs (RFC 7628 4.3)."""
    found = _BEARER.fullmatch(values.get("auth", ""))
    if found is None:
        raise AuthenticationFailed(detail="no bearer token")
    return found[1]
