"""VRFY, EXPN, ETRN and HELP: what a delivery tells, and what it is not asked (RFC 5321 3.5, RFC 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.ssl import CertificateOptions
from zope.interface import alsoProvides, implementer

from mailproto.errors import MailError, RecipientUnknown, Refused
from mailproto.interfaces import IExpander, IPermittedCommands, IQueueRunner, IServiceExtensions, IVerifier
from mailproto.model import Address, ServiceExtensions, Session, VerifiedName
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import FEEDS, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery, LMTPDialogueTestCase
from tests.smtp.server.test_authentication import GOOD
from tests.smtp.server.test_server import EHLO, script

ALICE = VerifiedName(Address("alice", "mx.example"), "Alice A.")
ÉVA = VerifiedName(Address("éva", "mx.example"))


@implementer(IVerifier, IExpander, IQueueRunner)
class TalkativeDelivery(FakeDelivery):
    """Tells what it is given to tell.

    :ivar answers: by what is asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {
            "alice": ALICE,
            "éva": ÉVA,
            "eva": ÉVA,
            "list": [ALICE, VerifiedName(Address("bob", "b"))],
            "liste": [ALICE, ÉVA],
            "x.example": 14,
            "y.example": 0,
            "#uucp": None,
            "unsure": None,
            "two": Refused(553, "5.1.4", "Which of them?"),
            "a.example": Refused(459, "4.7.1", "Not allowed"),
        }

    async def verify(self, session: Session, name: str) -> VerifiedName | None:
        return self._answer(name)  # type: ignore[no-any-return]

    async def expand(self, session: Session, name: str) -> Sequence[VerifiedName]:
        return self._answer(name)  # type: ignore[no-any-return]

    async def run_queue(self, session: Session, node: str) -> int | None:
        return self._answer(node)  # type: ignore[no-any-return]

    def _answer(self, name: str) -> Any:
        answer = self.answers.get(name, RecipientUnknown())
        if isinstance(answer, MailError):
            raise answer
        return answer


