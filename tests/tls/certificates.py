"""Certificates for the tests: an authority, and clients' that it signs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier
from OpenSSL import crypto
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import Certificate, KeyPair, PrivateCertificate

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Pair = tuple[PrivateKey, x509.Certificate]


def make_certificate(
    *addresses: str,
    subject: Sequence[x509.NameAttribute[str]] = (),
    issuer: Pair | None = None,
    name: str = "client",
    names: Sequence[x509.GeneralName] | bytes = (),
    usage: Sequence[ObjectIdentifier] = (),
    days: tuple[int, int] = (-1, 1),
    is_authority: bool | None = None,
    more: Sequence[x509.UnrecognizedExtension] = (),
    key: PrivateKey | None = None,
) -> Pair:
    """A key and a certificate, of an authority if no ``issuer`` is given.

    :param addresses: its rfc822Names.
    :param names: its other names; as octets, whatever stands where they should.
    :param usage: its extended key usage, if any.
    :param days: from when and until when it is good.
    :param more: extensions that it has, too.
    :param key: None for a new one, on an elliptic curve.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *subject])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(issuer[1].subject if issuer else own_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )
    if is_authority is None:
        is_authority = issuer is None
    builder = builder.add_extension(x509.BasicConstraints(is_authority, path_length=None), critical=True)
    if isinstance(names, bytes):
        value = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
        builder = builder.add_extension(value, critical=False)
    elif addresses or names:
        emails = [x509.RFC822Name(address) for address in addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName([*emails, *names]), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())


def of_version(number: int, pair: Pair, issuer: Pair) -> crypto.X509:
    """The certificate of ``pair``, signed anew with another version: OpenSSL takes any."""
    signer = issuer[0]
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    signed = pair[1].tbs_certificate_bytes
    at = signed.index(bytes.fromhex("a003020102"))
    signed = signed[: at + 4] + bytes([number]) + signed[at + 5 :]
    algorithm = element(0x30, element(0x06, bytes.fromhex("2a8648ce3d040302")))  # ecdsa-with-SHA256
    signature = signer.sign(signed, ec.ECDSA(hashes.SHA256()))
    encoded = element(0x30, signed + algorithm + element(0x03, b"\0" + signature))
    return crypto.load_certificate(crypto.FILETYPE_ASN1, encoded)


def write_pair(folder: Path, name: str, pair: Pair) -> tuple[Path, Path]:
    """(certificate, key) files in PEM."""
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(pair[1].public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        pair[0].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


def to_be_shown(pair: Pair) -> PrivateCertificate:
    """As a client of Twisted's takes it."""
    key, certificate = pair
    return PrivateCertificate.fromCertificateAndKeyPair(
        Certificate(X509.from_cryptography(certificate)), KeyPair(PKey.from_cryptography_key(key))
    )


def general_names(*names: tuple[int, bytes]) -> bytes:
    """What SubjectAlternativeName holds, of pairs of a tag and whatever octets (RFC 5280 4.2.1.6)."""
    return element(0x30, b"".join(element(tag, octets) for tag, octets in names))


def element(tag: int, content: bytes) -> bytes:
    """One of DER."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content
