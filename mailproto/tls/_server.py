"""TLS for servers: makes the context objects for Twisted's transports from PEM files."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from mailproto._arguments import check_path
from mailproto._twisted_arguments import check_optional_clock
from mailproto._twisted_internals import protocol_above
from mailproto.typing import ReactorTime

__all__ = ["MAX_HANDSHAKE", "TICKET_KEYS", "ServerTLS", "TLSFilesError", "load_certificates", "server_tls"]

TICKET_KEYS = 24 * 60 * 60
"""Seconds for which session tickets are encrypted with the same keys (RFC 9325 3.4: at most a week).

A thief of a key can decrypt all TLS 1.2 sessions that were resumed with it.
"""

MAX_HANDSHAKE = 24 << 10
"""Octets that a client may send in a handshake: enough for a large key and a chain of certificates.

pyOpenSSL's time for ALPN grows with the square of the list's length: 7 ms for this many octets, and 45 ms
for the 64 KiB that OpenSSL would accept.
"""


_PEM = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----[^-]+-----END (?:X509 )?CERTIFICATE-----")

_CIPHERS = AcceptableCiphers.fromOpenSSLCipherString("ECDHE+AESGCM:ECDHE+CHACHA20")
"""The ciphers of TLS 1.2: those that RFC 9325 4.2 recommends, and ChaCha20, for machines without AES.

They have forward secrecy and authenticated encryption (AEAD).  Twisted's own choice also has suites in CBC
mode, which was attacked again and again (Lucky 13), and suites with static RSA keys (RFC 9325 4.1).  All
ciphers of TLS 1.3 are fine.
"""


class TLSFilesError(Exception):
    """A certificate or key file cannot be used; the text is one line with the file and the reason.

    :ivar file: the file that cannot be used.
    """

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(" ".join(f"{file}: {reason}".split()))
        self.file = file


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """A server's certificate and key, for ``startTLS``, ``TLSMemoryBIOFactory`` and the like.

    It uses TLS 1.2 and later, with ciphers that have forward secrecy and authenticated encryption: none in
    CBC mode.  Clients may resume their sessions, with
    tickets, until the files are read again or `TICKET_KEYS` seconds have passed.

    If a client offers protocol names (ALPN, RFC 7301), the server chooses the first one that is in the
    ``alpn`` of the connection's protocol (`ServerConnection.alpn`).  If there is none, the handshake
    continues as if the client had offered none: mail clients do not agree on the names, and IANA's registry
    has no name for SMTP.

    :param cert_file, key_file, client_ca: as for `server_tls`.
    :param clock: measures the age of ticket keys; None for the system's monotonic clock.

    :ivar description: the certificate in use: its names, and how long it is valid.
    :ivar not_after: when that certificate expires, in seconds since the epoch.
    """

    description: str
    not_after: float

    def __init__(
        self,
        cert_file: str | os.PathLike[str],
        key_file: str | os.PathLike[str],
        *,
        client_ca: str | os.PathLike[str] | None = None,
        clock: ReactorTime | None = None,
    ) -> None:
        check_path("cert_file", cert_file, "the path of a PEM file")
        check_path("key_file", key_file, "the path of a PEM file")
        if client_ca is not None:
            check_path("client_ca", client_ca, "the path of a PEM file, or None")
        check_optional_clock("clock", clock)
        self._cert_file = Path(cert_file)
        self._key_file = Path(key_file)
        self._client_ca = None if client_ca is None else Path(client_ca)
        self._seconds = time.monotonic if clock is None else clock.seconds
        self.reload()

    def reload(self) -> None:
        """Read the files again, and use them for new connections.

        Older sessions cannot be resumed any more, because their clients' certificates may no longer be
        valid.

        :raises TLSFilesError: a file cannot be used; the older certificate stays in use.
        """
        self.prepare()()

    def prepare(self) -> Callable[[], None]:
        """Do the part of `reload` that may fail or takes milliseconds; may be called in a thread.

        :returns: a function that does the rest; call it in the reactor's thread.
        :raises TLSFilesError: a file cannot be used; the older certificate stays in use.
        """
        new_context, description, not_after = self._read()
        context = new_context()

        def use() -> None:
            self._context, self._new_context = context, new_context
            self.description, self.not_after = description, not_after
            self._since = self._seconds()

        return use

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802,N803
        """The TLS state of one connection (`IOpenSSLServerConnectionCreator`)."""
        now = self._seconds()
        if now - self._since >= TICKET_KEYS:
            self._context, self._since = self._new_context(), now
        protocol = protocol_above(tlsProtocol)
        return _ServerConnection(self._context, getattr(protocol, "alpn", ()))

    def _read(self) -> tuple[Callable[[], SSL.Context], str, float]:
        """Read the files; returns a function that makes contexts, the certificate's description, and its
        expiry."""
        chain = load_certificates(self._cert_file)
        octets = _octets(self._key_file)
        with _as_files_error(self._key_file, "no private key in PEM form", why=False):
            try:
                key = serialization.load_pem_private_key(octets, password=None)
            except TypeError:  # cryptography raises this for a key that needs a password
                reason = "the key needs a password: write it without one (openssl pkey -in FILE -out FILE)"
                raise TLSFilesError(self._key_file, reason) from None
        with _as_files_error(self._cert_file, "its key cannot be used"):
            is_pair = key.public_key() == chain[0].to_cryptography().public_key()
        if not is_pair:
            raise TLSFilesError(self._key_file, f"not the key of {self._cert_file}")
        authorities = None if self._client_ca is None else load_certificates(self._client_ca)

        def new_context() -> SSL.Context:
            with _as_files_error(self._cert_file, "OpenSSL does not take it"):
                return make_context()

        def make_context() -> SSL.Context:
            options = CertificateOptions(
                privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]
                certificate=chain[0],
                extraCertChain=chain[1:],
                raiseMinimumTo=TLSVersion.TLSv1_2,
                acceptableCiphers=_CIPHERS,
                enableSessionTickets=True,
                verify=authorities is not None,
                caCerts=authorities,
                requireCertificate=False,
            )
            context: SSL.Context = options.getContext()
            context.set_options(SSL.OP_NO_RENEGOTIATION)
            # Twisted's own callback fails if the connection was not made in the way that it expects.
            context.set_alpn_select_callback(_choose_protocol)
            if authorities is not None:
                # Clients choose among their certificates by these issuers.
                context.set_client_ca_list([authority.get_subject() for authority in authorities])
            return context

        with _as_files_error(self._cert_file, "its names and dates cannot be read"):
            leaf = chain[0].to_cryptography()
            return new_context, _describe(self._cert_file, leaf), leaf.not_valid_after_utc.timestamp()


class _ServerConnection(SSL.Connection):
    """The TLS state of one client's connection.

    :ivar alpn: the names of the protocol that is used over it.
    """

    def __init__(self, context: SSL.Context, alpn: Sequence[bytes]) -> None:
        super().__init__(context, None)
        self.alpn = alpn
        self._room = MAX_HANDSHAKE
        self._is_on = False

    def do_handshake(self) -> None:
        """Continue the handshake, unless it is too long."""
        if self._room < 0:
            raise SSL.Error([("mailproto", "", f"more than {MAX_HANDSHAKE} octets of a handshake")])
        super().do_handshake()
        self._is_on = True

    def bio_write(self, buf: Any) -> int:
        """Take the client's octets; of a handshake that is too long, only the first `MAX_HANDSHAKE`."""
        if self._room < 0:
            return len(buf)
        if not self._is_on:
            handshake, rest = buf[: self._room], buf[self._room :]
            self._room -= len(buf)
            if rest:
                with contextlib.suppress(SSL.Error):
                    if handshake:
                        super().bio_write(handshake)
                    super().do_handshake()
                    self._room = 0  # the handshake ended within these octets
                    super().bio_write(rest)
                return len(buf)
        return super().bio_write(buf)


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """OpenSSL's callback; returns a name, or NO_OVERLAPPING_PROTOCOLS."""
    for name in getattr(connection, "alpn", ()):
        if name in offered:
            return bytes(name)
    return SSL.NO_OVERLAPPING_PROTOCOLS