class TalkativeTestCase(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        settings.setdefault("delivery", TalkativeDelivery())
        return super().connect(**settings)

    def assert_said(self, *exchanges: str, **settings: Any) -> None:
        """After a greeting, whatever is offered."""
        for feed in FEEDS:
            transport = self.connect(**settings)
            transport.send(b"EHLO a\r\n")
            transport.read()
            self.converse(transport, script(*exchanges), feed)


class VerifyTests(TalkativeTestCase):
    def test_answers(self) -> None:
        self.assert_said(
            "C: VRFY alice\nS: 250 2.1.5 Alice A. <alice@mx.example>",
            "C: VRFY unsure\nS: 252 2.0.0 Cannot verify, but will take mail and try",
            "C: VRFY nobody\nS: 550 5.1.1 No such mailbox here",
            "C: VRFY two\nS: 553 5.1.4 Which of them?",
            "C: VRFY\nS: 501 5.5.4...",
        )

    def test_it_needs_no_greeting(self) -> None:
        self.converse(self.connect(), "C: VRFY alice\nS: 250 2.1.5...")

    def test_what_is_international(self) -> None:
        self.assert_said(
            "C: VRFY éva\nS: 553 5.6.7...",
            "C: VRFY eva\nS: 553 5.6.7...",
            "C: VRFY éva SMTPUTF8\nS: 250 2.1.5 <éva@mx.example>",
            "C: VRFY alice smtputf8\nS: 250 2.1.5 Alice...",
            "C: VRFY SMTPUTF8\nS: 550 5.1.1...",
        )

    def test_what_is_international_and_not_promised(self) -> None:
        delivery: Any = TalkativeDelivery()
        delivery.service_extensions = ServiceExtensions(smtputf8=False)
        alsoProvides(delivery, IServiceExtensions)
        self.assert_said("C: VRFY éva SMTPUTF8\nS: 555 5.5.4...", delivery=delivery)

    def test_guessing_ends(self) -> None:
        guess = "C: VRFY nobody\nS: 550..."
        end = "S: 421 4.7.0...\nS closes"
        self.assert_said(guess, guess, guess, end, limits=SMTPLimits(refused_recipients=2))

    def test_what_would_break_a_line_does_not(self) -> None:
        transport = self.connect()
        self.delivery.answers["x"] = VerifiedName(Address("a", "b"), "X\x0b\x1b250 evil")  # type: ignore[attr-defined]
        self.converse(transport, "C: VRFY x\nS: 250 2.1.5 X??250 evil <a@b>")

    def test_submission_wants_authentication(self) -> None:
        self.assert_said(
            "C: VRFY alice\nS: 530 5.7.0...\nC: EXPN list\nS: 530 5.7.0...",
            submission=True,
            portal=self.portal,
        )


class ExpandTests(TalkativeTestCase):
    def test_answers(self) -> None:
        self.assert_said(
            "C: EXPN list\nS: 250-2.1.5 Alice A. <alice@mx.example>\nS: 250 2.1.5 <bob@b>",
            "C: EXPN liste\nS: 553 5.6.7...",
            "C: EXPN liste SMTPUTF8\nS: 250-2.1.5 Alice A. <alice@mx.example>\nS: 250 2.1.5 <éva@mx.example>",
            "C: EXPN other\nS: 550 5.1.1...",
            "C: EXPN\nS: 501 5.5.4...",
        )

    def test_a_list_without_members_is_a_mistake_of_ours(self) -> None:
        transport = self.connect()
        self.delivery.answers["empty"] = []  # type: ignore[attr-defined]
        self.converse(transport, "C: EXPN empty\nS: 451 4.3.0...\nC: NOOP\nS: 250...")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class QueueTests(TalkativeTestCase):
    def test_answers(self) -> None:
        self.assert_said(
            "C: ETRN x.example\nS: 253 2.0.0 14 pending messages for x.example started",
            "C: ETRN y.example\nS: 251 2.0.0 No messages waiting for y.example",
            "C: ETRN #uucp\nS: 250 2.0.0 Queuing for #uucp started",
            "C: ETRN a.example\nS: 459 4.7.1 Not allowed",
        )

    def test_syntax(self) -> None:
        for rest in ("", " ", " a b", " -", " a.", " @", " #", " @@a", " é", " a" * 300):
            self.assert_said(f"C: ETRN{rest}\nS: 501 5.5.4...")

    def test_its_place(self) -> None:
        self.converse(self.connect(), "C: ETRN x.example\nS: 503 5.5.1 Say EHLO first")
        self.converse(self.connect(), "C: HELO a\nS: 250...\nC: ETRN x.example\nS: 503 5.5.1 Say EHLO first")
        self.assert_said("C: MAIL FROM:<>\nS: 250...\nC: ETRN x.example\nS: 503 5.5.1 Not during...")

    def test_not_for_submission(self) -> None:
        self.assert_said("C: ETRN x.example\nS: 502 5.5.1...", submission=True, portal=self.portal)


class LMTPQueueTests(LMTPDialogueTestCase):
    def test_lmtp_has_no_queue(self) -> None:
        transport = self.connect(delivery=TalkativeDelivery())
        transport.send(b"LHLO a\r\n")
        self.assertNotIn(b"ETRN", transport.read())
        self.converse(transport, "C: ETRN x.example\nS: 502 5.5.1...")


@implementer(IPermittedCommands)
class ChoosyDelivery(TalkativeDelivery):
    """Talks to accounts, and of its queue to those who greet as a friend."""

    def permits(self, session: Session, verb: str) -> bool:
        return session.helo == "friend" if verb == "ETRN" else session.account is not None


class PermissionTests(TalkativeTestCase):
    """A command is announced to those who may use it, and to nobody else (RFC 5321 3.5.2, 7.3)."""

    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(**{"delivery": ChoosyDelivery(), "portal": self.portal, **settings})

    def announced(self, talk: MemoryTransport, greeting: bytes) -> list[str]:
        talk.send(greeting + b"\r\n")
        lines = talk.read().decode().splitlines()
        return [line[4:] for line in lines if line[4:] in ("VRFY", "EXPN", "ETRN")]

    def test_a_stranger(self) -> None:
        talk = self.connect()
        self.assertEqual(self.announced(talk, b"EHLO a"), [])
        self.converse(
            talk,
            "C: VRFY alice\nS: 252 2.0.0 Cannot verify, but will take mail and try\n"
            "C: VRFY nobody\nS: 252 2.0.0 Cannot verify, but will take mail and try\n"
            "C: EXPN list\nS: 252 2.0.0 Cannot say who is on that list\n"
            "C: EXPN other\nS: 252 2.0.0 Cannot say who is on that list\n"
            "C: ETRN x.example\nS: 459 4.7.1 You may not start the queue\n"
            "C: HELP\nS: 214-2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH HELP QUIT\nS: 214 ...",
        )

    def test_before_the_greeting(self) -> None:
        self.converse(self.connect(), "C: VRFY alice\nS: 252...\nC: EXPN list\nS: 252...")

    def test_an_account(self) -> None:
        talk = self.connect()
        self.announced(talk, b"EHLO a")
        self.converse(talk, f"C: AUTH PLAIN {GOOD}\nS: 235...")
        self.assertEqual(self.announced(talk, b"EHLO a"), ["VRFY", "EXPN"])
        self.converse(talk, "C: VRFY alice\nS: 250...\nC: EXPN other\nS: 550 5.1.1...\nC: ETRN x\nS: 459...")

    def test_each_command_for_itself(self) -> None:
        talk = self.connect()
        self.assertEqual(self.announced(talk, b"EHLO friend"), ["ETRN"])
        self.converse(talk, "C: ETRN x.example\nS: 253...\nC: VRFY alice\nS: 252...")
        self.assertEqual(self.announced(talk, b"EHLO a"), [])

    def test_nothing_is_announced_that_needs_a_login_or_tls_first(self) -> None:
        for settings in (
            {"submission": True},
            {"auth_required": True},
            {"tls": CertificateOptions(), "require_tls": True},
        ):
            talk = self.connect(delivery=TalkativeDelivery(), **settings)
            self.assertEqual(self.announced(talk, b"EHLO a"), [], settings)


class SilentTests(DialogueTestCase):
    """A delivery that tells nothing."""

    def test_nothing_is_told(self) -> None:
        self.assert_dialogue(
            script(
                EHLO,
                "C: VRFY alice\nS: 252 2.0.0...\nC: EXPN list\nS: 502 5.5.1...",
                "C: ETRN x.example\nS: 502 5.5.1...",
            )
        )


class HelpTests(TalkativeTestCase):
    def lines(self, **settings: Any) -> list[bytes]:
        transport = self.connect(**settings)
        transport.send(b"HELP\r\n")
        return transport.read().splitlines()

    def test_the_commands_that_are_there(self) -> None:
        self.assertEqual(
            self.lines(),
            [
                b"214-2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN ETRN HELP QUIT",
                b"214 2.0.0 See RFC 5321 for the rest",
            ],
        )
        self.assertIn(b" NOOP VRFY STARTTLS AUTH HELP", self.lines(
            delivery=FakeDelivery(), tls=CertificateOptions(), portal=self.portal
        )[0])  # fmt: skip

    def test_they_are_announced(self) -> None:
        transport = self.connect()
        transport.send(b"EHLO a\r\n")
        self.assertTrue(transport.read().endswith(b"250-VRFY\r\n250-EXPN\r\n250-ETRN\r\n250 HELP\r\n"))
