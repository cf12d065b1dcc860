"""SCRAM-SHA-256, SCRAM-SHA-1 and their -PLUS forms (RFC 5802, RFC 7677)."""

from __future__ import annotations

from mailproto.auth._client._credentials import Password
from mailproto.auth._client._mechanism import ClientMechanism
from mailproto.auth._errors import SASLError
from mailproto.auth._scram import ScramAlgorithm, ScramClientExchange

__all__ = ["Scram"]


class Scram(ClientMechanism):
    """The name, the proof, and a look at the server's own proof.

    :param gs2_flag: what is said of the channel (RFC 5802 6).
    :param binding: the channel's data, for a -PLUS form.
    :raises ValueError: `saslprep` does not take the name.
    """

    is_slow = True

    def __init__(
        self, algorithm: ScramAlgorithm, credentials: Password, gs2_flag: str, binding: bytes = b""
    ) -> None:
        self.name = f"SCRAM-{algorithm}{'-PLUS' if binding else ''}"
        self._exchange = exchange = ScramClientExchange(
            algorithm,
            credentials.username,
            credentials.password,
            authzid=credentials.authzid,
            gs2_flag=gs2_flag,
            binding=binding,
        )
        self._steps = [self._end, exchange.client_final]

    def initial(self) -> bytes:
        """The name and a nonce."""
        return self._exchange.client_first()

    def step(self, challenge: bytes) -> bytes:
        """The proof, then nothing in answer to the server's."""
        if not self._steps:
            raise SASLError(f"{self.name} has two challenges")
        return self._steps.pop()(challenge)

    @property
    def is_complete(self) -> bool:
        """Whether the server has proved that it knows the password."""
        return self._exchange.is_proven

    def _end(self, challenge: bytes) -> bytes:
        self._exchange.server_final(challenge)
        return b""
