from __future__ import annotations

import datetime
import ipaddress
import ssl
import stat
import warnings
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.tls import (
    ServerTLS,
    TLSFilesError,
    _self_signed,
    ensure_self_signed,
    server_channel,
    server_tls,
)
from mailproto.tls._server import load_certificates
from tests.tls.certificates import make_certificate, write_pair
from tests.tls.handshake import handshake
from tests.tls.test_channel import TLSTransport


class Folder(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()


class ServerTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.files = ensure_self_signed(self.folder, "mail.example.org")

    def fingerprint(self, client: SSL.Connection) -> bytes:
        return client.get_peer_certificate().digest("sha256")

    def test_shakes_hands(self) -> None:
        tls = server_tls(*self.files)
        verifyObject(IOpenSSLServerConnectionCreator, tls)
        client = handshake(tls.serverConnectionForTLS(None))
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.3")

    def test_nothing_older_than_1_2(self) -> None:
        tls = server_tls(*self.files)
        client = handshake(tls.serverConnectionForTLS(None), SSL.TLS1_2_VERSION)
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.2")
        self.assertRaises(SSL.Error, handshake, tls.serverConnectionForTLS(None), SSL.TLS1_1_VERSION)

    def cipher(self, tls: ServerTLS, ciphers: str) -> str:
        """What server and client choose in TLS 1.2; "" if they have none in common."""
        connection = tls.serverConnectionForTLS(None)
        try:
            client = handshake(connection, SSL.TLS1_2_VERSION, ciphers=ciphers)
        except SSL.Error:
            return ""
        return client.get_cipher_name() or ""

    def test_ciphers_of_tls_1_2(self) -> None:
        """Each cipher that OpenSSL has, by itself: only AEAD with forward secrecy is accepted (RFC 9325)."""
        accepted = {"ECDHE-{}-AES128-GCM-SHA256", "ECDHE-{}-AES256-GCM-SHA384", "ECDHE-{}-CHACHA20-POLY1305"}
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(b"ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        every = [name for name in SSL.Connection(context).get_cipher_list() if not name.startswith("TLS_")]
        self.assertIn("ECDHE-RSA-AES128-SHA256", every)  # in CBC mode
        rsa_key = rsa.generate_private_key(65537, 2048)
        for kind, files in (
            ("ECDSA", self.files),
            ("RSA", write_pair(self.folder, "rsa", make_certificate(key=rsa_key))),
        ):
            tls = server_tls(*files)
            chosen = {name for name in every if self.cipher(tls, f"{name}:@SECLEVEL=0")}
            self.assertEqual(chosen, {name.format(kind) for name in accepted})

    def test_a_client_that_prefers_another(self) -> None:
        """It offers a suite in CBC mode first, and all others."""
        tls = server_tls(*self.files)
        self.assertIn("GCM", self.cipher(tls, "ECDHE-ECDSA-AES256-SHA384:ALL"))

    def test_chain_is_sent(self) -> None:
        other = Path(self.mktemp())
        other.mkdir()
        issuer, _ = ensure_self_signed(other, "issuer.example")
        self.files[0].write_bytes(self.files[0].read_bytes() + issuer.read_bytes())
        client = handshake(server_tls(*self.files).serverConnectionForTLS(None))
        self.assertEqual(len(client.get_peer_cert_chain()), 2)

    def test_reload(self) -> None:
        tls = server_tls(*self.files)
        before = self.fingerprint(handshake(tls.serverConnectionForTLS(None)))
        for file in self.files:
            file.unlink()
        self.assertRaises(TLSFilesError, tls.reload)
        self.assertEqual(self.fingerprint(handshake(tls.serverConnectionForTLS(None))), before)
        ensure_self_signed(self.folder, "mail.example.org")
        tls.reload()
        self.assertNotEqual(self.fingerprint(handshake(tls.serverConnectionForTLS(None))), before)

    def test_error_names_the_file(self) -> None:
        cert, key = self.files
        other = Path(self.mktemp())
        other.mkdir()
        foreign_key = ensure_self_signed(other, "other.example")[1]
        empty = self.folder / "empty.pem"
        empty.write_bytes(b"")
        for cert_file, key_file, blamed in (
            (self.folder / "none.pem", key, "none.pem"),
            (cert, self.folder / "none.pem", "none.pem"),
            (empty, key, "empty.pem"),
            (cert, empty, "empty.pem"),
            (key, key, "tls-key.pem"),
            (cert, foreign_key, str(foreign_key)),
        ):
            with self.subTest(blamed=blamed):
                error = self.assertRaises(TLSFilesError, server_tls, cert_file, key_file)
                self.assertIn(blamed, str(error))
                self.assertNotIn("\n", str(error))


class ClientCertificateTests(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.files = ensure_self_signed(self.folder, "mail.example.org")
        self.authority = make_certificate(name="authority")
        self.client_ca, _ = write_pair(self.folder, "ca", self.authority)

    def certificate(self, pair: tuple[Path, Path] | None, version: int, **more: Any) -> object:
        """What the server knows its client by."""
        server = server_tls(*self.files, **more).serverConnectionForTLS(None)
        self.client = handshake(server, version, pair=pair)
        return server_channel(TLSTransport(server), is_local=False).certificate

    def test_one_of_the_authoritys_is_known(self) -> None:
        pair = make_certificate("alice@example.org", issuer=self.authority)
        files = write_pair(self.folder, "alice", pair)
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertEqual(self.certificate(files, version, client_ca=self.client_ca), pair[1])
            self.assertEqual([name.CN for name in self.client.get_client_ca_list()], ["authority"])

    def test_nobody_must_have_one(self) -> None:
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assertIsNone(self.certificate(None, version, client_ca=self.client_ca))

    def test_one_from_elsewhere_is_refused(self) -> None:
        files = write_pair(self.folder, "eve", make_certificate("alice@example.org", name="authority"))
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            with self.assertRaises(SSL.Error):
                self.certificate(files, version, client_ca=self.client_ca)

    def test_nobody_is_asked_without_authorities(self) -> None:
        files = write_pair(self.folder, "alice", make_certificate(issuer=self.authority))
        self.assertIsNone(self.certificate(files, SSL.TLS1_3_VERSION))

    def test_error_names_the_file(self) -> None:
        error = self.assertRaises(TLSFilesError, server_tls, *self.files, client_ca=self.folder / "none.pem")
        self.assertIn("none.pem", str(error))


class AuthoritiesTests(Folder):
    def test_an_old_authority_of_the_platforms_bundle(self) -> None:
        """Its serial number is negative, of which cryptography warns; OpenSSL decides whether it is good."""
        _, certificate = make_certificate(name="old")
        octets = certificate.public_bytes(serialization.Encoding.DER)
        at = octets.index(b"\xa0\x03\x02\x01\x02\x02") + 7  # behind the version
        octets = octets[:at] + bytes([octets[at] | 0x80]) + octets[at + 1 :]
        file = self.folder / "bundle.pem"
        file.write_text(ssl.DER_cert_to_PEM_cert(octets))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            [found] = load_certificates(file)
        self.assertLess(found.get_serial_number(), 0)


class SelfSignedTests(Folder):
    def certificate(self, hostname: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(ensure_self_signed(self.folder, hostname)[0].read_bytes())

    def names(self, hostname: str) -> list[object]:
        extension = self.certificate(hostname).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return [name.value for name in extension.value]

    def test_names(self) -> None:
        loopback = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
        self.assertEqual(self.names("mail.example.org"), ["mail.example.org", "localhost", *loopback])
        self.assertEqual(self.names("localhost"), ["mail.example.org", "localhost", *loopback])

    def test_odd_hostnames(self) -> None:
        self.assertEqual(self.names("bücher.example")[0], "xn--bcher-kva.example")
        self.assertEqual(self.names("192.0.2.7")[0], ipaddress.ip_address("192.0.2.7"))
        self.assertEqual(self.names("a_b.example")[0], "a_b.example")
        self.assertEqual(self.names("...")[0], "...")

    def test_key_is_private(self) -> None:
        _, key = ensure_self_signed(self.folder, "localhost")
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(sorted(file.name for file in self.folder.iterdir()), ["tls-cert.pem", "tls-key.pem"])

    def test_kept(self) -> None:
        self.assertEqual(self.certificate("localhost"), self.certificate("localhost"))

    def test_renewed_for_another_name(self) -> None:
        first = self.certificate("one.example")
        self.assertNotEqual(self.certificate("two.example"), first)

    def test_renewed_before_it_ends(self) -> None:
        first = self.certificate("localhost")
        self.patch(_self_signed, "RENEWAL", _self_signed.VALIDITY - datetime.timedelta(minutes=1))
        self.assertEqual(self.certificate("localhost"), first)
        self.patch(_self_signed, "RENEWAL", _self_signed.VALIDITY + datetime.timedelta(minutes=1))
        self.assertNotEqual(self.certificate("localhost"), first)

    def test_renewed_when_half_of_it_is_there(self) -> None:
        """As after a crash between the two files."""
        cert, key = ensure_self_signed(self.folder, "localhost")
        old = cert.read_bytes()
        key.unlink()
        ensure_self_signed(self.folder, "localhost")
        self.assertNotEqual(cert.read_bytes(), old)
        server_tls(cert, key)
