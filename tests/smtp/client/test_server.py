"""Our clients and our servers, over sockets: plain, STARTTLS, implicit TLS, LMTP over a Unix socket."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from zope.interface import alsoProvides

from mailproto.client.errors import ConnectFailed, TLSFailed
from mailproto.content import Content
from mailproto.errors import RecipientUnknown
from mailproto.interfaces import IServiceExtensions
from mailproto.model import ServiceExtensions
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.smtp.lmtp import LMTPClient, LMTPServerFactory
from mailproto.tls import client_tls, ensure_self_signed, server_tls
from tests.smtp.client.dialogue import ALICE, BOB, SENDER
from tests.smtp.server.dialogue import FakeDelivery

reactor: Any = installed


class LoopbackTests(TestCase):
    factory_class: type[SMTPServerFactory] = SMTPServerFactory

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(dir=".")
        self.delivery = FakeDelivery()
        self.delivery.refusals[f"{BOB}"] = RecipientUnknown()
        self.pair = ensure_self_signed(self.folder, "mx.example")
        self.tls = server_tls(*self.pair)

    def factory(self, factory_class: type[SMTPServerFactory] = SMTPServerFactory) -> SMTPServerFactory:
        return factory_class(self.delivery, clock=reactor, hostname="mx.example", tls=self.tls)

    def listen(self, *, implicit_tls: bool = False) -> TCP4ClientEndpoint:
        factory: Any = self.factory()
        if implicit_tls:
            factory = TLSMemoryBIOFactory(self.tls, False, factory)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    async def open(self, endpoint: Any, client_class: type[SMTPClient] = SMTPClient) -> SMTPClient:
        client = await client_class.connect(reactor, endpoint, hostname="client.example")
        self.addCleanup(client.quit)
        await client.ehlo()
        return client

    def trusted(self, hostname: str = "mx.example") -> Any:
        return client_tls(hostname, trust_root=self.pair[0])

    async def assert_sends(self, client: SMTPClient) -> None:
        text = b"Subject: x\n\n.dot\r..dots\r\nend"
        sent = [client.send(SENDER, [ALICE, BOB], text) for _ in range(3)]
        for each in sent:
            outcomes = await each
            self.assertEqual([outcome.code for outcome in outcomes], [250, 550])
        for _, content in self.delivery.delivered:
            self.assertTrue(content.endswith(b"Subject: x\r\n\r\n.dot\r\n..dots\r\nend\r\n"), content)
        self.assertEqual(len(self.delivery.delivered), 3)

    async def test_plain(self) -> None:
        client = await self.open(self.listen())
        self.assertTrue(client.protocol.is_local)
        await self.assert_sends(client)

    async def test_starttls(self) -> None:
        client = await self.open(self.listen())
        self.assertFalse(client.is_verified)
        await client.starttls(self.trusted())
        self.assertTrue(client.is_verified)
        await self.assert_sends(client)
        info = client.tls_info()
        self.assertIsNotNone(self.delivery.delivered[0][0].session.tls)
        self.assertEqual(self.delivery.delivered[0][0].session.tls, info)

    async def test_implicit_tls(self) -> None:
        client = await self.open(wrapClientTLS(self.trusted(), self.listen(implicit_tls=True)))
        await self.assert_sends(client)
        self.assertTrue(client.is_encrypted)
        self.assertTrue(client.is_verified)

    async def test_wrong_name(self) -> None:
        client = await self.open(self.listen())
        with self.assertRaises(TLSFailed) as caught:
            await client.starttls(self.trusted("other.example"))
        self.assertIn("other.example", str(caught.exception))
        with self.assertRaises(TLSFailed):
            await self.open(wrapClientTLS(self.trusted("other.example"), self.listen(implicit_tls=True)))

    async def test_nobody_known_signed_it(self) -> None:
        client = await self.open(self.listen())
        with self.assertRaises(TLSFailed):
            await client.starttls(client_tls("mx.example"))

    async def test_any_certificate(self) -> None:
        client = await self.open(self.listen())
        await client.starttls(client_tls("other.example", verify=False))
        self.assertFalse(client.is_verified)
        await self.assert_sends(client)

    async def test_require_tls(self) -> None:
        """RFC 8689 4.2.1: only to a server that has shown who it is."""
        self.delivery.service_extensions = ServiceExtensions(require_tls=True)  # type: ignore[attr-defined]
        alsoProvides(self.delivery, IServiceExtensions)
        for tls, code in ((self.trusted(), 250), (client_tls("mx.example", verify=False), 550)):
            client = await self.open(self.listen())
            await client.starttls(tls)
            [outcome] = await client.send(SENDER, [ALICE], b"", {"REQUIRETLS": None})
            self.assertEqual(outcome.code, code, outcome)
        self.assertEqual(len(self.delivery.delivered), 1)

    async def test_lmtp_over_a_unix_socket(self) -> None:
        path = os.path.join(self.folder, "lmtp")
        port = reactor.listenUNIX(path, self.factory(LMTPServerFactory))
        self.addCleanup(port.stopListening)
        client = await self.open(UNIXClientEndpoint(reactor, path), LMTPClient)
        await self.assert_sends(client)

    async def test_a_large_file(self) -> None:
        """Larger than any buffer between the two; every octet arrives."""
        line = b".0123456789" * 7 + b"\r\n"
        path = os.path.join(self.folder, "large")
        with open(path, "wb") as file:
            file.write(b"Subject: large\r\n\r\n" + line * 150_000)
        client = await self.open(self.listen())
        content = Content.of_file(path, os.path.getsize(path))
        [outcome] = await client.send(SENDER, [ALICE], content)
        self.assertTrue(outcome.accepted, outcome)
        [(_, received)] = self.delivery.delivered
        self.assertTrue(received.endswith(bytes(content)))

    async def test_nobody_listens(self) -> None:
        endpoint = UNIXClientEndpoint(reactor, os.path.join(self.folder, "nothing"))
        with self.assertRaises(ConnectFailed):
            await self.open(endpoint)
