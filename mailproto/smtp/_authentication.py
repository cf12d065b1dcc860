"""AUTH (RFC 4954): one connection's exchanges, and who it is in the end."""

from __future__ import annotations

import binascii

from twisted.cred.portal import Portal

from mailproto.auth import (
    Challenge,
    Login,
    SASLError,
    ServerMechanism,
    decode_base64,
    login,
    server_mechanism,
)
from mailproto.errors import Refused

__all__ = ["Authenticator"]


class Authenticator:
    """Signs one client in.

    `begin` and `respond` return the next challenge in base64, or None once it is signed in.
    """

    __slots__ = ("_login", "_mechanism", "_portal")

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._mechanism: ServerMechanism | None = None
        self._login: Login | None = None

    @property
    def account(self) -> str | None:
        """The name that is signed in."""
        return None if self._login is None else self._login.account.name

    async def begin(self, name: str, initial: bytes | None, *, secure: bool) -> bytes | None:
        """AUTH.

        :param secure: whether passwords may come in clear.
        :raises MailError: the exchange is over.
        """
        mechanism = server_mechanism(name)
        if mechanism is None:
            raise Refused(504, "5.5.4", "Unrecognised authentication mechanism")
        if mechanism.plaintext and not secure:
            raise Refused(538, "5.7.11", "Encryption required for this authentication mechanism")
        self._mechanism = mechanism
        if initial is None:
            return await self._step(None)
        return await self._step(b"" if initial == b"=" else _decode(initial))

    async def respond(self, octets: bytes) -> bytes | None:
        """The client's answer to a challenge.

        :raises MailError: the exchange is over.
        """
        if octets == b"*":
            raise Refused(501, "5.7.0", "Authentication cancelled")
        return await self._step(_decode(octets))

    def log_out(self) -> None:
        """Forget who it is."""
        signed_in, self._login = self._login, None
        self._mechanism = None
        if signed_in is not None:
            signed_in.logout()

    async def _step(self, response: bytes | None) -> bytes | None:
        assert self._mechanism is not None  # noqa: S101 - no response is asked for without one
        try:
            result = self._mechanism.step(response)
        except SASLError:
            raise Refused(501, "5.5.2", "Malformed authentication response") from None
        if isinstance(result, Challenge):
            return binascii.b2a_base64(result.data, newline=False)
        self._mechanism = None
        self._login = await login(self._portal, result)
        return None


def _decode(octets: bytes) -> bytes:
    try:
        return decode_base64(octets)
    except SASLError:
        raise Refused(501, "5.5.2", "Cannot decode base64") from None
