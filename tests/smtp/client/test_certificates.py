"""To a server whose certificate is not good, over a socket, nothing is sent that matters."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.auth import Password
from mailproto.client import ServerAddress
from mailproto.client.errors import TLSFailed
from mailproto.smtp import SMTPClient, SMTPSender, send_mail
from mailproto.tls import ServerTLS, client_tls, server_tls
from tests.smtp.client.servers import ServerTestCase, message, reactor
from tests.tls.certificates import general_names, make_certificate, write_pair

PASSWORD = "correct horse battery staple"
PLAIN = base64.b64encode(b"\0alice\0" + PASSWORD.encode())

NAMES = {
    "none": [],
    "another": [x509.DNSName("evil.example")],
    "another and a URN": [x509.DNSName("evil.example"), x509.UniformResourceIdentifier("urn:uuid:1234")],
    "wildcards": [x509.DNSName(name) for name in ("*.lan", "*", "*.*.test", "ma*.test", "*.test")],
    "NUL": general_names((0x82, b"mail.test\0.evil.example")),
    "mail address": [x509.RFC822Name("postmaster@mail.test")],
}


class Thief(Protocol):
    """Takes whatever is said."""

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.test\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard.append(data)
        for line in data.splitlines():
            if line.startswith(b"EHLO"):
                self.transport.write(b"250-mail.test\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n")
                self.transport.write(b"250-REQUIRETLS\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif line == b"STARTTLS":
                self.transport.write(b"220 Go\r\n")
                self.transport.startTLS(self.factory.tls)
            elif line.startswith(b"AUTH"):
                self.transport.write(b"235 Thanks\r\n")
            elif line == b"DATA":
                self.transport.write(b"354 Go\r\n")
            elif line.startswith((b"MAIL", b"RCPT", b".", b"RSET", b"QUIT")):
                self.transport.write(b"250 OK\r\n")


class CertificateTests(ServerTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = make_certificate(name="authority")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.trust_root, _ = write_pair(self.folder, "authority", self.authority)

    def steal(self, names: Any, name: str = "mail.test", *, implicit: bool) -> TCP4ClientEndpoint:
        """Where the thief is, who has got a certificate for ``names`` from the authority."""
        pair = make_certificate(issuer=self.authority, name=name, names=names)
        tls: ServerTLS = server_tls(*write_pair(self.folder, "thief", pair))
        self.thief: Any = Factory.forProtocol(Thief)
        self.thief.heard, self.thief.tls = [], tls  # type: ignore[attr-defined]
        served = TLSMemoryBIOFactory(tls, False, self.thief) if implicit else self.thief
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self.listen(served))

    def server(self, names: Any, tls: Any, host: str = "mail.test", **more: Any) -> ServerAddress:
        return ServerAddress(
            host,
            tls=tls,
            endpoint=self.steal(names, implicit=tls == "implicit"),
            trust_root=self.trust_root,
            credentials=Password("alice", PASSWORD),
            **more,
        )

    def assert_nothing_stolen(self, tls: str) -> None:
        heard = [] if tls == "implicit" else [b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n"]
        self.assertEqual(self.thief.heard, heard)

    async def test_no_password_and_no_message(self) -> None:
        for tls in ("required", "implicit"):
            for what, names in NAMES.items():
                with self.subTest(what, tls=tls), self.assertRaises(TLSFailed) as caught:
                    await send_mail(reactor, self.server(names, tls), message())
                self.assertIn("The certificate is not good for mail.test: it is for ", str(caught.exception))
                self.assertTrue(str(caught.exception).isprintable())
                self.assert_nothing_stolen(tls)

    async def test_address(self) -> None:
        """A name that looks like an address is for no server."""
        for tls in ("required", "implicit"):
            with self.assertRaises(TLSFailed) as caught:
                await send_mail(
                    reactor, self.server([x509.DNSName("127.0.0.1")], tls, "127.0.0.1"), message()
                )
            self.assertIn("not good for 127.0.0.1: it is for 127.0.0.1", str(caught.exception))
            self.assert_nothing_stolen(tls)

    async def test_sender(self) -> None:
        for tls in ("required", "implicit"):
            sender = SMTPSender(reactor, self.server(NAMES["another"], tls))
            with self.assertRaises(TLSFailed):
                await sender.send("a@client.test", ["b@mail.test"], b"")
            await sender.close()
            self.assert_nothing_stolen(tls)

    async def test_good(self) -> None:
        """Otherwise the tests above would prove nothing."""
        for tls in ("required", "implicit"):
            await send_mail(reactor, self.server([x509.DNSName("mail.test")], tls), message())
            self.assertIn(b"AUTH PLAIN " + PLAIN, b"".join(self.thief.heard))

    async def test_opportunistic(self) -> None:
        """The message goes to any server that answers, the password does not."""
        with self.assertRaises(Exception) as caught:
            await send_mail(reactor, self.server(NAMES["another"], "opportunistic"), message())
        self.assertIn("The secret would be sent", str(caught.exception))
        self.assertNotIn(PLAIN, b"".join(self.thief.heard))

    async def test_require_tls(self) -> None:
        """RFC 8689 4.2.1: whatever the client goes on with, it is not to a server without a name."""
        for implicit in (False, True):
            for names, is_sent in ((NAMES["another and a URN"], False), ([x509.DNSName("mail.test")], True)):
                tls = client_tls("mail.test", trust_root=self.trust_root)
                endpoint: Any = self.steal(names, implicit=implicit)
                try:
                    client = await SMTPClient.connect(
                        reactor, wrapClientTLS(tls, endpoint) if implicit else endpoint
                    )
                    await client.ehlo()
                    if not implicit:
                        await client.starttls(tls)
                    [outcome] = await client.send("a@client.test", ["b@mail.test"], b"", {"REQUIRETLS": None})
                    await client.quit()
                except TLSFailed:
                    self.assertFalse(is_sent)
                    self.assert_nothing_stolen("implicit" if implicit else "required")
                else:
                    self.assertTrue(is_sent)
                    self.assertEqual(outcome.code, 250)
                    self.assertIn(b"REQUIRETLS", b"".join(self.thief.heard))
