"""What a client does with a server's certificate, through real handshakes in memory.

These run with the oldest and with the newest releases that ``setup.cfg`` allows (`.ci/run`).
"""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from OpenSSL.crypto import PKey
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair, PrivateCertificate
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from mailproto.tls import _client as _tls_client
from mailproto.tls import client_channel, client_tls, server_channel
from mailproto.tls._server_identity import ServerIdentity
from tests.tls.certificates import Pair, make_certificate, of_version, to_be_shown, write_pair
from tests.tls.ends import SECRET, HandshakeTestCase

dns = x509.DNSName


class ChainTests(HandshakeTestCase):
    """A certificate that is for the server, by name, and no good all the same."""

    names = [dns("mail.test")]

    def look(self, pair: Pair, *chain: Pair) -> None:
        for version in (SSL.TLS1_2_VERSION, None):
            tls = client_tls("mail.test", trust_root=self.trust_root)
            self.talk(tls, self.server(pair, *chain, version=version))

    def test_good(self) -> None:
        self.look(make_certificate(issuer=self.authority, names=self.names))
        self.assert_taken()
        between = make_certificate(issuer=self.authority, name="between", is_authority=True)
        leaf = make_certificate(issuer=between, names=self.names)
        self.look(leaf, between)
        self.assert_taken()
        self.look(leaf)
        self.assert_refused("not good for mail.test: its authority, or one in between, is not known")

    def test_not_good(self) -> None:
        stranger = make_certificate(name="stranger")
        impostor = make_certificate(name="authority")
        old = make_certificate(issuer=self.authority, name="old", days=(-3, -2), is_authority=True)
        no_authority = make_certificate(issuer=self.authority, name="leaf", names=self.names)

        def leaf(issuer: Pair | None = self.authority, **more: Any) -> Pair:
            return make_certificate(issuer=issuer, names=self.names, **more)

        for what, reason, pair, chain in (
            ("expired", "has expired", leaf(days=(-3, -2)), []),
            ("not yet", "is not valid yet", leaf(days=(2, 3)), []),
            ("for clients", "is not for servers", leaf(usage=[ExtendedKeyUsageOID.CLIENT_AUTH]), []),
            ("for mail", "is not for servers", leaf(usage=[ExtendedKeyUsageOID.EMAIL_PROTECTION]), []),
            ("stranger's", "is not known", leaf(stranger), []),
            ("stranger's, with him", "is none of those that are trusted", leaf(stranger), [stranger]),
            ("impostor's", "", leaf(impostor), []),
            ("self-signed", "signed by itself", leaf(None, is_authority=False), []),
            ("of one that has expired", "has expired", leaf(old), [old]),
            ("of one that is no authority", "no authority", leaf(no_authority), [no_authority]),
        ):
            with self.subTest(what):
                self.look(pair, *chain)
                self.assert_refused("not good for mail.test: ", reason)

    def test_self_signed_and_trusted(self) -> None:
        for names, is_good in ((self.names, True), ([dns("evil.example")], False), ([], False)):
            pair = make_certificate(names=names, is_authority=False)
            self.trust_root, _ = write_pair(self.folder, "trusted", pair)
            self.look(pair)
            (self.assert_taken if is_good else self.assert_refused)()

    def test_for_servers_too(self) -> None:
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        self.look(make_certificate(issuer=self.authority, names=self.names, usage=usage))
        self.assert_taken()


