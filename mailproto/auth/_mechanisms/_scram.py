"""SCRAM-SHA-256, SCRAM-SHA-1 (RFC 7677, RFC 5802) and the forms of both that bind to the channel."""

from __future__ import annotations

from typing import ClassVar, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials

from mailproto.auth._credentials import IScramChecker, IScramProof, ScramProof
from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.auth._scram import ScramAlgorithm, ScramServerExchange
from mailproto.errors import AuthenticationFailed
from mailproto.tls._channel import Channel

__all__ = ["ScramSHA1", "ScramSHA1Plus", "ScramSHA256", "ScramSHA256Plus"]


class ScramSHA256(ServerMechanism):
    """The client proves that it knows the password, and the server that it has the keys.

    An exchange that somebody may stand between is for the checker, too: it fails as a wrong
    password does, and as late.

    Nobody may act as somebody else, so an authzid is taken only if it is the user.
    """

    name = "SCRAM-SHA-256"
    credentials = IScramProof
    algorithm: ClassVar[ScramAlgorithm] = "SHA-256"

    def __init__(self, channel: Channel, checker: ICredentialsChecker) -> None:
        super().__init__(channel, checker)
        self._exchange = ScramServerExchange(self.algorithm, channel.bindings, self.binds)

    @classmethod
    def is_possible(cls, channel: Channel) -> bool:
        """The -PLUS forms need something to bind to."""
        return not cls.binds or bool(channel.bindings)

    async def step(self, response: bytes | None) -> Challenge | ICredentials:
        """The client's first message is answered with salt and iterations, its final one is the proof."""
        if response is None:
            return Challenge(b"")
        exchange = self._exchange
        if not self.username:
            self.username = username = exchange.client_first(response)
            if exchange.authzid and not self.is_itself(exchange.authzid, username):
                raise AuthenticationFailed(detail="wants to act as somebody else")
            if exchange.flaw:
                return self._proof(b"", b"")
            keys = await cast(IScramChecker, self.checker).scram_keys(username, self.algorithm)
            return Challenge(exchange.server_first(keys))
        credentials = self._proof(*exchange.client_final(response))
        self.final = exchange.server_final()
        return credentials

    def _proof(self, auth_message: bytes, proof: bytes) -> ScramProof:
        return ScramProof(self.username, self.algorithm, auth_message, proof, self._exchange.flaw)


class ScramSHA256Plus(ScramSHA256):
    """SCRAM-SHA-256 over this TLS connection and no other."""

    name = "SCRAM-SHA-256-PLUS"
    binds = True


class ScramSHA1(ScramSHA256):
    """SCRAM with the older hash function."""

    name = "SCRAM-SHA-1"
    algorithm = "SHA-1"


class ScramSHA1Plus(ScramSHA1):
    """SCRAM-SHA-1 over this TLS connection and no other."""

    name = "SCRAM-SHA-1-PLUS"
    binds = True
