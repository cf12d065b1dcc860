"""A server of the DNS on a socket, twisted.names', tells where mail goes: MX, null MX, CNAME, TLSA, TCP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor as installed
from twisted.logger import capturedLogs, formatEvent
from twisted.names import dns
from twisted.trial.unittest import TestCase

from mailproto.client.errors import TLSFailed
from mailproto.errors import MailError
from mailproto.relay import MX
from mailproto.relay._dns import DNSFailure
from mailproto.relay._dns._asking import LONG_ANSWER
from mailproto.relay._dns._messages import Question
from mailproto.relay._hosts import HOSTS_LIMIT
from mailproto.relay.servers import DNSResolver, Exchange, Exchanges, Opener
from mailproto.smtp import SMTPServerFactory
from mailproto.tls import server_tls
from tests.interop.dns_server import TLSA, serve_dns
from tests.smtp.server.dialogue import FakeDelivery
from tests.tls.certificates import Pair, make_certificate, write_pair
from tests.tls.test_dane import record

reactor: Any = installed


class RelayDNSTests(TestCase):
    timeout = 20  # seconds

    def setUp(self) -> None:
        self.own = make_certificate(names=(x509.DNSName("other.example"),))
        self.mail_port = self.mail_server(self.own)
        host = [dns.Record_A("127.0.0.1", ttl=60)]
        tlsa = f"_{self.mail_port}._tcp"
        self.zone: dict[str, list[Any]] = {
            "good.example.org": [dns.Record_MX(20, "b.example.org"), dns.Record_MX(10, "a.example.org")],
            "a.example.org": host,
            "b.example.org": host,
            f"{tlsa}.a.example.org": [TLSA(record(make_certificate(), 3)), TLSA(record(self.own, 3))],
            f"{tlsa}.b.example.org": [TLSA(record(make_certificate(), 3))],
            "null.example.org": [dns.Record_MX(0, ""), *host],
            "alias.example.org": [dns.Record_MX(10, "c.example.org")],
            "c.example.org": [dns.Record_CNAME("a.example.org", ttl=60)],
            "loop.example.org": [dns.Record_MX(10, "loop1.example.org")],
            "loop1.example.org": [dns.Record_CNAME("loop2.example.org", ttl=60)],
            "loop2.example.org": [dns.Record_CNAME("loop1.example.org", ttl=60)],
            "many.example.org": [dns.Record_MX(number, f"{number}.example.org") for number in range(300)],
            "text.example.org": [dns.Record_TXT(*[b"x" * 250] * 40), dns.Record_TXT(b"short")],
        }
        self.zone.update({f"{number}.example.org": host for number in range(300)})
        port, ends = serve_dns(reactor, "example.org", self.zone)
        for end in ends:
            self.addCleanup(end)
        self.resolver = DNSResolver(reactor, [("127.0.0.1", port)], hosts="/dev/null")
        self.exchanges = Exchanges(self.resolver, mx_port=self.mail_port)
        self.opener = Opener(reactor, hostname="relay.example")

    def mail_server(self, pair: Pair) -> int:
        folder = Path(self.mktemp())
        folder.mkdir()
        files = write_pair(folder, "server", pair)
        factory = SMTPServerFactory(
            FakeDelivery(), clock=reactor, hostname="mx.example", tls=server_tls(*files)
        )
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def find(self, name: str) -> list[Exchange]:
        return list(await self.exchanges.find(MX, f"{name}.example.org"))

    async def error(self, name: str) -> str:
        with self.assertRaises(MailError) as raised:
            await self.find(name)
        return f"{raised.exception.code} {raised.exception.enhanced}"

    async def test_hosts_and_their_certificates(self) -> None:
        first, second = await self.find("good")
        self.assertEqual([first.host, second.host], ["a.example.org", "b.example.org"])
        self.assertEqual(first.addresses, ("127.0.0.1",))
        client = await self.opener.open_client(first)
        self.assertTrue(client.is_verified)
        await client.quit()
        with self.assertRaises(TLSFailed) as raised:
            await self.opener.open_client(second)
        self.assertIn("b.example.org[127.0.0.1]", str(raised.exception))

    async def test_an_alias(self) -> None:
        [exchange] = await self.find("alias")
        self.assertEqual(exchange.tls.names, ("a.example.org", "alias.example.org", "c.example.org"))
        client = await self.opener.open_client(exchange)
        await client.quit()

    async def test_what_takes_no_mail(self) -> None:
        self.assertEqual(await self.error("null"), "556 5.1.10")
        self.assertEqual(await self.error("nowhere"), "550 5.1.2")
        self.assertEqual(await self.error("loop"), "451 4.4.3")

    async def test_many_hosts_and_a_long_text(self) -> None:
        """Both come by TCP."""
        found = await self.find("many")
        self.assertEqual(
            [each.host for each in found], [f"{number}.example.org" for number in range(HOSTS_LIMIT)]
        )
        answer = await self.resolver.look_up("text.example.org", "TXT")
        self.assertEqual(answer.records, (b"short",))

    async def test_questions_are_not_in_the_log(self) -> None:
        with capturedLogs() as events:
            await self.find("good")
            await self.find("many")
        texts = [formatEvent(event) or "" for event in events]  # some are of the server's
        about_sockets = ("Datagram", "UDP", "Factory", "Starting", "Stopping")
        self.assertEqual([text for text in texts if any(word in text for word in about_sockets)], [])

    async def test_a_datagram_that_is_too_long(self) -> None:
        """twisted.names sends answers of any length to who takes more than 512 octets: TCP has the whole."""
        heard: list[int] = []
        read = Question.read

        def noted(question: Question, octets: bytes, **more: bool) -> Any:
            heard.append(len(octets))
            return read(question, octets, **more)

        self.patch(Question, "read", noted)
        await self.resolver.look_up("many.example.org", "MX")
        self.assertEqual(heard[0], LONG_ANSWER)
        self.assertGreater(heard[1], LONG_ANSWER)

    async def test_no_server(self) -> None:
        port = reactor.listenUDP(0, dns.DNSDatagramProtocol(None), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        with self.assertRaises(DNSFailure) as raised:
            await DNSResolver(reactor, [("127.0.0.1", number)]).look_up("example.org", "MX")
        self.assertIn("nothing answers there", str(raised.exception))
