"""TLS for clients: whom to believe, and what to do without."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, ISSLTransport
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailproto.auth._tls import load_certificates
from mailproto.domains import ascii_domain

__all__ = ["client_tls", "is_verified"]


def client_tls(
    hostname: str,
    *,
    verify: bool = True,
    trust_root: str | os.PathLike[str] | None = None,
    client_certificate: PrivateCertificate | None = None,
) -> Any:
    """What ``startTLS`` and `twisted.internet.endpoints.wrapClientTLS` need to talk to ``hostname``.

    TLS 1.2 and later.

    :param hostname: a domain name, in any script, or an IP address: the certificate must be for
        it (RFC 9525, by service_identity), and its name is told to the server (SNI).
    :param verify: False to take any certificate: that keeps out those who only listen, and is
        what opportunistic TLS is (RFC 7435).
    :param trust_root: a file of CA certificates in PEM form, to be believed instead of the
        platform's own.
    :param client_certificate: to be shown to the server, if it asks.
    :returns: an `IOpenSSLClientConnectionCreator`.
    :raises TLSFilesError: ``trust_root`` cannot be read.
    :raises ValueError: ``hostname`` cannot be a name.
    """
    if not verify:
        return _Unverified(hostname, client_certificate)
    root = platformTrust() if trust_root is None else _trust_root(Path(trust_root))
    return _Verified(
        optionsForClientTLS(
            _a_label(hostname),
            trustRoot=root,
            clientCertificate=client_certificate,
            extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2},
        )
    )


def is_verified(transport: Any) -> bool:
    """Whether a client's transport speaks TLS with a server whose certificate was compared with its name.

    That is so where TLS was begun with what `client_tls` gave, not with ``verify=False``: its
    handshake fails otherwise.  What else a creator of connections compares cannot be seen, so
    that those of ``CertificateOptions`` and Twisted's own ``optionsForClientTLS`` do not count.
    """
    return bool(ISSLTransport.providedBy(transport)) and cast(Any, transport).getHandle() in _verifying


_verifying: WeakSet[SSL.Connection] = WeakSet()
"""Connections whose handshake fails unless the certificate is good and for the name."""


@implementer(IOpenSSLClientConnectionCreator)
class _Verified:
    """Encrypts, for one who has shown who it is."""

    def __init__(self, creator: Any) -> None:
        self._creator = creator

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802,N803
        """One connection's state (`IOpenSSLClientConnectionCreator`)."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)
        _verifying.add(connection)
        return connection


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """Encrypts, for whoever is at the other end."""

    def __init__(self, hostname: str, certificate: PrivateCertificate | None) -> None:
        options = CertificateOptions(
            privateKey=None if certificate is None else certificate.privateKey.original,
            certificate=None if certificate is None else certificate.original,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        self._context = options.getContext()
        # An IP address is no server name (RFC 6066 3).
        self._name = None if _is_ip_address(hostname) else _a_label(hostname).encode("ascii")

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802,N803
        """One connection's state (`IOpenSSLClientConnectionCreator`)."""
        connection = SSL.Connection(self._context, None)
        if self._name:
            connection.set_tlsext_host_name(self._name)
        return connection


def _trust_root(path: Path) -> Any:
    return trustRootFromCertificates([Certificate(certificate) for certificate in load_certificates(path)])


def _a_label(hostname: str) -> str:
    return ascii_domain(hostname.removesuffix("."))  # of the root; no certificate has it (RFC 6066 3)


def _is_ip_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True
