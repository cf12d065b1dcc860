"""TLS for clients: verification of the server's certificate and name."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    TLSVersion,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailproto._arguments import check_bool, check_path, check_type, wrong_value
from mailproto._twisted_internals import tls_connection
from mailproto.tls._dane import DANEIdentity
from mailproto.tls._server import load_certificates
from mailproto.tls._server_identity import ServerIdentity

__all__ = ["HandshakeFailed", "client_tls", "dane_tls", "is_verified"]


def client_tls(
    hostname: str,
    *,
    verify: bool = True,
    trust_root: str | os.PathLike[str] | None = None,
    client_certificate: PrivateCertificate | None = None,
) -> IOpenSSLClientConnectionCreator:
    """The connection creator for ``startTLS`` and `twisted.internet.endpoints.wrapClientTLS`, to
    ``hostname``.

    It uses TLS 1.2 and later.  If the handshake fails, the connection ends with an `OpenSSL.SSL.Error`; its
    text says why in words.  Nothing has been sent inside TLS then.

    :param hostname: a domain name, in any script, or an IP address.  The certificate must be for it (RFC
        9525 6).  A domain name is sent to the server (SNI).
    :param verify: False to accept any certificate, for opportunistic TLS (RFC 7435): it protects only
        against eavesdroppers.
    :param trust_root: a file of CA certificates in PEM form, to trust instead of the platform's own.
    :param client_certificate: sent to the server if it asks for one, and if its own certificate is valid.
    :returns: an `IOpenSSLClientConnectionCreator`.
    :raises TLSFilesError: ``trust_root`` cannot be read.
    :raises ValueError: ``hostname`` cannot be a name in a certificate; not with ``verify=False``.
    """
    check_type("hostname", hostname, str, "a str")
    check_bool("verify", verify)
    if trust_root is not None:
        check_path("trust_root", trust_root, "the path of a PEM file, or None")
    if client_certificate is not None:
        hint = "twisted.internet.ssl.PrivateCertificate.loadPEM(octets) reads one"
        takes = "a PrivateCertificate or None"
        check_type("client_certificate", client_certificate, PrivateCertificate, takes, hint)
    if verify:
        try:
            identity = ServerIdentity(hostname)
        except ValueError:
            takes = "a domain name or an IP address, which can be in a certificate"
            raise wrong_value("hostname", hostname, takes) from None
        context = _platform_context() if trust_root is None else _context(_trust_root(Path(trust_root)))
        return _ClientTLS(context, identity, identity.server_name, client_certificate)
    try:
        server_name = ServerIdentity(hostname).server_name
    except ValueError:
        server_name = None
    return _ClientTLS(_unverified_context(), None, server_name, client_certificate)


def dane_tls(
    names: Sequence[str], records: Sequence[tuple[int, int, int, bytes]]
) -> IOpenSSLClientConnectionCreator:
    """The connection creator, as by `client_tls`, to a server with TLSA records (DANE, RFC 7672).

    Only records that the DNS has authenticated (DNSSEC) protect against attackers.

    :param names: of the server; the first one is sent to it (SNI).  With records of usage 2, its certificate
        must be for one of them.
    :param records: usage, selector, matching type and data of each (RFC 6698 2.1); usages 2 and 3.
    :returns: an `IOpenSSLClientConnectionCreator`, for any number of connections.
    :raises ValueError: there are no names or no records, or a name can be in no certificate.
    """
    if not records:
        raise wrong_value("records", records, "at least one TLSA record")
    identity = DANEIdentity(names, records)
    return _ClientTLS(_unverified_context(), identity, identity.server_name, None)


def is_verified(transport: Any) -> bool:
    """Whether a client's transport uses TLS, and the server's certificate was verified for its name.

    This is True only for TLS that was started with `client_tls`, without ``verify=False``, or `dane_tls`,
    and only after the verification has succeeded.  It is False for other connection creators, such as
    ``CertificateOptions`` and Twisted's ``optionsForClientTLS``, because it cannot be seen what they
    verify.
    """
    connection = tls_connection(transport)
    return isinstance(connection, _ClientConnection) and connection.is_verified


@implementer(IOpenSSLClientConnectionCreator)
class _ClientTLS:
    """Makes the TLS connections to one server.

    :param identity: the server that the certificate must be for; None to accept any certificate.
    """

    def __init__(
        self,
        context: SSL.Context,
        identity: ServerIdentity | DANEIdentity | None,
        server_name: bytes | None,
        certificate: PrivateCertificate | None,
    ) -> None:
        self._context = context
        self._identity = identity
        self._server_name = server_name
        self._certificate = certificate

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802,N803
        """The TLS state of one connection (`IOpenSSLClientConnectionCreator`)."""
        connection = _ClientConnection(self._context, self._identity)
        if self._server_name:
            connection.set_tlsext_host_name(self._server_name)
        if self._certificate is not None:
            connection.use_certificate(self._certificate.original)
            connection.use_privatekey(self._certificate.privateKey.original)
        return connection


def _context(trust_root: Any) -> SSL.Context:
    """A context for many connections.

    :param trust_root: the authorities, as an object of Twisted's; None to verify no certificate.
    """
    options = CertificateOptions(
        raiseMinimumTo=TLSVersion.TLSv1_2, **({} if trust_root is None else {"trustRoot": trust_root})
    )
    context: SSL.Context = options.getContext()
    # A second handshake could bring another certificate.
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    if trust_root is not None:
        # Set here, too, so that verification does not depend on what Twisted sets.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _look_at)
    return context


@lru_cache(maxsize=1)
def _unverified_context() -> SSL.Context:
    """The context with which OpenSSL itself accepts any certificate; making one takes 0.3 ms."""
    return _context(None)


def _platform_context() -> SSL.Context:
    """The context with the platform's authorities: reading them takes some 15 ms."""
    return _platform_context_of(int(time.monotonic() // _PLATFORM_TRUST))


@lru_cache(maxsize=1)
def _platform_context_of(_: int) -> SSL.Context:
    return _context(platformTrust())


_PLATFORM_TRUST = 60 * 60
"""Seconds after which the platform's authorities are read again, because they may have changed."""


class HandshakeFailed(SSL.Error):
    """The handshake failed; the text says why.

    :ivar fault: of the certificate: ``name``, ``time``, ``authority``, ``tlsa`` or ``other``; "" if it was
        something else.
    """

    def __init__(self, text: str, fault: str = "") -> None:
        super().__init__([("mailproto", "", text)])  # in the form of OpenSSL's own errors
        self._text = text
        self.fault = fault

    def __str__(self) -> str:
        return self._text


class _ClientConnection(SSL.Connection):
    """A connection that passes no data before the server's certificate has been verified.

    The check is made here, so that it does not depend on the order in which other layers call this object.
    If the check was not made, for whatever reason, the connection is refused.

    :ivar is_verified: whether the handshake is done, and the certificate is valid for the server.
    """

    is_verified = False

    def __init__(self, context: SSL.Context, identity: ServerIdentity | DANEIdentity | None) -> None:
        super().__init__(context, None)
        self._identity = identity
        self._is_chain_good = False
        self._fault = ""
        self._kind = ""  # as in `HandshakeFailed`

    def do_handshake(self) -> None:
        """Continue the handshake, and check the certificate once it is done.

        :raises OpenSSL.SSL.Error: the certificate is not valid for the server, or the handshake failed.
        """
        try:
            super().do_handshake()
        except (SSL.WantReadError, SSL.WantWriteError):
            raise
        except Exception as error:
            raise self._failure(error) from error
        if self._identity is None or self.is_verified:
            return
        self._fault = self._fault or self._verdict(self._identity)
        if self._fault:
            raise self._failure(None)
        self.is_verified = True

    def _verdict(self, identity: ServerIdentity | DANEIdentity) -> str:
        """Why the server's certificate is not good; "" if it is."""
        certificate = self.get_peer_certificate()
        if certificate is None:
            return "there is none"
        if isinstance(identity, DANEIdentity):
            self._kind = "tlsa"
            try:
                return identity.mismatch(self.get_peer_cert_chain() or [certificate])
            except Exception as error:
                return f"it cannot be looked at ({error!r})"
        return self._mismatch(identity, certificate) if self._is_chain_good else "it was not looked at"

    def look_at(self, certificate: X509, error: int, depth: int, is_good: bool) -> bool:
        """Decide whether OpenSSL accepts one certificate of the chain; never raises.

        The server's own certificate comes last.  Refusing it here means that we do not send our own
        certificate to a false server.
        """
        if not is_good:
            if not self._fault:
                self._fault = _FAULTS.get(error, f"OpenSSL's error {error}")
                self._kind = "time" if error in _TIMES else "authority" if error in _AUTHORITIES else "other"
        elif depth == 0 and isinstance(self._identity, ServerIdentity):
            self._is_chain_good = True
            self._fault = self._fault or self._mismatch(self._identity, certificate)
        return is_good and not self._fault

    def _mismatch(self, identity: ServerIdentity, certificate: X509) -> str:
        """Why the certificate is not for ``identity``; any unexpected error counts as a reason, too."""
        self._kind = "name"
        try:
            return identity.mismatch(certificate)
        except Exception as error:
            return f"it cannot be looked at ({error!r})"

    def _failure(self, error: Exception | None) -> SSL.Error:
        """The reason for the failed handshake, in words."""
        if self._fault and self._identity is not None:
            return HandshakeFailed(
                f"The certificate is not good for {self._identity.hostname}: {self._fault}",
                self._kind or "other",
            )
        if not isinstance(error, SSL.Error):
            return HandshakeFailed(f"The handshake failed: {error!r}")
        reasons = error.args[0] if type(error) is SSL.Error and error.args else ()
        if not reasons:
            return error  # the connection has ended: Twisted reports that itself
        text = ", ".join(reason for *_, reason in reasons)
        return HandshakeFailed(f"no TLS is spoken there ({text})" if _NO_TLS in text else text)

    # -- data, only after the handshake

    def _demand(self) -> None:
        if self._identity is not None and not self.is_verified:
            self.do_handshake()

    def send(self, buf: Any, flags: int = 0) -> int:
        """Send, after the handshake (`SSL.Connection.send`)."""
        self._demand()
        return super().send(buf, flags)

    def sendall(self, buf: Any, flags: int = 0) -> int:
        """Send all, after the handshake (`SSL.Connection.sendall`)."""
        self._demand()
        return super().sendall(buf, flags)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Receive, after the handshake (`SSL.Connection.recv`)."""
        self._demand()
        return super().recv(bufsiz, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """Receive, after the handshake (`SSL.Connection.recv_into`)."""
        self._demand()
        return super().recv_into(buffer, nbytes, flags)

    write, read = send, recv


def _look_at(connection: SSL.Connection, certificate: X509, error: int, depth: int, is_good: int) -> bool:
    """OpenSSL's callback; pyOpenSSL treats an exception as a refusal."""
    return cast(_ClientConnection, connection).look_at(certificate, error, depth, bool(is_good))


_NO_TLS = "wrong version number"
"""OpenSSL's reason if the other side does not speak TLS."""

_CODES = SSL.X509VerificationCodes
_TIMES = (_CODES.ERR_CERT_HAS_EXPIRED, _CODES.ERR_CERT_NOT_YET_VALID)
_AUTHORITIES = (
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN,
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT,
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
)
_FAULTS = {
    _CODES.ERR_CERT_HAS_EXPIRED: "it, or one that vouches for it, has expired",
    _CODES.ERR_CERT_NOT_YET_VALID: "it, or one that vouches for it, is not valid yet",
    _CODES.ERR_CERT_REVOKED: "it was revoked",
    _CODES.ERR_CERT_SIGNATURE_FAILURE: "a signature in its chain is wrong",
    _CODES.ERR_CERT_UNTRUSTED: "it is not trusted for this",
    _CODES.ERR_CERT_REJECTED: "it is rejected for this",
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself, and is none of those that are trusted",
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: "its authority is none of those that are trusted",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: "its authority, or one in between, is not known",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its authority, or one in between, is not known",
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its authority, or one in between, is not known",
    _CODES.ERR_CERT_CHAIN_TOO_LONG: "its chain is too long",
    _CODES.ERR_INVALID_CA: "one in its chain is no authority",
    _CODES.ERR_INVALID_PURPOSE: "it, or one that vouches for it, is not for servers",
    _CODES.ERR_PATH_LENGTH_EXCEEDED: "its chain is longer than its authority allows",
    _CODES.ERR_PERMITTED_VIOLATION: "its authority is not one for such names",
    _CODES.ERR_EXCLUDED_VIOLATION: "its authority is not one for such names",
    _CODES.ERR_UNHANDLED_CRITICAL_EXTENSION: "it has a critical extension that is not known here",
    # pyOpenSSL has no names for these codes:
    66: "its key is too short",
    67: "a key in its chain is too short",
    68: "a signature in its chain is too weak",
}


def _trust_root(path: Path) -> Any:
    return trustRootFromCertificates([Certificate(certificate) for certificate in load_certificates(path)])
