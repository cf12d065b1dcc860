"""SCRAM as a server speaks it (RFC 5802 5): octets in, octets out."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NamedTuple

from mailproto.accounts import MAX_COMPARED, invisible_in
from mailproto.auth._sasl_messages import SASLError, decode_base64
from mailproto.auth._saslprep import saslprep
from mailproto.auth._scram._keys import ScramAlgorithm, ScramKeys, digest_size, keyed, to_base64
from mailproto.auth._scram._messages import (
    attributes,
    message_text,
    new_nonce,
    parse_nonce,
    unescape_name,
)

__all__ = ["ScramProofParts", "ScramServerExchange"]


class ScramProofParts(NamedTuple):
    """What `proof_matches` compares with the keys."""

    auth_message: bytes
    proof: bytes


class ScramServerExchange:
    """One exchange: `client_first`, `server_first`, `client_final`; for a good proof `server_final`.

    :param channel_bindings: what binds to the channel below, by its type; empty if nothing can,
        and then no -PLUS mechanism may have been offered.
    :param plus: whether it is the -PLUS mechanism that was asked for.
    :param nonce: the server's part; a random one by default.

    :ivar authzid: the account that the client wants to act as; "" for its own.
    :ivar flaw: what suggests that a third party stands between, "" for nothing: the exchange must fail.
    """

    def __init__(
        self,
        algorithm: ScramAlgorithm,
        channel_bindings: Mapping[str, bytes],
        plus: bool,
        *,
        nonce: str = "",
    ) -> None:
        self.algorithm = algorithm
        self.authzid = ""
        self.flaw = ""
        self._bindings = channel_bindings
        self._plus = plus
        self._nonce = nonce or new_nonce()
        self._server_key = b""
        self._client_first_bare = self._server_first = self._auth_message = b""
        self._binding_input = b""

    def client_first(self, data: bytes) -> str:
        """Take the first message.

        It is flawed when the client believes that there is no channel binding (``y``) and there
        is, because then a third party took the -PLUS mechanisms from what was offered (6).

        :returns: the user's name, prepared by `saslprep` if it takes the name.
        :raises SASLError: it is malformed, or wants a kind of binding that there is not.
        """
        flag, comma, rest = message_text(data).partition(",")
        authzid, second_comma, bare = rest.partition(",")
        if not comma or not second_comma:
            raise SASLError("no GS2 header")
        binding = self._binding(flag)
        if authzid and not authzid.startswith("a="):
            raise SASLError("bad GS2 header")
        self.authzid = _name(authzid[2:]) if authzid else ""
        username, client_nonce = attributes(bare, "nr")
        name = _name(username)
        self._nonce = parse_nonce(client_nonce) + self._nonce
        if flag == "y" and self._bindings:
            self.flaw = "the SCRAM client was offered no channel binding"
        self._client_first_bare = bare.encode()
        self._binding_input = f"{flag},{authzid},".encode() + binding
        return name

    def server_first(self, keys: ScramKeys) -> bytes:
        """The nonce, and the user's salt and iteration count."""
        self._server_key = keys.server_key
        message = f"r={self._nonce},s={to_base64(keys.salt)},i={keys.iterations}"
        self._server_first = message.encode()
        return self._server_first

    def client_final(self, data: bytes) -> ScramProofParts:
        """Take the proof.

        It is flawed when it is of another exchange, or was made on another channel.

        :returns: for a flawed exchange no proof, which matches nothing.
        :raises SASLError: it is malformed.
        """
        without_proof, _, last = message_text(data).rpartition(",")
        binding, nonce = attributes(without_proof, "cr")
        (encoded,) = attributes(last, "p")
        binding_input, proof = decode_base64(binding.encode()), decode_base64(encoded.encode())
        self.flaw = self.flaw or self._flaw(binding_input, nonce, proof)
        self._auth_message = b",".join((self._client_first_bare, self._server_first, without_proof.encode()))
        return ScramProofParts(self._auth_message, b"" if self.flaw else proof)

    def server_final(self) -> bytes:
        """What proves to the client that the server knows the keys."""
        signature = keyed(self.algorithm, self._server_key, self._auth_message)
        return f"v={to_base64(signature)}".encode()

    def _flaw(self, binding_input: bytes, nonce: str, proof: bytes) -> str:
        if not hmac.compare_digest(binding_input, self._binding_input):
            return "SCRAM channel bindings do not match"
        if nonce != self._nonce:
            return "not the SCRAM nonce that was sent"
        if len(proof) != digest_size(self.algorithm):
            return "SCRAM proof of the wrong length"
        return ""

    def _binding(self, flag: str) -> bytes:
        """What the client binds to."""
        kind = flag[2:] if flag.startswith("p=") else None
        if kind is None and flag not in ("n", "y"):
            raise SASLError("bad GS2 header")
        if self._plus != (kind is not None):
            raise SASLError("a -PLUS mechanism binds to the channel, and no other does")
        if kind is None:
            return b""
        data = self._bindings.get(kind)
        if data is None:
            raise SASLError("no such channel binding")
        return data


def _name(value: str) -> str:
    """Prepared; as it is where an account may be called so and SASLprep does not take it.

    That is each name of Hebrew or Arabic script with a domain in ASCII.
    """
    name = unescape_name(value)
    try:
        return saslprep(name, is_query=True)
    except ValueError as error:
        if not name or len(name) > MAX_COMPARED or invisible_in(name):
            raise SASLError(f"bad SCRAM name: {error}") from None
        return name
