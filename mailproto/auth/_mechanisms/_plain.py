"""PLAIN (RFC 4616) and LOGIN: a name and a password, in clear."""

from __future__ import annotations

from twisted.cred.credentials import ICredentials, IUsernamePassword, UsernamePassword

from mailproto.auth._errors import SASLError
from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.errors import AuthenticationFailed

__all__ = ["Login", "Plain"]


class Plain(ServerMechanism):
    """PLAIN: ``[authzid] NUL authcid NUL passwd`` in one message.

    Nobody may act as somebody else, so an authzid is taken only if it is the authcid.
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
        if authzid and not self.is_itself(_text(authzid), _text(authcid)):
            raise AuthenticationFailed(detail="wants to act as somebody else")
        return UsernamePassword(authcid, password)


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


class Login(ServerMechanism):
    """LOGIN (draft-murchison-sasl-login, never a standard, still spoken by many clients).

    The two challenges are what those clients look for.  An empty initial response, which is
    no name, is as good as none: Dovecot's client sends one.
    """

    name = "LOGIN"
    credentials = IUsernamePassword
    plaintext = True
    _has_begun = False
    _username = b""

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """Asks for the name, unless it came as initial response, then for the password."""
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
