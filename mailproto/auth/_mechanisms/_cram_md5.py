"""CRAM-MD5 (RFC 2195): a digest keyed with the password, which the server must have in clear."""

from __future__ import annotations

import secrets
import time

from twisted.cred.credentials import ICredentials, IUsernameHashedPassword

from mailproto.auth._credentials import CramMD5Response
from mailproto.auth._errors import SASLError
from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.errors import UnwantedInitialResponse

__all__ = ["CramMD5"]

_DIGEST = 32
"""Octets of an MD5 digest in hexadecimal."""


class CramMD5(ServerMechanism):
    """CRAM-MD5: ``<unique@host>`` is answered with ``name SP digest``."""

    name = "CRAM-MD5"
    credentials = IUsernameHashedPassword
    _challenge = b""

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """The challenge, then the credentials."""
        if not self._challenge:
            if response is not None:
                raise UnwantedInitialResponse
            # The form of a msg-id, and never the same again (RFC 2195 2).
            unique = f"<{secrets.token_hex(16)}.{int(time.time())}@mailproto>"
            self._challenge = unique.encode()
            return Challenge(self._challenge)
        username, _, digest = (response or b"").rpartition(b" ")
        if not username or len(digest) != _DIGEST:
            raise SASLError("CRAM-MD5 needs a name and a digest")
        return CramMD5Response(username, self._challenge, digest.lower())
