"""Keys that sign, and what the DNS says of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailproto._arguments import check_choice, check_type

__all__ = ["LEAST_RSA_BITS", "RSA_BITS", "SigningKey"]

RSA_BITS = 2048
"""The size of new RSA keys; larger ones are verified slowly, and their records are long."""

LEAST_RSA_BITS = 1024
"""Receivers ignore signatures of smaller keys (RFC 8301 3.2)."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key: RSA (RFC 6376) or Ed25519 (RFC 8463).

    :ivar algorithm: as in signatures: ``rsa-sha256`` or ``ed25519-sha256``.
    """

    ALGORITHMS: ClassVar = ("rsa-sha256", "ed25519-sha256")

    algorithm: str
    _private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, algorithm: str) -> Self:
        """A new key.

        :param algorithm: ``rsa-sha256`` or ``ed25519-sha256``.
        :raises ValueError: it is another.
        """
        check_choice("algorithm", algorithm, cls.ALGORITHMS)
        if algorithm == "rsa-sha256":
            return cls(algorithm, rsa.generate_private_key(65_537, RSA_BITS))
        return cls(algorithm, ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a key as `pem` writes it; other programs' PEM files do, too.

        :raises ValueError: it is no private key without a passphrase, of another kind, or too small.
        """
        check_type("pem", pem, bytes, "bytes")
        try:
            private = serialization.load_pem_private_key(pem, None)
        except TypeError:
            raise ValueError("the key has a passphrase") from None
        except Exception as error:
            raise ValueError("it has no private key in PEM form") from error
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return cls("ed25519-sha256", private)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("the key is neither RSA nor Ed25519")
        if private.key_size < LEAST_RSA_BITS:
            raise ValueError(f"the key has {private.key_size} bits; receivers want {LEAST_RSA_BITS} at least")
        return cls("rsa-sha256", private)

    @property
    def pem(self) -> bytes:
        """PKCS #8 in PEM form."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def record(self) -> str:
        """The text of the TXT record for the public key (RFC 6376 3.6.1, RFC 8463 4)."""
        public = self._private.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            kind, octets = "ed25519", public.public_bytes_raw()
        else:
            kind = "rsa"
            octets = public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode('ascii')}"

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """The function that signs octets: with RSA some 0.7 ms."""
        private = self._private
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return lambda octets: private.sign(hashlib.sha256(octets).digest())  # RFC 8463 3
        return lambda octets: private.sign(octets, padding.PKCS1v15(), hashes.SHA256())