class FailClosedTests(HandshakeTestCase):
    """Whatever goes wrong with the comparison, it is no match."""

    def setUp(self) -> None:
        super().setUp()
        self.good = make_certificate(issuer=self.authority, names=[dns("mail.test")])

    def talk_to_it(self, **more: Any) -> None:
        self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(self.good, **more))

    def test_an_error_in_the_comparison(self) -> None:
        for error in (ValueError("x"), KeyError("x"), RecursionError(), AssertionError(), SSL.Error([])):

            def broken(*_: Any, error: Exception = error) -> str:
                raise error

            self.patch(ServerIdentity, "mismatch", broken)
            for version in (SSL.TLS1_2_VERSION, None):
                self.talk_to_it(version=version)
                self.assert_refused()

    def test_openssl_that_asks_nobody(self) -> None:
        """Such as when a context has lost its callback, or a session is resumed."""
        for mode in (SSL.VERIFY_NONE, SSL.VERIFY_PEER):
            tls: Any = client_tls("mail.test", trust_root=self.trust_root)
            tls._context.set_verify(mode)
            self.talk(tls, self.server(self.good))
            self.assert_refused("it was not looked at")

    def test_certificate_of_ours_is_not_shown_to_a_stranger(self) -> None:
        shown = make_certificate("alice@mail.test", issuer=self.authority)
        for names, seen in (([dns("mail.test")], shown[1]), ([dns("evil.example")], None)):
            for version in (SSL.TLS1_2_VERSION, None):
                pair = make_certificate(issuer=self.authority, names=names)
                server = self.server(pair, version=version, client_ca=self.trust_root)
                certificate = to_be_shown(shown)
                tls = client_tls("mail.test", trust_root=self.trust_root, client_certificate=certificate)
                self.talk(tls, server)
                certificate = self.handle.get_peer_certificate()
                self.assertEqual(certificate and certificate.to_cryptography(), seen)

    def test_nothing_passes_whoever_asks(self) -> None:
        """Not even when what lies above takes the handshake for done."""
        for names, is_good in (([dns("mail.test")], True), ([dns("evil.example")], False)):
            for version in (SSL.TLS1_2_VERSION, None):
                pair = make_certificate(issuer=self.authority, names=names)
                server = self.server(pair, version=version).serverConnectionForTLS(None)  # type: ignore[arg-type]
                client = client_tls("mail.test", trust_root=self.trust_root).clientConnectionForTLS(None)
                ways = (
                    *((way, b"x") for way in (client.send, client.sendall, client.write)),
                    *((way, 1) for way in (client.recv, client.read)),
                    (client.recv_into, bytearray(1)),
                )
                client.set_connect_state()
                server.set_accept_state()
                for way, argument in ways:
                    self.assertRaises(SSL.WantReadError, way, argument)
                for _ in range(4):
                    # The handshake, by whatever octets come and whoever asks for it.
                    for one, other in ((client, server), (server, client)):
                        with contextlib.suppress(SSL.Error):
                            one.recv(1)
                        with contextlib.suppress(SSL.WantReadError):
                            other.bio_write(one.bio_read(1 << 16))
                self.assertEqual(client.is_verified, is_good)
                if not is_good:
                    for way, argument in ways:
                        error = self.assertRaises(SSL.Error, way, argument)
                        self.assertIn("evil.example", str(error))
                    self.assertRaises(SSL.WantReadError, client.bio_read, 1 << 16)

    def test_no_second_handshake(self) -> None:
        """It might be with another certificate."""
        cert_file, key_file = write_pair(self.folder, "server", self.good)
        willing = SSL.Context(SSL.TLS_SERVER_METHOD)
        willing.use_certificate_file(str(cert_file))
        willing.use_privatekey_file(str(key_file))
        willing.set_max_proto_version(SSL.TLS1_2_VERSION)
        creator = SimpleNamespace(serverConnectionForTLS=lambda _: SSL.Connection(willing, None))
        directlyProvides(creator, IOpenSSLServerConnectionCreator)
        self.talk(client_tls("mail.test", trust_root=self.trust_root), creator)
        self.assert_taken()
        client, server = self.client.transport.getHandle(), self.accepted.transport.getHandle()  # type: ignore[attr-defined]
        self.assertTrue(server.renegotiate())
        with contextlib.suppress(SSL.Error):
            server.do_handshake()
        client.bio_write(server.bio_read(1 << 16))
        self.assertRaises(SSL.WantReadError, client.recv, 1)
        server.bio_write(client.bio_read(1 << 16))
        error = self.assertRaises(SSL.Error, server.recv, 1)
        self.assertIn("no renegotiation", str(error))


