"""PLAIN (RFC 4616) and LOGIN: the password in clear."""

from __future__ import annotations

from mailproto.auth._client._credentials import Password
from mailproto.auth._client._mechanism import ClientMechanism, OneMessage
from mailproto.auth._errors import SASLError

__all__ = ["Login", "Plain"]


class Plain(OneMessage):
    """PLAIN: ``[authzid] NUL authcid NUL passwd``."""

    name = "PLAIN"

    def __init__(self, credentials: Password) -> None:
        self._credentials = credentials

    def initial(self) -> bytes:
        """The message."""
        given = self._credentials
        return f"{given.authzid}\0{given.username}\0{given.password}".encode()


class Login(ClientMechanism):
    """LOGIN (draft-murchison-sasl-login): the name, then the password, whatever the prompts say."""

    name = "LOGIN"
    ignores_challenges = True

    def __init__(self, credentials: Password) -> None:
        self._responses = [credentials.password, credentials.username]

    def step(self, challenge: bytes) -> bytes:
        """The next of the two."""
        if not self._responses:
            raise SASLError("LOGIN has two challenges")
        return self._responses.pop().encode()
