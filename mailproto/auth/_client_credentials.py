"""What a client's user gives it, to say who it is; never shown by ``repr``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Certificate", "ClientCredentials", "Password", "Token"]

_TOKEN = re.compile("[!-~]+")
# NUL and ^A separate what is in a message of PLAIN, OAUTHBEARER and XOAUTH2; surrogates are not in UTF-8.
_UNSENDABLE = re.compile("[\0\x01\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Password:
    """A name and a password: SCRAM, CRAM-MD5, PLAIN and LOGIN.

    :ivar authzid: the account to act as; "" for one's own.
    :raises ValueError: a NUL, no name, no password.
    """

    username: str
    password: str = field(repr=False)
    authzid: str = ""

    def __post_init__(self) -> None:
        if not self.username or not self.password:
            raise ValueError("a name and a password are needed")
        _check(self.username, self.password, self.authzid)


@dataclass(frozen=True, slots=True)
class Token:
    """An OAuth 2.0 access token: OAUTHBEARER and XOAUTH2.

    :ivar username: whose mailbox it is for.
    :raises ValueError: it is none that can be sent (RFC 6750 2.1).
    """

    username: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check(self.username, self.token)
        if not _TOKEN.fullmatch(self.token):
            raise ValueError("a token is printable ASCII without spaces")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that was shown to the server when TLS began: EXTERNAL.

    :ivar authzid: the account to act as; "" for the one that the server finds in the certificate.
    :raises ValueError: a NUL.
    """

    authzid: str = ""

    def __post_init__(self) -> None:
        _check(self.authzid)


ClientCredentials: TypeAlias = Password | Token | Certificate


def _check(*texts: str) -> None:
    """An error of our own: Python's hold the text."""
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"a str is needed, not {type(text).__name__}")
        if _UNSENDABLE.search(text):
            raise ValueError("a character that cannot be sent")
