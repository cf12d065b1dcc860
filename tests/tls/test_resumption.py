"""Clients resume their sessions with tickets (RFC 8446 2.2, RFC 5077), and not for ever."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.tls import ServerTLS, ensure_self_signed, server_channel
from mailproto.tls._server import TICKET_KEYS
from tests.tls.certificates import make_certificate, write_pair
from tests.tls.handshake import shake_hands
from tests.tls.stdlib_client import StdlibClient
from tests.tls.test_channel import TLSTransport

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class ResumptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.files = ensure_self_signed(self.folder, "mail.test")
        self.authority = make_certificate(name="authority")
        self.client_ca, _ = write_pair(self.folder, "ca", self.authority)
        self.alice = make_certificate("alice@mail.test", issuer=self.authority)
        self.pair = write_pair(self.folder, "alice", self.alice)

    def server(self, **more: Any) -> ServerTLS:
        return ServerTLS(*self.files, clock=self.clock, **more)

    def connect(self, server: ServerTLS, **more: Any) -> StdlibClient:
        client = StdlibClient(**more)
        self.connection = server.serverConnectionForTLS(None)  # type: ignore[arg-type]
        client.shake_hands(self.connection)
        self.assertIsNotNone(client.ssl.version())
        return client

    def test_resumed(self) -> None:
        for version in VERSIONS:
            server = self.server()
            client = self.connect(server, version=version)
            self.assertFalse(client.ssl.session_reused)
            for _ in range(3):
                client = self.connect(server, before=client)
                self.assertTrue(client.ssl.session_reused)
                client.write(b"word")
                self.connection.bio_write(client.to_send())
                self.assertEqual(self.connection.recv(10), b"word")

    def test_client_is_known_as_before(self) -> None:
        for version in VERSIONS:
            server = self.server(client_ca=self.client_ca)
            client = None
            for is_reused in (False, True, True):
                client = self.connect(server, version=version, pair=self.pair, before=client)
                self.assertEqual(client.ssl.session_reused, is_reused)
                channel = server_channel(TLSTransport(self.connection), is_local=False)
                self.assertEqual(channel.certificate, self.alice[1])

    def test_bindings_are_the_connection_s_own(self) -> None:
        server = self.server()
        client = self.connect(server)
        before = server_channel(TLSTransport(self.connection), is_local=False).bindings
        self.assertTrue(self.connect(server, before=client).ssl.session_reused)
        after = server_channel(TLSTransport(self.connection), is_local=False).bindings
        self.assertNotEqual(before["tls-exporter"], after["tls-exporter"])
        self.assertEqual(before["tls-server-end-point"], after["tls-server-end-point"])

    def test_not_with_another_server(self) -> None:
        """One that asks for certificates takes no session of one that does not."""
        for version in VERSIONS:
            client = self.connect(self.server(), version=version)
            client = self.connect(self.server(client_ca=self.client_ca), before=client)
            self.assertFalse(client.ssl.session_reused)

    def test_not_after_files_were_read_again(self) -> None:
        """Nor is anybody's certificate good any longer, if the authority is another one."""
        for version in VERSIONS:
            ca = self.folder / "changing.pem"
            ca.write_bytes(self.client_ca.read_bytes())
            server = self.server(client_ca=ca)
            client = self.connect(server, version=version, pair=self.pair)
            server.reload()
            client = self.connect(server, before=client)
            self.assertFalse(client.ssl.session_reused)
            other = make_certificate(name="other")
            ca.write_bytes(write_pair(self.folder, "other", other)[0].read_bytes())
            server.reload()
            self.assertRaises((SSL.Error, ssl.SSLError), self.connect, server, before=client)

    def test_keys_are_changed(self) -> None:
        """RFC 9325 3.4: a client that asks later begins anew, and is not refused."""
        for version in VERSIONS:
            server = self.server()
            client = self.connect(server, version=version)
            self.clock.advance(TICKET_KEYS - 1)
            self.assertTrue(self.connect(server, before=client).ssl.session_reused)
            self.clock.advance(1)
            later = self.connect(server, before=client)
            self.assertFalse(later.ssl.session_reused)
            self.assertTrue(self.connect(server, before=later).ssl.session_reused)

    def test_no_second_handshake(self) -> None:
        """With OpenSSL as it is, and with one that would allow it."""
        server = self.server()
        connection = server.serverConnectionForTLS(None)  # type: ignore[arg-type]
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client = SSL.Connection(context, None)
        shake_hands(connection, client)
        self.assertTrue(client.renegotiate())
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        connection.bio_write(client.bio_read(1 << 16))
        self.assertRaises(SSL.WantReadError, connection.recv, 1)
        client.bio_write(connection.bio_read(1 << 16))
        error = self.assertRaises(SSL.Error, client.recv, 1)
        self.assertIn("no renegotiation", str(error))