class TrustTests(HandshakeTestCase):
    """Which authorities are trusted: the platform's, or those of a file instead."""

    def setUp(self) -> None:
        super().setUp()
        self.platform = make_certificate(name="an authority of the platform")
        file, _ = write_pair(self.folder, "platform", self.platform)
        for name, value in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", self.folder)):
            before = os.environ.get(name)
            os.environ[name] = str(value)
            if before is None:
                self.addCleanup(os.environ.pop, name)
            else:
                self.addCleanup(os.environ.__setitem__, name, before)
        _tls_client._platform_context_of.cache_clear()
        self.addCleanup(_tls_client._platform_context_of.cache_clear)

    def test_platform(self) -> None:
        for issuer, names, is_good in (
            (self.platform, [dns("mail.test")], True),
            (self.platform, [dns("evil.example")], False),
            (self.authority, [dns("mail.test")], False),
        ):
            for _ in range(2):
                pair = make_certificate(issuer=issuer, names=names)
                self.talk(client_tls("mail.test"), self.server(pair))
                (self.assert_taken if is_good else self.assert_refused)()

    def test_instead_of_the_platform(self) -> None:
        for issuer, is_good in ((self.platform, False), (self.authority, True)):
            pair = make_certificate(issuer=issuer, names=[dns("mail.test")])
            self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(pair))
            (self.assert_taken if is_good else self.assert_refused)()

    def test_platform_is_read_again(self) -> None:
        contexts = {_tls_client._platform_context_of(hour) for hour in (1, 1, 2)}
        self.assertEqual(len(contexts), 2)

    def test_interface(self) -> None:
        """Twisted would go on with something else than what does not provide it."""
        for verify in (True, False):
            verifyObject(IOpenSSLClientConnectionCreator, client_tls("mail.test", verify=verify))


class OddCertificateTests(HandshakeTestCase):
    def test_one_that_cryptography_does_not_take(self) -> None:
        """It is as good as its names are, and nothing can be bound to it."""
        for names, is_good in (([dns("mail.test")], True), ([dns("evil.example")], False)):
            pair = make_certificate(issuer=self.authority, names=names)
            certificate = of_version(7, pair, self.authority)
            self.assertRaises(x509.InvalidVersion, certificate.to_cryptography)
            key = PKey.from_cryptography_key(pair[0])
            server = CertificateOptions(privateKey=key, certificate=certificate)
            self.talk(client_tls("mail.test", trust_root=self.trust_root), server)
            if not is_good:
                self.assert_refused("it is for evil.example")
                continue
            self.assert_taken()
            channel = client_channel(self.client.transport, is_local=False)
            self.assertEqual((channel.is_secure, list(channel.bindings)), (True, ["tls-exporter"]))
            self.assertIsNone(channel.certificate)

    def test_server_asked_for_one(self) -> None:
        """No account signs in by it."""
        pair = make_certificate("alice@mail.test", issuer=self.authority)
        odd = of_version(7, pair, self.authority)
        shown = PrivateCertificate.fromCertificateAndKeyPair(
            Certificate(odd), KeyPair(PKey.from_cryptography_key(pair[0]))
        )
        server = self.server(make_certificate(names=[dns("mail.test")]), client_ca=self.trust_root)
        self.talk(client_tls("mail.test", verify=False, client_certificate=shown), server)
        self.assertEqual(self.accepted.heard, SECRET * 2)
        self.assertIsNotNone(self.handle.get_peer_certificate())
        self.assertIsNone(server_channel(self.accepted.transport, is_local=False).certificate)


class UnverifiedTests(HandshakeTestCase):
    def test_plaintext(self) -> None:
        """As from a server whose port is another one's."""
        for verify in (True, False):
            client = client_tls("mail.test", verify=verify).clientConnectionForTLS(None)
            client.set_connect_state()
            self.assertRaises(SSL.WantReadError, client.do_handshake)
            client.bio_write(b"220 mail.test ESMTP\r\n")
            error = self.assertRaises(SSL.Error, client.do_handshake)
            self.assertEqual(str(error), "no TLS is spoken there (wrong version number)")

    def test_any_certificate_and_never_verified(self) -> None:
        for host in ("mail.test", "127.0.0.1", "", "a b", "127.1", "my_host", "x" * 300):
            pair = make_certificate(names=[dns("evil.example")], days=(-3, -2))
            self.talk(client_tls(host, verify=False), self.server(pair))
            self.assertEqual((self.client.lost, self.accepted.heard), ("", SECRET * 2))
            self.assertFalse(self.is_verified)
