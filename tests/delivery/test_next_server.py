"""Passing mail on to another server: what `tests.docs.test_proxy` does not see from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.delivery.routing import LMTPDelivery, SMTPDelivery
from mailproto.errors import Refused
from mailproto.model import Envelope, Outcome
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import Dialogue

TAKEN = Outcome(250, "2.0.0", "Queued as 4711")


HELLO = "S: 220 ...\nC: EHLO a\nS*: 250-...\nS: 250 HELP\n"


class FakeHop:
    """Notes what the next hop is asked."""

    is_usable = True

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.contents: list[bytes] = []

    async def mail(self, path: object, parameters: Mapping[str, str | None]) -> None:
        self.heard.append(f"MAIL {path} {dict(parameters)}")

    async def rcpt(self, path: object, parameters: object) -> None:
        self.heard.append(f"RCPT {path}")

    async def data(self, content: Content) -> list[Outcome]:
        self.contents.append(bytes(content))
        return [TAKEN]

    async def rset(self) -> None:
        self.heard.append("RSET")

    async def quit(self) -> None:
        self.heard.append("QUIT")


class PassingOnTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hops: list[FakeHop] = []

    def dialogue(self, kind: type[SMTPDelivery], **settings: Any) -> Dialogue:
        case = self

        class Delivery(kind):  # type: ignore[misc, valid-type]
            async def open(self) -> Any:
                case.hops.append(FakeHop())
                return case.hops[-1]

        delivery = Delivery("mx.example", hostname="proxy.example", reactor=self.clock, **settings)
        factory = SMTPServerFactory(delivery, clock=self.clock, hostname="proxy.example")
        return Dialogue(factory, clock=self.clock)

    MESSAGE = """
        C: MAIL FROM:<a@b.example> SIZE=10
        S: 250 ...
        C: RCPT TO:<c@d.example>
        S: 250 ...
        C: DATA
        S: 354 ...
        C: Subject: hello
        C:
        C: .
    """

    def test_two_messages_have_one_connection(self) -> None:
        talk = self.dialogue(SMTPDelivery)
        talk.play(HELLO + (self.MESSAGE + "S: 250 ...4711\n") * 2)
        [hop] = self.hops
        self.assertEqual(hop.heard[0], "MAIL a@b.example {'SIZE': '10'}")
        self.assertEqual(len(hop.contents), 2)
        talk.play("C: QUIT\nS: 221 ...\nS closes")
        self.assertEqual(hop.heard[-1], "QUIT")

    def test_a_lost_connection_is_made_again(self) -> None:
        talk = self.dialogue(SMTPDelivery)
        talk.play(HELLO + self.MESSAGE + "S: 250 ...\n")
        self.hops[0].is_usable = False
        talk.play(self.MESSAGE + "S: 250 ...")
        self.assertEqual([len(hop.contents) for hop in self.hops], [1, 1])

    def test_a_filter_changes_the_message_and_not_its_announced_size(self) -> None:
        class Filter(SMTPDelivery):
            def filter(self, envelope: Envelope, content: Content) -> Content:
                return content.prepend(b"X-Seen: yes\r\n")

        talk = self.dialogue(Filter)
        talk.play(HELLO + self.MESSAGE + "S: 250 ...")
        [hop] = self.hops
        self.assertEqual(hop.heard[0], "MAIL a@b.example {}")
        self.assertTrue(hop.contents[0].startswith(b"X-Seen: yes\r\nReceived:"))

    def test_a_filter_that_is_a_function(self) -> None:
        def filtered(content: Content) -> bytes:
            if b"spam" in bytes(content):
                raise Refused(554, "5.7.1", "No spam")
            return b"X-Seen: yes\r\n" + bytes(content)

        talk = self.dialogue(SMTPDelivery, filter_in_thread=filtered)
        talk.play(HELLO + self.MESSAGE + "S: 250 ...")
        [hop] = self.hops
        self.assertEqual(hop.heard[0], "MAIL a@b.example {}")
        self.assertTrue(hop.contents[0].startswith(b"X-Seen: yes\r\nReceived:"))

    def test_what_a_filter_refuses_ends_the_transaction_of_the_next_hop(self) -> None:
        class Filter(SMTPDelivery):
            def filter(self, envelope: Envelope, content: Content) -> Deferred[Content]:
                raise Refused(554, "5.7.1", "No thanks")

        talk = self.dialogue(Filter)
        talk.play(HELLO + self.MESSAGE + "S: 554 5.7.1 No thanks")
        self.assertEqual(self.hops[0].heard[-1], "RSET")
        self.assertEqual(self.hops[0].contents, [])

    def test_wrong_arguments(self) -> None:
        reactor: Any = self.clock
        for kind in (SMTPDelivery, LMTPDelivery):
            with self.assertRaisesRegex(TypeError, "server must be a ServerAddress"):
                kind(25, reactor=reactor)  # type: ignore[arg-type]
            with self.assertRaises(ValueError):
                kind(ServerAddress("mx.example"), hostname="a b", reactor=reactor)
