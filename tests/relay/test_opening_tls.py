"""Clients are opened over TLS: with certificates that are good, wrong, or pinned by DANE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor as installed
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mailproto.client.errors import TLSFailed
from mailproto.errors import MailError
from mailproto.interfaces import IServiceExtensions
from mailproto.model import ServiceExtensions
from mailproto.relay import _opening
from mailproto.relay._exchange import TLSDemand
from mailproto.relay._opening import PLAIN_FOR, REMEMBERED_LIMIT
from mailproto.relay.servers import Exchange, Opener
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.tls import server_tls
from tests.smtp.client.servers import Scripted
from tests.smtp.server.dialogue import FakeDelivery
from tests.tls.certificates import make_certificate, write_pair
from tests.tls.test_dane import record

reactor: Any = installed
HOST = "mx.example"
TLS = b"250-mx.example\r\n250 STARTTLS\r\n"


@implementer(IServiceExtensions)
class Extended(FakeDelivery):
    service_extensions = ServiceExtensions(require_tls=True)


class Case(TestCase):
    timeout = 20  # seconds

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.authority = make_certificate(name="authority")
        self.trust_root, _ = write_pair(folder, "authority", self.authority)
        self.own = make_certificate(issuer=self.authority, names=(x509.DNSName(HOST),))
        self.files = write_pair(folder, "server", self.own)
        self.opener = Opener(reactor, hostname="relay.example", trust_root=self.trust_root)

    async def tearDown(self) -> None:  # type: ignore[override]
        """What is given up is closed: both ends are waited for."""
        for _ in range(200):
            if not any(isinstance(each, Connection) for each in reactor.getReaders()):
                return
            await deferLater(reactor, 0.01)
        self.fail("a connection is open")

    def listen(self, factory: Any) -> int:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def serve(self, *, is_implicit: bool = False, require_tls: bool = False) -> int:
        delivery = Extended() if require_tls else FakeDelivery()
        tls = server_tls(*self.files)
        made: Any = SMTPServerFactory(
            delivery, clock=reactor, hostname=HOST, tls=None if is_implicit else tls
        )
        return self.listen(TLSMemoryBIOFactory(tls, False, made) if is_implicit else made)

    def broken(self, starttls: bytes | None = b"220 Go\r\n") -> int:
        """A server whose handshake fails: it goes on in plaintext."""
        peer: Any = Factory.forProtocol(Scripted)
        answers = {b"EHLO": TLS, b"STAR": starttls, b"QUIT": b"221 Bye\r\n"}
        peer.answers = lambda verb: answers.get(verb, b"500 What?\r\n")
        peer.greeting, peer.heard = b"220 mx.example\r\n", []
        peer.connections = peer.lost = 0
        self.peer = peer
        return self.listen(self.peer)

    async def open(self, port: int, level: str, host: str = HOST, **parts: Any) -> SMTPClient:
        demand = TLSDemand(**{"level": level, "names": (host,), **parts})  # type: ignore[arg-type]
        exchange = Exchange(host, ("127.0.0.1",), port, tls=demand)
        client = await self.opener.open_client(exchange)
        self.addCleanup(client.closed)
        self.addCleanup(client.abort)
        return client

    async def error(self, port: int, level: str, **parts: Any) -> MailError:
        with self.assertRaises(MailError) as raised:
            await self.open(port, level, **parts)
        return raised.exception


class LevelTests(Case):
    async def test_opportunistic_and_required_take_any_certificate(self) -> None:
        port = self.serve()
        for level in ("opportunistic", "required"):
            client = await self.open(port, level, host="other.example")
            self.assertEqual((client.is_encrypted, client.is_verified), (True, False))

    async def test_verified(self) -> None:
        client = await self.open(self.serve(), "verified")
        self.assertTrue(client.is_verified)

    async def test_verified_with_a_wrong_name(self) -> None:
        error = await self.error(self.serve(), "verified", host="other.example")
        self.assertIs(type(error), TLSFailed)
        self.assertEqual((error.code, error.enhanced), (451, "4.7.5"))
        self.assertIn("other.example[127.0.0.1]: ", str(error))
        self.assertIn("it is for mx.example", str(error))

    async def test_implicit(self) -> None:
        port = self.serve(is_implicit=True)
        client = await self.open(port, "verified", is_implicit=True)
        self.assertTrue(client.is_verified)
        error = await self.error(port, "verified", host="other.example", is_implicit=True)
        self.assertIs(type(error), TLSFailed)

    async def test_dane(self) -> None:
        port = self.serve()
        good, bad = record(self.own, 3), record(self.authority, 3)
        client = await self.open(port, "dane", host="other.example", records=(bad, good))
        self.assertTrue(client.is_verified)
        error = await self.error(port, "dane", records=(bad,))
        self.assertIs(type(error), TLSFailed)

    async def test_a_name_that_can_be_in_no_certificate(self) -> None:
        error = await self.error(self.serve(), "verified", host="my_host")
        self.assertIs(type(error), TLSFailed)


class RequireTLSTests(Case):
    async def test_offered_in_tls(self) -> None:
        port = self.serve(require_tls=True)
        client = await self.open(port, "verified", needs_requiretls=True)
        self.assertIn("REQUIRETLS", client.capabilities)

    async def test_not_offered(self) -> None:
        error = await self.error(self.serve(), "verified", needs_requiretls=True)
        self.assertEqual((error.code, error.enhanced), (550, "5.7.30"))


class FallBackTests(Case):
    async def test_opportunistic_tls_that_fails_is_left_out_for_a_while(self) -> None:
        port = self.broken()
        client = await self.open(port, "opportunistic")
        self.assertFalse(client.is_encrypted)
        self.assertEqual(self.peer.connections, 2)
        self.assertEqual(self.peer.heard[-1], b"EHLO")
        await self.open(port, "opportunistic")
        self.assertEqual(self.peer.connections, 3)  # not tried again
        self.opener._plain = {place: until - PLAIN_FOR for place, until in self.opener._plain.items()}  # type: ignore[assignment]
        await self.open(port, "opportunistic")
        self.assertEqual(self.peer.connections, 5)

    async def test_that_has_a_limit(self) -> None:
        self.assertLessEqual(REMEMBERED_LIMIT, 10_000)
        self.patch(_opening, "REMEMBERED_LIMIT", 2)
        first, second, third = self.broken(), self.broken(), self.broken()
        for port in (first, second, third):
            await self.open(port, "opportunistic")
        self.assertEqual([port for _, port in self.opener._plain], [second, third])

    async def test_a_server_that_closes_instead_of_answering_starttls(self) -> None:
        client = await self.open(self.broken(starttls=None), "opportunistic")
        self.assertFalse(client.is_encrypted)
        self.assertEqual(self.peer.connections, 2)

    async def test_what_is_demanded_is_not_left_out(self) -> None:
        port = self.broken()
        await self.open(port, "opportunistic")
        for level in ("required", "verified", "dane"):
            error = await self.error(port, level, records=(record(self.own, 3),))
            self.assertIs(type(error), TLSFailed)

    async def test_a_demand_that_is_only_tested(self) -> None:
        """MTA-STS in the mode ``testing``: what would fail goes as if there were no policy."""
        client = await self.open(self.serve(), "verified", host="other.example", is_tried_only=True)
        self.assertEqual((client.is_encrypted, client.is_verified), (True, False))
        client = await self.open(self.serve(), "verified", is_tried_only=True)
        self.assertTrue(client.is_verified)
        client = await self.open(self.broken(), "verified", is_tried_only=True)
        self.assertFalse(client.is_encrypted)
