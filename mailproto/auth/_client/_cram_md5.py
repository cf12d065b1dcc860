"""CRAM-MD5 (RFC 2195): a digest of the server's challenge, keyed with the password."""

from __future__ import annotations

import hmac

from mailproto.auth._client._credentials import Password
from mailproto.auth._client._mechanism import ClientMechanism
from mailproto.auth._errors import SASLError

__all__ = ["CramMD5"]


class CramMD5(ClientMechanism):
    """CRAM-MD5: one challenge, answered with ``name SP digest``."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Password) -> None:
        self._credentials: Password | None = credentials

    def step(self, challenge: bytes) -> bytes:
        """The digest; of one challenge only, lest the server collect them."""
        given, self._credentials = self._credentials, None
        if given is None or not challenge:
            raise SASLError("CRAM-MD5 has one challenge")
        digest = hmac.new(given.password.encode(), challenge, "md5").hexdigest()
        return f"{given.username} {digest}".encode()
