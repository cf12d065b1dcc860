"""A client inside a delivery: what a server does to it, and what that does to the next hop."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.delivery import DeliverySession, PerSession
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import LOOPBACK, Dialogue, MemoryTransport

LIMIT = 20
LATER = "451 4.3.0 Temporary failure, try again later"


class ProxyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        client = SMTPClient(self.clock, hostname="proxy.example")
        self.hop = MemoryTransport(client.protocol, LOOPBACK, capacity=1 << 16)
        client.ehlo()
        self.say("220 mx.example", heard="")
        self.say("250-mx.example\r\n250 PIPELINING", heard="EHLO proxy.example")

        class Proxy(DeliverySession):
            async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
                await client.mail(path, parameters)

            async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
                await client.rcpt(path, parameters)

            async def deliver(self, envelope: Envelope, content: Content) -> list[Outcome]:
                return await client.data(content)

            async def reset(self) -> None:
                await client.rset()

        self.client = client
        limits = SMTPLimits(greeting_wait=0, delivery=LIMIT)
        factory = SMTPServerFactory(
            PerSession(Proxy), clock=self.clock, hostname="proxy.example", limits=limits
        )
        self.server = Dialogue(factory, clock=self.clock)
        self.server.play("S: 220 ...\nC: HELO a\nS: 250 ...")

    def say(self, reply: str, *, heard: str) -> None:
        """The next hop says something, after it has heard a line."""
        self.assertEqual(self.hop.read().decode(), heard and f"{heard}\r\n")
        self.hop.send(reply.encode() + b"\r\n")

    def begin(self) -> None:
        """A transaction with one recipient."""
        self.server.play("C: MAIL FROM:<b@a>\n...")
        self.say("250 OK", heard="MAIL FROM:<b@a>")
        self.server.play("S: 250 ...\nC: RCPT TO:<x@c>\n...")
        self.say("250 OK", heard="RCPT TO:<x@c>")
        self.server.play("S: 250 ...")


class TimeLimitTests(ProxyCase):
    """`SMTPLimits.delivery` is over: what the client was told must be true of the next hop, too."""

    def test_a_recipient_that_was_refused_gets_nothing(self) -> None:
        self.begin()
        self.server.play("C: RCPT TO:<y@c>\n...")
        self.clock.advance(LIMIT)
        self.server.play(f"S: {LATER}\nC: DATA\nS: 354 ...\nC: Hi\nC: .\n...")
        self.say("250 OK", heard="RCPT TO:<y@c>")  # too late
        self.server.play("S: 451 4.5.0 Temporary failure, try again later")
        self.server.play("C: MAIL FROM:<b@a>\n...")
        self.say("250 OK", heard="RSET")
        self.say("250 OK", heard="MAIL FROM:<b@a>")
        self.server.play("S: 250 ...")

    def test_content_that_was_refused_is_not_delivered(self) -> None:
        self.begin()
        self.server.play("C: DATA\nS: 354 ...\nC: Hi\nC: .\n...")
        self.say("354 Go", heard="DATA")
        self.clock.advance(LIMIT)
        self.server.play(f"S: {LATER}")
        self.assertTrue(self.hop.was_aborted)
        self.assertFalse(self.client.is_usable)


class ResetTests(ProxyCase):
    def test_rset(self) -> None:
        self.begin()
        self.server.play("C: RSET\nS: 250 ...")
        self.say("250 OK", heard="RSET")
        self.begin()
