"""Submission: an account sends under its own addresses (RFC 6409 6.1)."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.errors import Unavailable
from mailproto.interfaces import IOwnership
from mailproto.model import Address
from mailproto.smtp.server._ownership import is_own_address
from mailproto.testing import MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery
from tests.smtp.server.test_authentication import EHLO, b64
from tests.smtp.server.test_server import script

ALICE = "alice@example.org"
SIGNED_IN = script(EHLO, f"C: AUTH PLAIN {b64(f'{chr(0)}{ALICE}{chr(0)}secret')}\nS: 235...")
NOT_YOURS = "S: 550 5.7.1 That sender's address is not yours"


def path(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


class NameTests(SynchronousTestCase):
    def test_own(self) -> None:
        for account, address in (
            (ALICE, ALICE),
            (ALICE, "ALICE@Example.ORG"),
            (ALICE, "alice@example.org."),
            (ALICE, "alice+lists@example.org"),
            (ALICE, "alice+@example.org"),
            ("jürgen@bücher.example", "JÜRGEN@xn--bcher-kva.example"),
            ("ju\u0308rgen@bücher.example", "jürgen@BÜCHER.example"),
            ("a+b@c", "a+b@c"),
            ("alice", "alice@anywhere.example"),
        ):
            with self.subTest(account=account, address=address):
                self.assertTrue(is_own_address(account, path(address)))

    def test_not_own(self) -> None:
        for account, address in (
            (ALICE, "bob@example.org"),
            (ALICE, "alice@example.net"),
            (ALICE, "alice@sub.example.org"),
            (ALICE, "alicex@example.org"),
            (ALICE, "alice-x@example.org"),
            (ALICE, "+alice@example.org"),
            ("a+b@c", "a@c"),
            ("alice", "bob@anywhere.example"),
        ):
            with self.subTest(account=account, address=address):
                self.assertFalse(is_own_address(account, path(address)))


@implementer(IOwnership)
class KnowingDelivery(FakeDelivery):
    """Alice is the office, too, and nobody else."""

    error: Exception | None = None

    async def owns(self, account: str, path: Address) -> bool:
        if self.error is not None:
            raise self.error
        return (account, str(path)) == (ALICE, "office@example.org")


class SubmissionTests(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(ALICE.encode(), b"secret")
        portal = Portal(self.realm, [checker])
        return super().connect(**{"portal": portal, "submission": True, **settings})

    def test_own_and_others(self) -> None:
        self.assert_dialogue(
            script(
                SIGNED_IN,
                f"C: MAIL FROM:<bob@example.org>\n{NOT_YOURS}\nC: RCPT TO:<c@d>\nS: 503...",
                f"C: MAIL FROM:<alice+x@example.net>\n{NOT_YOURS}",
                "C: MAIL FROM:<Alice+x@EXAMPLE.org>\nS: 250...",
            )
        )
        self.assertEqual(len(self.delivery.senders), 1)

    def test_whose_it_is_can_be_logged(self) -> None:
        """With SMTPUTF8, an address may have characters that cannot be shown, such as private ones."""
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, events.append)  # type: ignore[arg-type]
        path = "<b\ue000ob\u0378@example.org>"
        self.assert_dialogue(script(SIGNED_IN, f"C: MAIL FROM:{path} SMTPUTF8\n{NOT_YOURS}"))
        (text,) = {text for text in map(formatEvent, events) if "not yours" in text}
        self.assertIn(r"<b\ue000ob\u0378@example.org>", text)

    def test_notifications_have_no_sender(self) -> None:
        self.assert_dialogue(script(SIGNED_IN, "C: MAIL FROM:<>\nS: 250..."))

    def test_any_sender_if_one_wants_that(self) -> None:
        self.assert_dialogue(script(SIGNED_IN, "C: MAIL FROM:<bob@example.net>\nS: 250..."), any_sender=True)

    def test_not_on_port_25(self) -> None:
        self.assert_dialogue(script(SIGNED_IN, "C: MAIL FROM:<bob@example.net>\nS: 250..."), submission=False)

    def test_the_delivery_may_know_better(self) -> None:
        self.assert_dialogue(
            script(
                SIGNED_IN,
                f"C: MAIL FROM:<alice@example.org>\n{NOT_YOURS}",
                "C: MAIL FROM:<office@example.org>\nS: 250...",
            ),
            delivery=KnowingDelivery(),
        )

    def test_or_not_know_now(self) -> None:
        delivery = KnowingDelivery()
        delivery.error = Unavailable()
        self.assert_dialogue(
            script(SIGNED_IN, "C: MAIL FROM:<office@example.org>\nS: 451 4.3.0..."), delivery=delivery
        )
