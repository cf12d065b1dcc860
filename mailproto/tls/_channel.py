"""The security of a connection, for authentication: encryption, certificates and channel bindings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL, crypto

from mailproto._twisted_internals import tls_connection
from mailproto.tls._client import is_verified

__all__ = ["Channel", "client_channel", "server_channel"]


@dataclass(frozen=True, slots=True)
class Channel:
    """The security of a connection.

    :ivar is_secure: whether a plaintext password may be sent: inside TLS (for a client, with a verified
        server), or to another process on this machine.
    :ivar is_encrypted: whether the connection uses TLS.
    :ivar bindings: channel bindings by their type (RFC 5056), best first: ``tls-exporter``
        (RFC 9266), ``tls-server-end-point`` (RFC 5929 4); empty in plaintext.
    :ivar certificate: the other side's certificate, if it has been verified.
    """

    is_secure: bool = False
    is_encrypted: bool = False
    bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    certificate: x509.Certificate | None = None


_PLAINTEXT: Final = {False: Channel(), True: Channel(is_secure=True)}


def server_channel(transport: Any, *, is_local: bool) -> Channel:
    """The channel of a server's connection; all plaintext connections share two objects.

    :param is_local: whether the client is on this machine.
    """
    connection = tls_connection(transport)
    if connection is None:
        return _PLAINTEXT[is_local]
    return Channel(True, True, _bindings(connection, connection.get_certificate()), _verified(connection))


def client_channel(transport: Any, *, is_local: bool) -> Channel:
    """The channel of a client's connection.

    The server counts as verified only if `is_verified` says so: a certificate that was not compared with
    the server's name may belong to any other server.

    :param is_local: whether the server is on this machine.
    """
    connection = tls_connection(transport)
    if connection is None:
        return _PLAINTEXT[is_local]
    bindings = _bindings(connection, connection.get_peer_certificate())
    is_named = is_verified(transport)
    certificate = _verified(connection) if is_named else None
    return Channel(is_local or is_named, True, bindings, certificate)


def _verified(connection: SSL.Connection) -> x509.Certificate | None:
    """The peer's certificate if it was verified.

    With VERIFY_PEER, the handshake would have failed otherwise; without it, nothing was verified.
    """
    if not connection.get_context().get_verify_mode() & SSL.VERIFY_PEER:
        return None
    return _loaded(connection.get_peer_certificate())


def _bindings(connection: SSL.Connection, server_certificate: crypto.X509 | None) -> Mapping[str, bytes]:
    bindings = {}
    # Before TLS 1.3 it needs the extended master secret (RFC 9266 4.2), and pyOpenSSL does not tell whether
    # that is used.
    if connection.get_protocol_version() >= SSL.TLS1_3_VERSION:
        bindings["tls-exporter"] = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    certificate = _loaded(server_certificate)
    if certificate is not None and (end_point := _end_point(certificate)):
        bindings["tls-server-end-point"] = end_point
    return bindings


def _loaded(certificate: crypto.X509 | None) -> x509.Certificate | None:
    """The certificate as an object of ``cryptography``; None if that cannot parse what OpenSSL accepted."""
    try:
        return None if certificate is None else certificate.to_cryptography()
    except (ValueError, x509.InvalidVersion):
        return None


def _end_point(certificate: x509.Certificate) -> bytes | None:
    """The certificate's hash (RFC 5929 4.1); None if the RFC does not define which hash to use."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)
