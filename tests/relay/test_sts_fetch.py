"""Policies of MTA-STS are fetched by HTTPS, from hosts that do what they should not."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet import reactor as installed
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from mailproto.relay._tls import _https
from mailproto.relay._tls._https import BODY_LIMIT, HEADER_LIMIT, REQUEST_SECONDS, HTTPSClient, HTTPSFailed
from mailproto.relay._tls._sts_fetch import FetchFailed, PolicyHost
from mailproto.tls import server_tls
from tests.relay.fake_resolver import FakeResolver
from tests.relay.test_sts import policy_text
from tests.tls.certificates import make_certificate, write_pair

reactor: Any = installed
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def whole(content: bytes, head: bytes = HEAD) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(content), content)


class Web(Protocol):
    """Answers a request as the test says, and closes; a function of the transport streams."""

    factory: Any

    def connectionMade(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        head, end, content = self.heard.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not end or len(content) < (int(length[1]) if length else 0):
            return
        self.factory.requests.append(self.heard)
        says = self.factory.says
        if callable(says):
            says(self.transport)
        elif says is not None:
            self.transport.write(says)
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.lost += 1


class Stream:
    """Writes without end, as fast as the other side reads (`IPullProducer`)."""

    def __init__(self, transport: Any, first: bytes, more: bytes) -> None:
        self.transport, self.more, self.sent = transport, more, 0
        transport.write(first)
        transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.sent += len(self.more)
        self.transport.write(self.more)

    def stopProducing(self) -> None:
        pass


class FetchTests(TestCase):
    timeout = 20  # seconds

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = make_certificate(name="authority")
        self.trust_root, _ = write_pair(folder, "authority", authority)
        pair = make_certificate(issuer=authority, names=(x509.DNSName("mta-sts.example.org"),))
        files = write_pair(folder, "server", pair)
        web: Any = Factory.forProtocol(Web)
        web.requests, web.says, web.lost = [], whole(policy_text()), 0
        self.web = web
        port = reactor.listenTCP(
            0, TLSMemoryBIOFactory(server_tls(*files), False, self.web), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.dns = FakeResolver()
        self.dns.say("mta-sts.example.org", A=["127.0.0.1"])
        self.host = PolicyHost(HTTPSClient(reactor, self.dns, self.trust_root), port=self.port)

    async def error(self, says: Any = None, domain: str = "example.org") -> FetchFailed:
        self.web.says = self.web.says if says is None else says
        with self.assertRaises(FetchFailed) as raised:
            await self.host.fetch(domain)
        return raised.exception

    async def test_fetched(self) -> None:
        for says in (
            whole(policy_text()),
            whole(policy_text(), HEAD.replace(b"plain", b"plain; charset=utf-8")),
            HEAD + b"\r\n" + policy_text(),  # until the connection ends
            HEAD
            + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(policy_text()), policy_text()),
        ):
            self.web.says = says
            octets, policy = await self.host.fetch("example.org")
            self.assertEqual((octets, policy.patterns), (policy_text(), ("mx.example",)))
        request = self.web.requests[0]
        self.assertEqual(request.split(b"\r\n")[0], b"GET /.well-known/mta-sts.txt HTTP/1.1")
        self.assertIn(b"Host: mta-sts.example.org:%d\r\n" % self.port, request)
        self.assertNotIn(b"ccept-", request)

    async def test_all_addresses_are_tried(self) -> None:
        self.dns.say("mta-sts.example.org", A=["127.0.0.1"], AAAA=["::1"])  # nothing listens there
        await self.host.fetch("example.org")

    async def test_no_address(self) -> None:
        self.assertEqual(str(await self.error(domain="example.com")), "mta-sts.example.com has no address")
        self.dns.break_down("mta-sts.example.com", "A")
        self.assertIn(
            "the DNS gives no answer", str(await self.error(domain="example.com")).replace("The", "the")
        )

    async def test_the_certificate_must_be_good(self) -> None:
        self.dns.say("mta-sts.example.com", A=["127.0.0.1"])
        error = await self.error(domain="example.com")
        self.assertIn("it is for mta-sts.example.org", str(error))
        self.host = PolicyHost(HTTPSClient(reactor, self.dns), port=self.port)  # the platform's authorities
        self.assertIn("The certificate is not good", str(await self.error()))
        self.assertEqual(self.web.requests, [])

    async def test_only_a_plain_policy_is_taken(self) -> None:
        for says, text in {
            HEAD.replace(b"200 OK", b"404 Not Found"): "the host answers with the status 404",
            HEAD.replace(b"200 OK", b"301 Moved") + b"Location: https://mta-sts.example.org/\r\n": (
                "the host answers with the status 301"
            ),
            HEAD.replace(b"200 OK", b"203 Changed"): "the host answers with the status 203",
            HEAD.replace(b"plain", b"html"): "its type is not text/plain",
            b"HTTP/1.1 200 OK\r\n": "its type is not text/plain",
        }.items():
            error = await self.error(whole(policy_text(), says))
            self.assertEqual((str(error), error.result), (text, "sts-policy-fetch-error"))
        self.assertEqual(len(self.web.requests), 5)

    async def test_nothing_is_unpacked(self) -> None:
        packed = gzip.compress(policy_text() + b" " * 1_000_000)
        error = await self.error(whole(packed, HEAD + b"Content-Encoding: gzip\r\n"))
        self.assertEqual(str(error), "it is packed")

    async def test_not_valid(self) -> None:
        error = await self.error(whole(b"<html>"))
        self.assertEqual((str(error), error.result), ("a line is no field", "sts-policy-invalid"))

    async def test_giving_a_host_something(self) -> None:
        """As a report about TLS."""
        https = HTTPSClient(reactor, self.dns, self.trust_root)
        url = f"https://mta-sts.example.org:{self.port}/x?y"
        for status in (b"200 OK", b"201 Created", b"204 Taken"):
            self.web.says = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status
            await https.post(url, b"octets", {"Content-Type": "application/tlsrpt+gzip"})
            head, _, content = self.web.requests[-1].partition(b"\r\n\r\n")
            self.assertEqual((head.split(b"\r\n")[0], content), (b"POST /x?y HTTP/1.1", b"octets"))
            self.assertIn(b"\r\nContent-Type: application/tlsrpt+gzip\r\n", head)
        for status in (
            b"302 Found\r\nLocation: https://mta-sts.example.org/",
            b"404 Not Found",
            b"500 Error",
        ):
            self.web.says = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status
            with self.assertRaises(HTTPSFailed):
                await https.post(url, b"octets", {})
        with self.assertRaises(HTTPSFailed):
            await https.post(url.replace("https", "http"), b"octets", {})
        self.assertEqual(len(self.web.requests), 6)

    async def test_cut_off(self) -> None:
        for says in (b"", b"HTTP/1.1 200", HEAD, whole(policy_text())[:-1], b"nonsense\r\n\r\n"):
            await self.error(says)

    async def test_the_longest(self) -> None:
        text = policy_text()
        text += b"x: " + b"y" * (BODY_LIMIT - len(text) - 4) + b"\n"
        self.web.says = whole(text)
        await self.host.fetch("example.org")
        error = await self.error(whole(text + b"\n"))
        self.assertEqual(str(error), f"it has more than {BODY_LIMIT} octets")

    async def stream(self, first: bytes, more: bytes) -> int:
        streams = []
        await self.error(lambda transport: streams.append(Stream(transport, first, more)))
        return sum(each.sent for each in streams)

    async def test_a_host_that_streams_for_ever(self) -> None:
        """What the sockets of the system hold does not count."""
        buffered = 8 << 20
        self.assertLess(await self.stream(HEAD + b"\r\n", b"x" * 1000), buffered)
        self.assertLess(await self.stream(HEAD, b"X-More: y\r\n" * 100), buffered)
        self.assertLess(await self.stream(CHUNKED, b"1\r\nx\r\n"), buffered)
        self.assertLess(await self.stream(b"HTTP/1.1 404 Not Found\r\n\r\n", b"x" * 1000), buffered)
        self.assertLess(HEADER_LIMIT, buffered)

    async def test_a_host_that_is_silent(self) -> None:
        self.assertEqual(REQUEST_SECONDS, 60)
        self.patch(_https, "REQUEST_SECONDS", 0.2)
        says: list[Callable[[Any], None]] = [
            lambda transport: None,
            lambda transport: transport.write(HEAD),
            lambda transport: transport.write(whole(policy_text())[:-1]),
        ]
        for each in says:
            error = await self.error(each)
            self.assertEqual(str(error), "there was no whole answer within 0.2 s")

    async def tearDown(self) -> None:  # type: ignore[override]
        for _ in range(100):
            if self.web.lost >= len(self.web.requests):
                return
            await wait(0.01)
        self.fail("a connection is open")


async def wait(seconds: float) -> None:
    from twisted.internet.task import deferLater

    await deferLater(reactor, seconds)
