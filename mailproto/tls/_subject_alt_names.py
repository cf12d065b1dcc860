"""The names in a certificate's subjectAltName, as octets (RFC 5280 4.2.1.6).

``cryptography`` reads all names or none: one name that it does not understand hides the others, and so does
a fault in any other extension.  Here each name is read by itself, so that a malformed name does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MAX_NAMES", "SubjectAltNames", "subject_alt_names"]

MAX_NAMES = 4096
"""The most names or extensions of a certificate; reading this many takes some 3 ms."""

# Tags of DER (X.690 8.1.2), Certificate (RFC 5280 4.1) and GeneralName (RFC 5280 4.2.1.6).
_OID, _OCTET_STRING, _SEQUENCE = 0x06, 0x04, 0x30
_EXTENSIONS = 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87

_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17


@dataclass(frozen=True, slots=True)
class SubjectAltNames:
    """A certificate's domain names and IP addresses; other kinds of names are ignored.

    :ivar dns: dNSNames, unchecked: they may not be valid domain names.
    :ivar ip: iPAddresses, unchecked: valid ones have 4 or 16 octets.
    """

    dns: tuple[bytes, ...] = ()
    ip: tuple[bytes, ...] = ()


def subject_alt_names(certificate: bytes) -> SubjectAltNames:
    """Read a certificate's names; they are empty if there is no such extension.

    :param certificate: the certificate in DER form.
    :raises ValueError: the certificate cannot be read, has that extension twice, or has too many extensions
        or names.
    """
    content = _only(_of_kind(certificate, _SEQUENCE))
    to_be_signed = _of_kind(content, _SEQUENCE)[:1]
    lists = _of_kind(_only(to_be_signed), _EXTENSIONS)
    values = _extension_values(_only(lists)) if lists else []
    if not values:
        return SubjectAltNames()
    dns, ip = [], []
    for tag, octets in _elements(_only(_of_kind(_only(values), _SEQUENCE))):
        if tag == _DNS_NAME:
            dns.append(octets)
        elif tag == _IP_ADDRESS:
            ip.append(octets)
    return SubjectAltNames(tuple(dns), tuple(ip))


def _extension_values(extensions: bytes) -> list[bytes]:
    """The values of the extensions that are subjectAltName."""
    return [
        _only(_of_kind(extension, _OCTET_STRING))
        for extension in _of_kind(_only(_of_kind(extensions, _SEQUENCE)), _SEQUENCE)
        if _of_kind(extension, _OID) == [_SUBJECT_ALT_NAME]
    ]


def _only(found: list[bytes]) -> bytes:
    if len(found) != 1:
        raise ValueError("malformed")
    return found[0]


def _of_kind(encoded: bytes, kind: int) -> list[bytes]:
    return [content for tag, content in _elements(encoded) if tag == kind]


def _elements(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each element in a sequence.  :raises ValueError: not DER, or too many elements."""
    position, size, left = 0, len(encoded), MAX_NAMES
    while position < size:
        if not left:
            raise ValueError(f"more than {MAX_NAMES} names or extensions")
        left -= 1
        tag = encoded[position]
        length = encoded[position + 1] if position + 1 < size else -1
        start = position + 2
        if length > 0x80:
            start += length - 0x80
            length = int.from_bytes(encoded[position + 2 : start]) if length <= 0x84 else -1
        elif length == 0x80:
            length = -1  # BER's indefinite length
        position = start + length
        # Certificates have no tags of more than one octet.
        if length < 0 or position > size or tag & 0x1F == 0x1F:
            raise ValueError("malformed")
        yield tag, encoded[start:position]
