"""``--client-ca``: an account's holder shows a certificate (EXTERNAL), on real sockets."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.ssl import PrivateCertificate
from twisted.trial.unittest import TestCase

from mailproto.auth.sasl import DEFAULT_MECHANISMS, server_mechanisms
from mailproto.service import AccountSettings, AuthSettings, MailService, Settings, TLSSettings
from mailproto.tls import client_tls
from tests.asking import AskingClient
from tests.service.test_mail_service import ANY, Told
from tests.tls.certificates import Pair, make_certificate, write_pair


class ClientCertificateTests(TestCase):
    async def start(self, mechanisms: Any = DEFAULT_MECHANISMS) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.authority = make_certificate(name="authority")
        self.folder = folder
        told = Told()
        service = MailService(
            Settings(
                data=folder / "data",
                store="memory:",
                accounts=[AccountSettings(name="alice@localhost", password="secret")],
                hostname="mail.example.org",
                listen={name: [ANY] for name in ("imaps", "submissions", "smtp")},
                max_message_size=1000,
                auth=AuthSettings(mechanisms=mechanisms),
                tls=TLSSettings(client_ca=write_pair(folder, "ca", self.authority)[0]),
            ),
            installed,
            reporter=told,
        )
        service.startService()
        self.addCleanup(service.stopService)
        await service.ready
        self.assertEqual(told.failures, [])
        self.ports = {line.split()[0]: int(line.rpartition(":")[2]) for line in told.lines[:3]}

    def tls(self, pair: Pair | None) -> Any:
        """For a client that shows that certificate."""
        certificate = None
        if pair is not None:
            files = write_pair(self.folder, "client", pair)
            certificate = PrivateCertificate.loadPEM(b"".join(file.read_bytes() for file in files))
        return client_tls("localhost", verify=False, client_certificate=certificate)

    async def connect(self, name: str, pair: Pair | None = None) -> AskingClient:
        reactor: Any = installed
        endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports[name])
        if name != "smtp":
            endpoint = wrapClientTLS(self.tls(pair), endpoint)
        client: AskingClient = await connectProtocol(endpoint, AskingClient())
        self.addCleanup(client.transport.abortConnection)  # type: ignore[attr-defined]
        return client

    async def test_imap(self) -> None:
        await self.start()
        client = await self.connect("imaps", make_certificate("Alice@localhost", issuer=self.authority))
        greeting = await client.ask(b"", b"ready\r\n")
        self.assertIn(b" AUTH=EXTERNAL AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 ", greeting)
        self.assertIn(b"a OK [", await client.ask(b"a AUTHENTICATE EXTERNAL =\r\n", b"\r\n"))

    async def test_submission(self) -> None:
        await self.start()
        client = await self.connect("submissions", make_certificate("alice@localhost", issuer=self.authority))
        await client.ask(b"EHLO a\r\n", b"250 HELP\r\n")
        self.assertIn(b"235 2.7.0", await client.ask(b"AUTH EXTERNAL =\r\n", b"\r\n"))

    async def test_nobody_needs_one(self) -> None:
        await self.start()
        client = await self.connect("imaps")
        self.assertNotIn(b"EXTERNAL", await client.ask(b"", b"ready\r\n"))
        self.assertIn(b"a OK [", await client.ask(b"a LOGIN alice@localhost secret\r\n", b"\r\n"))

    async def test_nobodys_address(self) -> None:
        await self.start()
        client = await self.connect("submissions", make_certificate("bob@localhost", issuer=self.authority))
        await client.ask(b"EHLO a\r\n", b"250 HELP\r\n")
        self.assertIn(b"535 5.7.8", await client.ask(b"AUTH EXTERNAL =\r\n", b"\r\n"))

    async def test_other_servers_certificates_are_not_looked_at(self) -> None:
        """They show port 25 whatever they have; STARTTLS must not fail for that."""
        await self.start()
        client = await self.connect("smtp")
        await client.ask(b"EHLO a\r\nSTARTTLS\r\n", b"220 2.0.0")
        client.transport.startTLS(self.tls(make_certificate("mx@elsewhere.example")))  # type: ignore[attr-defined]
        offered = await client.ask(b"EHLO a\r\n", b"250 HELP\r\n")
        self.assertIn(b"AUTH SCRAM-SHA-256 ", offered)

    async def test_mechanisms_that_were_chosen(self) -> None:
        await self.start(server_mechanisms(["EXTERNAL", "SCRAM-SHA-256-PLUS"]))
        client = await self.connect("imaps", make_certificate("alice@localhost", issuer=self.authority))
        greeting = await client.ask(b"", b"ready\r\n")
        self.assertIn(b" AUTH=EXTERNAL AUTH=SCRAM-SHA-256-PLUS LOGINDISABLED]", greeting)
        client = await self.connect("submissions")
        offered = await client.ask(b"EHLO a\r\n", b"250 HELP\r\n")
        self.assertIn(b"AUTH SCRAM-SHA-256-PLUS\r\n", offered)
