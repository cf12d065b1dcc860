"""The server's side of SCRAM (RFC 5802 5): octets in, octets out."""

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
    """The arguments of `proof_matches` besides the keys."""

    auth_message: bytes
    proof: bytes


class ScramServerExchange:
    """One exchange: `client_first`, `server_first`, `client_final`, and for a good proof `server_final`.

    :param channel_bindings: the channel binding data by type.  If it is empty, no -PLUS mechanism may have
        been offered.
    :param plus: whether the client chose the -PLUS mechanism.
    :param nonce: the server's part; a random one by default.

    :ivar authzid: the account that the client asks to act as; "" for its own.
    :ivar flaw: a sign of an attacker in between, in words; the exchange must then fail.  "" if there is
        none.
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
        """Read the client's first message.

        The message sets `flaw` if the client believes that the server supports no channel binding (``y``),
        although it does: then an attacker removed the -PLUS mechanisms from the offer (6).

        :returns: the user's name, prepared by `saslprep` if that accepts the name.
        :raises SASLError: the message is malformed, or asks for an unknown type of channel binding.
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
        """The first reply: the nonce, and the user's salt and iteration count."""
        self._server_key = keys.server_key
        message = f"r={self._nonce},s={to_base64(keys.salt)},i={keys.iterations}"
        self._server_first = message.encode()
        return self._server_first

    def client_final(self, data: bytes) -> ScramProofParts:
        """Read the client's message with the proof.

        The message sets `flaw` if it belongs to another exchange or another channel.

        :returns: with a `flaw`, an empty proof, which matches nothing.
        :raises SASLError: the message is malformed.
        """
        without_proof, _, last = message_text(data).rpartition(",")
        binding, nonce = attributes(without_proof, "cr")
        (encoded,) = attributes(last, "p")
        binding_input, proof = decode_base64(binding.encode()), decode_base64(encoded.encode())
        self.flaw = self.flaw or self._flaw(binding_input, nonce, proof)
        self._auth_message = b",".join((self._client_first_bare, self._server_first, without_proof.encode()))
        return ScramProofParts(self._auth_message, b"" if self.flaw else proof)

    def server_final(self) -> bytes:
        """The last reply: proves to the client that the server knows the keys."""
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
        """The channel binding data that the client's flag names."""
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
    """The prepared name; the name unchanged if SASLprep rejects it, but an account may have it.

    This is so for every name in Hebrew or Arabic script with a domain in ASCII.
    """
    name = unescape_name(value)
    try:
        return saslprep(name, is_query=True)
    except ValueError as error:
        if not name or len(name) > MAX_COMPARED or invisible_in(name):
            raise SASLError(f"bad SCRAM name: {error}") from None
        return name
