"""The credentials with which a client signs in; ``repr`` never shows secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Certificate", "ClientCredentials", "Password", "Token"]

_TOKEN = re.compile("[!-~]+")
# NUL and ^A separate the fields in messages of PLAIN, OAUTHBEARER and XOAUTH2; UTF-8 has no surrogates.
_UNSENDABLE = re.compile("[\0\x01\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Password:
    """A name and a password, for SCRAM, CRAM-MD5, PLAIN and LOGIN.

    :ivar authzid: the account to act as; "" for the user's own.
    :raises ValueError: the name or the password is empty, or a field has a NUL.
    """

    username: str
    password: str = field(repr=False)
    authzid: str = ""

    def __post_init__(self) -> None:
        _check(username=self.username, password=self.password, authzid=self.authzid)
        if not self.username or not self.password:
            empty = "password" if self.username else "username"
            raise ValueError(f"{empty} must be a str that is not empty, not ''")


@dataclass(frozen=True, slots=True)
class Token:
    """An OAuth 2.0 access token, for OAUTHBEARER and XOAUTH2.

    :ivar username: the account that the token is for.
    :raises ValueError: the token has characters that cannot be sent (RFC 6750 2.1).
    """

    username: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check(username=self.username, token=self.token)
        if not _TOKEN.fullmatch(self.token):
            raise ValueError("token must be printable ASCII without spaces")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The client certificate of the TLS handshake, for EXTERNAL.

    :ivar authzid: the account to act as; "" lets the server take it from the certificate.
    :raises ValueError: the authzid has a NUL.
    """

    authzid: str = ""

    def __post_init__(self) -> None:
        _check(authzid=self.authzid)


ClientCredentials: TypeAlias = Password | Token | Certificate


def _check(**texts: str) -> None:
    """Check fields, by name; the errors never show a value, because it may be a secret."""
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a str, not {type(text).__name__}")
        if _UNSENDABLE.search(text):
            raise ValueError(f"{name} has a character that cannot be sent")
