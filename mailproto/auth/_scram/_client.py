"""The client's side of SCRAM (RFC 5802 5): octets in, octets out."""

from __future__ import annotations

import hmac
import re

from mailproto.auth._sasl_messages import SASLError, decode_base64
from mailproto.auth._saslprep import saslprep
from mailproto.auth._scram._keys import (
    ScramAlgorithm,
    keyed,
    keys_of,
    proof_of,
    salted_password,
    to_base64,
)
from mailproto.auth._scram._messages import attributes, escape_name, message_text, new_nonce, parse_nonce

__all__ = ["MAX_ITERATIONS", "MIN_ITERATIONS", "ScramClientExchange"]

MIN_ITERATIONS = 4096
"""The least that a server may ask for (RFC 7677 4); fewer make it easier to guess the password."""

MAX_ITERATIONS = 2_000_000
"""The most that a server may ask for: about a second of one core.  OWASP recommends 1,300,000 for SHA-1."""

_COUNT = re.compile(r"[1-9][0-9]{0,9}")


class ScramClientExchange:
    """One exchange: `client_first`, `client_final` and `server_final`.

    :param gs2_flag: the channel binding flag (6): ``n``, ``y``, or ``p=`` and a type.
    :param binding: the channel's data of that type.
    :param nonce: a random one by default.

    :ivar is_proven: whether the server has proved that it knows the password.
    :raises ValueError: `saslprep` rejects the name.
    """

    def __init__(
        self,
        algorithm: ScramAlgorithm,
        username: str,
        password: str,
        *,
        authzid: str = "",
        gs2_flag: str = "n",
        binding: bytes = b"",
        nonce: str = "",
    ) -> None:
        self.is_proven = False
        self._algorithm = algorithm
        self._password = password
        self._nonce = nonce or new_nonce()
        self._gs2_header = f"{gs2_flag},{'a=' + escape_name(authzid) if authzid else ''},"
        self._binding = binding
        self._bare = f"n={escape_name(saslprep(username, is_query=True))},r={self._nonce}"
        self._server_signature = b""

    def client_first(self) -> bytes:
        """The first message: the name and a nonce."""
        return f"{self._gs2_header}{self._bare}".encode()

    def client_final(self, server_first: bytes) -> bytes:
        """The message with the proof.  It takes up to a second if the server asks for many iterations: run
        it in a thread.

        :raises SASLError: the server's message is malformed, belongs to another exchange, or asks for too
            few or too many iterations.
        """
        text = message_text(server_first)
        nonce, encoded_salt, count = attributes(text, "rsi")
        if not parse_nonce(nonce).startswith(self._nonce) or nonce == self._nonce:
            raise SASLError("the SCRAM nonce is not the one that was sent, and more")
        if not _COUNT.fullmatch(count) or not MIN_ITERATIONS <= int(count) <= MAX_ITERATIONS:
            raise SASLError(f"SCRAM iterations outside {MIN_ITERATIONS} to {MAX_ITERATIONS}")
        salt, iterations = decode_base64(encoded_salt.encode()), int(count)
        binding = to_base64(self._gs2_header.encode() + self._binding)
        without_proof = f"c={binding},r={nonce}"
        auth_message = f"{self._bare},{text},{without_proof}".encode()
        salted = salted_password(self._algorithm, self._password, salt, iterations)
        keys = keys_of(self._algorithm, salted, salt, iterations)
        self._server_signature = keyed(self._algorithm, keys.server_key, auth_message)
        return f"{without_proof},p={to_base64(proof_of(self._algorithm, salted, auth_message))}".encode()

    def server_final(self, data: bytes) -> None:
        """Check the server's proof.

        A server error (``e=``) proves nothing, but does not raise either: the protocol's own reply tells
        what it means.

        :raises SASLError: the proof is malformed or wrong.
        """
        text = message_text(data)
        if text.startswith("e="):
            attributes(text, "e")
            return
        (signature,) = attributes(text, "v")
        if not hmac.compare_digest(decode_base64(signature.encode()), self._server_signature):
            raise SASLError("the server does not know the password")
        self.is_proven = True
