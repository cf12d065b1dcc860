"""STARTTLS over a socket, with a certificate."""

from __future__ import annotations

import os

from twisted.internet import reactor as installed
from twisted.internet.endpoints import connectProtocol
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import TestCase

from mailproto.smtp import SMTPServerFactory
from mailproto.testing import running_server
from mailproto.tls import ensure_self_signed, server_tls
from tests.asking import AskingClient
from tests.smtp.server.dialogue import FakeDelivery


class StartTLSTests(TestCase):
    async def test_a_message_through_tls(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        delivery = FakeDelivery()
        factory = SMTPServerFactory(
            delivery,
            hostname="mx.example",
            tls=server_tls(*ensure_self_signed(folder, "mx.example")),
        )
        server = await running_server(factory)
        self.addCleanup(server.aclose)
        client = await connectProtocol(server.endpoint(installed), AskingClient())
        offered = await client.ask(b"EHLO client.example\r\n", b"HELP\r\n")
        self.assertIn(b"250-STARTTLS\r\n", offered)
        await client.ask(b"STARTTLS\r\n", b"220 2.0.0 Ready to start TLS\r\n")
        client.transport.startTLS(CertificateOptions())
        offered = await client.ask(b"EHLO client.example\r\n", b"HELP\r\n")
        self.assertNotIn(b"STARTTLS", offered)
        await client.ask(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", b"354 ")
        await client.ask(b"Subject: x\r\n\r\n" + b"x\r\n" * 50_000 + b".\r\n", b"250 2.0.0")
        [(envelope, content)] = delivery.delivered
        assert envelope.session.tls is not None
        self.assertRegex(envelope.session.tls.version, r"\ATLSv1\.[23]\Z")
        self.assertIn(b"with ESMTPS\r\n\t(TLSv1.", content)
        self.assertTrue(content.endswith(b"\r\n\r\n" + b"x\r\n" * 50_000))
