"""TLS for servers: PEM files in, what Twisted's transports want out; and a pair of our own."""

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
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailproto.auth._private_file import write_private

__all__ = ["RENEWAL", "VALIDITY", "ServerTLS", "TLSFilesError", "ensure_self_signed", "server_tls"]

VALIDITY = datetime.timedelta(days=825)
"""How long a pair of our own is good: the longest that every client takes."""

RENEWAL = datetime.timedelta(days=30)
"""A pair of our own that ends sooner than this is made anew."""


class TLSFilesError(Exception):
    """A certificate or key file cannot be used; the message names the file and the reason."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """A server's certificate: for ``startTLS``, ``TLSMemoryBIOFactory`` and the like.

    TLS 1.2 and later, Twisted's choice of ciphers.
    """

    def __init__(
        self,
        cert_file: str | os.PathLike[str],
        key_file: str | os.PathLike[str],
        *,
        client_ca: str | os.PathLike[str] | None = None,
    ) -> None:
        self._cert_file = Path(cert_file)
        self._key_file = Path(key_file)
        self._client_ca = None if client_ca is None else Path(client_ca)
        self._context = self._read()

    def reload(self) -> None:
        """Use what the files hold now, for connections that begin from now on.

        :raises TLSFilesError: and what was read before stays in use.
        """
        self._context = self._read()

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802,N803
        """One connection's state (`IOpenSSLServerConnectionCreator`)."""
        return SSL.Connection(self._context, None)

    def _read(self) -> SSL.Context:
        chain = load_certificates(self._cert_file)
        try:
            key = serialization.load_pem_private_key(_octets(self._key_file), password=None)
        except (ValueError, TypeError) as error:
            raise TLSFilesError(f"{self._key_file}: no private key in PEM form ({error})") from None
        if key.public_key() != chain[0].to_cryptography().public_key():
            raise TLSFilesError(f"{self._key_file}: not the key of {self._cert_file}")
        authorities = None if self._client_ca is None else load_certificates(self._client_ca)
        options = CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]
            certificate=chain[0],
            extraCertChain=chain[1:],
            raiseMinimumTo=TLSVersion.TLSv1_2,
            verify=authorities is not None,
            caCerts=authorities,
            requireCertificate=False,
        )
        try:
            context: SSL.Context = options.getContext()
            if authorities is not None:
                # Clients choose among their certificates by the issuers that are named.
                context.set_client_ca_list([authority.get_subject() for authority in authorities])
            return context
        except SSL.Error as error:
            raise TLSFilesError(f"{self._cert_file}: OpenSSL does not take it ({error})") from None


def server_tls(
    cert_file: str | os.PathLike[str],
    key_file: str | os.PathLike[str],
    *,
    client_ca: str | os.PathLike[str] | None = None,
) -> ServerTLS:
    """Read PEM files: the certificate with its chain, leaf first, and its private key.

    :param client_ca: certificates of the authorities that clients' certificates may be from.
        Clients are asked for one then; they may have none, but not a bad one.
    :raises TLSFilesError: when they cannot be read or do not belong together.
    """
    return ServerTLS(cert_file, key_file, client_ca=client_ca)


def ensure_self_signed(folder: str | os.PathLike[str], hostname: str) -> tuple[Path, Path]:
    """The certificate and key files of a pair of our own in ``folder``, made if need be.

    It is for ``hostname``, localhost and the loopback addresses, and stays the same as
    long as it is good, so that clients that have learnt it go on.

    :returns: (``tls-cert.pem``, ``tls-key.pem``); the key is readable by the owner alone.
    """
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
    """Whether the pair is whole (a crash may have left half of a new one), current, and for these names."""
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
    """What the certificate is for, without duplicates."""
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


def load_certificates(path: Path) -> list[crypto.X509]:
    """All certificates of a PEM file, at least one.

    :raises TLSFilesError:
    """
    try:
        found = x509.load_pem_x509_certificates(_octets(path))
    except ValueError as error:
        raise TLSFilesError(f"{path}: no certificate in PEM form ({error})") from None
    return [crypto.X509.from_cryptography(certificate) for certificate in found]


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TLSFilesError(f"{path}: {error.strerror}") from None
