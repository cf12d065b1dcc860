"""SCRAM's keys, which a server stores instead of the password (RFC 5802 3, RFC 7677)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

from mailproto.auth._saslprep import prepared_password

__all__ = [
    "SCRAM_ALGORITHMS",
    "ScramAlgorithm",
    "ScramKeys",
    "parse_scram_keys",
    "proof_matches",
    "scram_keys",
]

ScramAlgorithm: TypeAlias = Literal["SHA-256", "SHA-1"]

SCRAM_ALGORITHMS: Final[tuple[ScramAlgorithm, ...]] = ("SHA-256", "SHA-1")
"""The hash functions, best first."""

_HASHES: Final = {"SHA-256": "sha256", "SHA-1": "sha1"}
_RECORD = re.compile(
    r"SCRAM-(SHA-1|SHA-256)\$([1-9][0-9]{0,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)"
)


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """The keys of a password: enough to check a client's proof, not enough to make one.

    ``str`` of it is a line of text to store: ``SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER``, the last
    three in base64.  PostgreSQL uses the same form.
    """

    algorithm: ScramAlgorithm
    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        salt, stored, server = map(to_base64, (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-{self.algorithm}${self.iterations}:{salt}${stored}:{server}"


def scram_keys(algorithm: ScramAlgorithm, password: str, salt: bytes, iterations: int) -> ScramKeys:
    """Compute the keys of a password.  65,536 iterations take about 25 ms: run it in a thread."""
    return keys_of(algorithm, salted_password(algorithm, password, salt, iterations), salt, iterations)


def parse_scram_keys(text: str) -> ScramKeys | None:
    """Parse the ``str`` of `ScramKeys`; None if it is anything else."""
    found = _RECORD.fullmatch(text)
    if found is None:
        return None
    try:
        salt, stored_key, server_key = (
            binascii.a2b_base64(part, strict_mode=True) for part in found.group(3, 4, 5)
        )
    except binascii.Error:
        return None
    algorithm = cast(ScramAlgorithm, found[1])
    if not salt or not len(stored_key) == len(server_key) == digest_size(algorithm):
        return None
    return ScramKeys(algorithm, salt, int(found[2]), stored_key, server_key)


def proof_matches(keys: ScramKeys, auth_message: bytes, proof: bytes) -> bool:
    """Whether ``proof`` was made with the password of ``keys``; takes the same time for every proof."""
    signature = keyed(keys.algorithm, keys.stored_key, auth_message)
    if len(proof) != len(signature):
        return False
    return hmac.compare_digest(_hash(keys.algorithm, xor(proof, signature)), keys.stored_key)


def proof_of(algorithm: ScramAlgorithm, salted: bytes, auth_message: bytes) -> bytes:
    """ClientProof: proves that the client has the password, in this exchange only."""
    client_key = keyed(algorithm, salted, b"Client Key")
    return xor(client_key, keyed(algorithm, _hash(algorithm, client_key), auth_message))


def keys_of(algorithm: ScramAlgorithm, salted: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """The keys that follow from a SaltedPassword."""
    stored_key = _hash(algorithm, keyed(algorithm, salted, b"Client Key"))
    return ScramKeys(algorithm, salt, iterations, stored_key, keyed(algorithm, salted, b"Server Key"))


def salted_password(algorithm: ScramAlgorithm, password: str, salt: bytes, iterations: int) -> bytes:
    """SaltedPassword: the slow part of the computation."""
    return hashlib.pbkdf2_hmac(_HASHES[algorithm], prepared_password(password), salt, iterations)


def keyed(algorithm: ScramAlgorithm, key: bytes, message: bytes) -> bytes:
    """HMAC(key, message)."""
    return hmac.digest(key, message, _HASHES[algorithm])


def digest_size(algorithm: ScramAlgorithm) -> int:
    """The length of keys, proofs and signatures, in octets."""
    return hashlib.new(_HASHES[algorithm]).digest_size


def to_base64(octets: bytes) -> str:
    """Base64 as text, for a message or a record."""
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def xor(first: bytes, second: bytes) -> bytes:
    """XOR of two strings of the same length."""
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _hash(algorithm: ScramAlgorithm, message: bytes) -> bytes:
    return hashlib.new(_HASHES[algorithm], message).digest()