def server_tls(
    cert_file: str | os.PathLike[str],
    key_file: str | os.PathLike[str],
    *,
    client_ca: str | os.PathLike[str] | None = None,
) -> ServerTLS:
    """Make a `ServerTLS` from PEM files: the certificate with its chain, leaf first, and its private key.

    :param cert_file: the path of the certificate's file.
    :param key_file: the path of the key's file; it may be the same file.
    :param client_ca: certificates of the authorities for client certificates.  The server then asks clients
        for a certificate; a client may have none, but an invalid one is refused.
    :raises TLSFilesError: the files cannot be read, or do not belong together.
    """
    return ServerTLS(cert_file, key_file, client_ca=client_ca)


def load_certificates(path: Path) -> list[crypto.X509]:
    """All certificates of a PEM file, at least one.

    :raises TLSFilesError:
    """
    octets = _octets(path)
    with _as_files_error(path, "no certificate in PEM form", why=False):
        # By OpenSSL, which is to use them: cryptography warns of old authorities in the platform's own
        # bundle, such as those with a negative serial number, and will refuse them.
        found = [crypto.load_certificate(crypto.FILETYPE_PEM, each) for each in _PEM.findall(octets)]
        if not found:
            raise TLSFilesError(path, "no certificate in PEM form")
        return found


@contextlib.contextmanager
def _as_files_error(path: Path, reason: str, *, why: bool = True) -> Iterator[None]:
    """Turn any error of a library into a `TLSFilesError` for the file.

    :param why: whether to include the library's own text.
    """
    try:
        yield
    except TLSFilesError:
        raise
    except Exception as error:
        raise TLSFilesError(path, f"{reason} ({error})" if why else reason) from None


def _describe(path: Path, certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except Exception:  # it is missing, or the library does not understand it
        names = []
    subject = ", ".join(names) or certificate.subject.rfc4514_string()
    return f"{path}: {subject}, valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TLSFilesError(path, error.strerror or str(error)) from None
