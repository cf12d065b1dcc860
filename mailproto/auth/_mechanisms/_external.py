"""EXTERNAL (RFC 4422 appendix A): whom TLS has shown the client to be."""

from __future__ import annotations

from twisted.cred.credentials import ICredentials

from mailproto.auth._credentials import ClientCertificate, IClientCertificate
from mailproto.auth._errors import SASLError
from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.tls._channel import Channel

__all__ = ["External"]


class External(ServerMechanism):
    """EXTERNAL: one message, the authzid or nothing."""

    name = "EXTERNAL"
    credentials = IClientCertificate

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """It needs a client's certificate."""
        return channel.certificate is not None

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """One empty challenge if the client did not begin, then the credentials."""
        if response is None:
            return Challenge(b"")
        try:
            authzid = response.decode()
        except UnicodeDecodeError:
            raise SASLError("not UTF-8") from None
        if "\0" in authzid:
            raise SASLError("NUL in an authzid")
        assert self.channel.certificate is not None  # noqa: S101 - it is not possible without
        return ClientCertificate(self.channel.certificate, authzid)
