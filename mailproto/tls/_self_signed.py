"""A self-signed certificate, for servers without one."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

import idna
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailproto._arguments import check_line, text_path
from mailproto.files import write_private
from mailproto.tls._server import ServerTLS, TLSFilesError

__all__ = ["RENEWAL", "VALIDITY", "ensure_self_signed"]

VALIDITY = datetime.timedelta(days=825)
"""How long a self-signed certificate is valid: the longest that every client accepts."""

RENEWAL = datetime.timedelta(days=30)
"""A self-signed certificate that expires sooner than this is replaced."""


def ensure_self_signed(folder: str | os.PathLike[str], hostname: str) -> tuple[Path, Path]:
    """Make a self-signed certificate and its key in ``folder``, unless there is a valid one.

    The certificate is for ``hostname``, localhost and the loopback addresses.  It stays the same as long as
    it is valid, so that clients that have stored it continue to work.

    :returns: (``tls-cert.pem``, ``tls-key.pem``); only the owner can read the key.
    :raises TypeError, ValueError: ``folder`` is no path, or ``hostname`` is no line of text.
    """
    folder = text_path("folder", folder, "the path of a folder")
    check_line("hostname", hostname)
    cert_file, key_file = Path(folder) / "tls-cert.pem", Path(folder) / "tls-key.pem"
    now = datetime.datetime.now(datetime.UTC)
    names = _general_names(hostname)
    if not _is_good(cert_file, key_file, names, now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(key, names, now)
        write_private(
            key_file,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        write_private(cert_file, certificate.public_bytes(serialization.Encoding.PEM))
    return cert_file, key_file


def _is_good(cert_file: Path, key_file: Path, names: list[x509.GeneralName], now: datetime.datetime) -> bool:
    """Whether certificate and key match (a crash may leave half of a new pair), are current and have these
    names."""
    try:
        ServerTLS(cert_file, key_file)
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (TLSFilesError, x509.ExtensionNotFound):
        return False
    return set(names) <= set(held) and now + RENEWAL < certificate.not_valid_after_utc


def _sign(
    key: ec.EllipticCurvePrivateKey, names: Iterable[x509.GeneralName], now: datetime.datetime
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailproto, self-signed")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_names(hostname: str) -> list[x509.GeneralName]:
    """The certificate's names and addresses, without duplicates."""
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    try:
        own: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(hostname.strip("[]")))
    except ValueError:
        own = x509.DNSName(_a_label(hostname))
    return names if own in names else [own, *names]


def _a_label(hostname: str) -> str:
    with contextlib.suppress(UnicodeError):
        return idna.encode(hostname, uts46=True).decode()
    return hostname.encode("ascii", "ignore").decode() or "localhost"
