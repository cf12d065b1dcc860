from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.testing._transport import FakeTLS
from mailproto.tls import client_tls, ensure_self_signed, server_tls
from mailproto.tls._channel import Channel, client_channel, server_channel
from tests.tls.handshake import handshake, shake_hands

SIGNED_WITH_SHA1 = """
-----BEGIN CERTIFICATE-----
MIIBfzCCASagAwIBAgIUUtZlwRXljD8ZhsXaw1y1GsvzcpswCQYHKoZIzj0EATAW
MRQwEgYDVQQDDAtvbGQuZXhhbXBsZTAeFw0yNjExMjUyMDE0MzBaFw0zNjExMjIy
MDE0MzBaMBYxFDASBgNVBAMMC29sZC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAE8TTUrcha6x51HQO0oI28D7lR193FbAXlMfW6cdbc5g5y9riUhVQg
O3rkkzGMuamORE2yJpOhgwqvomOQzZopraNTMFEwHQYDVR0OBBYEFGbeNpJIA1Em
wXG+HhJep78DHG1HMB8GA1UdIwQYMBaAFGbeNpJIA1EmwXG+HhJep78DHG1HMA8G
A1UdEwEB/wQFMAMBAf8wCQYHKoZIzj0EAQNIADBFAiEAgkFXXsCBDdqfF0MaH7pa
8mjLSZIPNOAdnYJ2vIUrQYYCIAb2HtUiLTGiAM6tErtjW7GCUFN0o1VmYEqPK+7e
EK2b
-----END CERTIFICATE-----
"""


@implementer(ISSLTransport)
class TLSTransport:
    """As much of Twisted's as is looked at."""

    def __init__(self, connection: SSL.Connection | FakeTLS) -> None:
        self.getHandle = lambda: connection


class PlaintextTests(SynchronousTestCase):
    def test_another_machine(self) -> None:
        for channel in (server_channel(object(), is_local=False), client_channel(object(), is_local=False)):
            self.assertEqual(channel, Channel())
            self.assertEqual(
                (channel.is_secure, channel.is_encrypted, dict(channel.bindings), channel.certificate),
                (False, False, {}, None),
            )

    def test_this_machine(self) -> None:
        """Nobody listens on loopback, so passwords may go in clear; but nothing binds to it."""
        for channel in (server_channel(object(), is_local=True), client_channel(object(), is_local=True)):
            self.assertEqual(channel, Channel(is_secure=True))

    def test_costs_nothing(self) -> None:
        self.assertIs(server_channel(object(), is_local=False), server_channel(object(), is_local=False))


class TLSTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.files = ensure_self_signed(self.folder, "mail.example.org")

    def channels(self, version: int | None = None, trust_root: Path | None = None) -> tuple[Channel, Channel]:
        """(the server's, the client's) on another machine."""
        server = server_tls(*self.files).serverConnectionForTLS(None)
        client = handshake(server, version, trust_root=trust_root)
        return (
            server_channel(TLSTransport(server), is_local=False),
            client_channel(TLSTransport(client), is_local=False),
        )

    def client_with(self, creator: Any) -> Channel:
        """The client's, when it has begun TLS with ``creator``."""
        protocol = SimpleNamespace(factory=SimpleNamespace(wrappedFactory=None))
        client = creator.clientConnectionForTLS(protocol)
        shake_hands(server_tls(*self.files).serverConnectionForTLS(None), client)
        return client_channel(TLSTransport(client), is_local=False)

    def replace_certificate(
        self,
        key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
        algorithm: hashes.HashAlgorithm | None,
    ) -> None:
        name = x509.Name([])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example.org")]), critical=True)
            .sign(key, algorithm)  # type: ignore[arg-type]
        )
        self.files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def end_point(self, hash_name: str) -> bytes:
        certificate = x509.load_pem_x509_certificate(self.files[0].read_bytes())
        return hashlib.new(hash_name, certificate.public_bytes(serialization.Encoding.DER)).digest()

    def test_both_ends_have_the_same_bindings(self) -> None:
        server, client = self.channels()
        self.assertEqual(list(server.bindings), ["tls-exporter", "tls-server-end-point"])
        self.assertEqual(server.bindings, client.bindings)
        self.assertEqual(len(server.bindings["tls-exporter"]), 32)
        self.assertEqual(server.bindings["tls-server-end-point"], self.end_point("sha256"))

    def test_another_connection_has_another_exporter(self) -> None:
        one, _ = self.channels()
        other, _ = self.channels()
        self.assertNotEqual(one.bindings["tls-exporter"], other.bindings["tls-exporter"])
        self.assertEqual(one.bindings["tls-server-end-point"], other.bindings["tls-server-end-point"])

    def test_tls_1_2(self) -> None:
        """Whether it has the extended master secret, which RFC 9266 4.2 asks for, cannot be seen."""
        for channel in self.channels(SSL.TLS1_2_VERSION):
            self.assertEqual(dict(channel.bindings), {"tls-server-end-point": self.end_point("sha256")})

    def test_hash_of_the_certificate_is_its_signature_s(self) -> None:
        self.replace_certificate(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        for channel in self.channels():
            self.assertEqual(channel.bindings["tls-server-end-point"], self.end_point("sha384"))

    def test_hash_that_is_weak(self) -> None:
        """RFC 5929 4.1: SHA-256 stands in for SHA-1."""
        self.files[0].write_text(SIGNED_WITH_SHA1)
        connection = FakeTLS()
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, self.files[0].read_bytes())
        self.patch(connection, "get_certificate", lambda: certificate)
        channel = server_channel(TLSTransport(connection), is_local=False)
        self.assertEqual(dict(channel.bindings), {"tls-server-end-point": self.end_point("sha256")})

    def test_signature_without_a_hash(self) -> None:
        """RFC 5929 4.1 does not say what Ed25519 is to have."""
        self.replace_certificate(ed25519.Ed25519PrivateKey.generate(), None)
        for channel in self.channels():
            self.assertEqual(list(channel.bindings), ["tls-exporter"])

    def test_server_is_secure_whoever_the_client_is(self) -> None:
        server, _ = self.channels()
        self.assertTrue(server.is_secure and server.is_encrypted)
        self.assertIsNone(server.certificate)

    def test_client_is_secure_with_a_verified_server_alone(self) -> None:
        verified = self.client_with(client_tls("mail.example.org", trust_root=self.files[0]))
        self.assertEqual((verified.is_secure, verified.is_encrypted), (True, True))
        self.assertEqual(verified.certificate, x509.load_pem_x509_certificate(self.files[0].read_bytes()))
        unverified = self.client_with(client_tls("mail.example.org", verify=False))
        self.assertEqual((unverified.is_secure, unverified.is_encrypted), (False, True))
        self.assertIsNone(unverified.certificate)

    def test_certificate_that_nobody_compares_with_a_name(self) -> None:
        """It is from an authority, for whoever has bought one there."""
        _, channel = self.channels(trust_root=self.files[0])
        self.assertEqual((channel.is_secure, channel.is_encrypted, channel.certificate), (False, True, None))

    def test_nothing_of_it_is_shown(self) -> None:
        server, _ = self.channels()
        self.assertNotIn("tls-exporter", repr(server))
