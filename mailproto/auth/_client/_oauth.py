"""OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, older): a token in one message.

A token that is not taken is answered with an error in JSON first, and the client's next
message is there only to let the server say the same in the protocol's words.
"""

from __future__ import annotations

from mailproto.auth._client._credentials import Token
from mailproto.auth._client._mechanism import ClientMechanism
from mailproto.auth._errors import SASLError
from mailproto.auth._scram import escape_name

__all__ = ["OAuthBearer", "XOAuth2"]


class _TokenMechanism(ClientMechanism):
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
        """Success behind an error is none."""
        return not self._has_failed


class OAuthBearer(_TokenMechanism):
    """OAUTHBEARER: a GS2 header with the name, and the token."""

    name = "OAUTHBEARER"
    _after_error = b"\x01"

    def initial(self) -> bytes:
        """The message (3.1)."""
        name = self._credentials.username
        header = f"n,{'a=' + escape_name(name) if name else ''},"
        return f"{header}\x01auth=Bearer {self._credentials.token}\x01\x01".encode()


class XOAuth2(_TokenMechanism):
    """XOAUTH2: the name and the token."""

    name = "XOAUTH2"
    _after_error = b""

    def initial(self) -> bytes:
        """The message."""
        return f"user={self._credentials.username}\x01auth=Bearer {self._credentials.token}\x01\x01".encode()
