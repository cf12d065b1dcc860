"""TLS for clients by DANE: the certificates that TLSA records are for (RFC 6698, RFC 7671, RFC 7672)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL.crypto import (
    FILETYPE_ASN1,
    X509,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    X509StoreFlags,
    dump_certificate,
)

from mailproto.tls._server_identity import ServerIdentity

__all__ = ["CHAIN_LIMIT", "DANEIdentity"]

CHAIN_LIMIT: Final = 20
"""The most certificates of a server's chain that are compared with records."""

_TRUST_ANCHOR: Final = 2
_END_ENTITY: Final = 3

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which pyOpenSSL does not name."""

_HASHES: Final = {1: hashlib.sha256, 2: hashlib.sha512}

TLSA = tuple[int, int, int, bytes]
"""Usage, selector, matching type and data (RFC 6698 2.1)."""


class DANEIdentity:
    """A server's name and its TLSA records, to compare with its certificates.

    With usage 3 (DANE-EE) the server's own certificate matches a record; its names and times do not count
    (RFC 7672 3.1.1).  With usage 2 (DANE-TA) another certificate that the server sends matches a record, has
    signed the server's own, directly or by others, and that one is for one of the names (3.1.2).

    :param names: of the server; the first one is sent to it (SNI).
    :param records: of usages 2 and 3; others never match.
    :raises ValueError: there are no names, or one of them can be in no certificate.

    :ivar hostname: the first name.
    :ivar server_name: for SNI.
    """

    def __init__(self, names: Sequence[str], records: Sequence[TLSA]) -> None:
        if not names:
            raise ValueError("a server needs a name")
        self._names = [ServerIdentity(name) for name in names]
        self._records = records
        self.hostname = self._names[0].hostname
        self.server_name = self._names[0].server_name

    def mismatch(self, chain: Sequence[X509]) -> str:
        """Why the certificates are not the server's, in words; "" if they are.

        :param chain: as the server sent it, its own certificate first.
        """
        own, *others = chain
        if self._has_record(_END_ENTITY, own):
            return ""
        if not any(usage == _TRUST_ANCHOR for usage, *_ in self._records):
            return "it matches none of the TLSA records"
        anchors = [each for each in others[:CHAIN_LIMIT] if self._has_record(_TRUST_ANCHOR, each)]
        if not anchors:
            return "neither it nor one that vouches for it matches a TLSA record"
        if fault := _fault_of_chain(own, others[:CHAIN_LIMIT], anchors):
            return f"the one of the TLSA record does not vouch for it: {fault}"
        mismatches = [name.mismatch(own) for name in self._names]
        return "" if "" in mismatches else mismatches[0]

    def _has_record(self, usage: int, certificate: X509) -> bool:
        return any(
            each[0] == usage and _matches(certificate, selector=each[1], matching=each[2], data=each[3])
            for each in self._records
        )


def _matches(certificate: X509, *, selector: int, matching: int, data: bytes) -> bool:
    """Whether a certificate, or its key, is the one of a record (RFC 6698 2.1)."""
    if selector == 0:
        octets = dump_certificate(FILETYPE_ASN1, certificate)
    elif selector == 1:
        key = certificate.to_cryptography().public_key()
        octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        return False
    if matching == 0:
        return octets == data
    return matching in _HASHES and _HASHES[matching](octets).digest() == data


def _fault_of_chain(own: X509, others: Sequence[X509], anchors: Sequence[X509]) -> str:
    """Why none of the anchors has signed a certificate, directly or by others; "" if one has.

    The times of an anchor itself do not count, as in OpenSSL's own DANE: the DNS vouches for it.
    """
    store = X509Store()
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN | _NO_CHECK_TIME)  # an anchor need not be signed by itself
    for anchor in anchors:
        store.add_cert(anchor)
    context = X509StoreContext(store, own, list(others))
    try:
        context.verify_certificate()
        chain = context.get_verified_chain()
    except X509StoreContextError as error:
        return str(error)
    now = datetime.now(UTC)
    for certificate in (each.to_cryptography() for each in chain[:-1]):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return "one of the certificates has expired, or is not valid yet"
    return ""
