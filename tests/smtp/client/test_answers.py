"""Every reply to everything that is said: what is an answer, and what becomes of all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailproto.auth import Certificate, Password
from mailproto.client.base import GREETING
from mailproto.client.errors import ClientError, ProtocolViolation
from mailproto.model import Outcome
from mailproto.smtp import SMTPClient
from mailproto.smtp.client._session import POSITIVE
from mailproto.smtp.client._transaction import END_OF_DATA
from mailproto.smtp.errors import outcome_of
from mailproto.smtp.lmtp import LMTPClient
from tests.smtp.client.dialogue import (
    ALICE,
    BOB,
    PIPELINING,
    PLAIN,
    SENDER,
    TEXT,
    TLS,
    ClientTestCase,
    offering,
)

BINARY = b"\0"
LMTP = PIPELINING.replace("EHLO", "LHLO")
CHUNKING = offering("CHUNKING", "BINARYMIME")
ALMOST_REPLIES = (
    b"2500 OK\r\n",
    b"25 OK\r\n",
    b"250OK\r\n",
    b"250-OK\r\n251 OK\r\n",
    b"250-OK\r\n550 No\r\n",
    b"25\xb2 OK\r\n",
)
NO_REPLIES = (
    *ALMOST_REPLIES,
    b"\r\n",
    b"OK\r\n",
    b"+OK\r\n",
    b"* OK\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46\r\n",
    b"HTTP/1.1 200 OK\r\n",
)

Begin = Callable[["AnswerTests"], Deferred[Any]]


def _asking(ask: Callable[[SMTPClient], Deferred[Any]], transcript: str = PIPELINING) -> Begin:
    def begin(test: AnswerTests) -> Deferred[Any]:
        test.client_class = LMTPClient if "LHLO" in transcript else SMTPClient
        test.connect(transcript)
        return ask(test.client)

    return begin


def _sending(transcript: str, *replies: str, content: bytes = TEXT, after: bytes = b"") -> Begin:
    """A message to two, whose commands are answered with ``replies`` one after the other."""

    def begin(test: AnswerTests) -> Deferred[Any]:
        sent = _asking(lambda client: client.send(SENDER, [ALICE, BOB], content), transcript)(test)
        for reply in replies:
            test.read()
            test.transport.send(f"{reply}\r\n".encode())
        test.assertTrue(test.read().endswith(after))
        return sent

    return begin


def _greeted(test: AnswerTests) -> Deferred[Any]:
    test.client_class = SMTPClient
    test.connect()
    return test.client.greeted()


def _hello(test: AnswerTests) -> Deferred[Any]:
    test.client_class = SMTPClient
    test.connect()
    hello = test.client.ehlo()
    test.converse("S: 220 mx\nC: EHLO client.example")
    return hello


def _helo(test: AnswerTests) -> Deferred[Any]:
    hello = _hello(test)
    test.converse("S: 500 What?\nC: HELO client.example")
    return hello


def _lhlo(test: AnswerTests) -> Deferred[Any]:
    test.client_class = LMTPClient
    test.connect()
    hello = test.client.ehlo()
    test.converse("S: 220 mx\nC: LHLO client.example")
    return hello


def _challenged(mechanism: str, challenge: str) -> Begin:
    def begin(test: AnswerTests) -> Deferred[Any]:
        signed_in = _asking(
            lambda client: client.authenticate(Password("tim", "x")), offering(f"AUTH {mechanism}")
        )(test)
        test.read()
        test.transport.send(f"334 {challenge}\r\n".encode())
        return signed_in

    return begin


STAGES: list[tuple[str, Begin]] = [
    (GREETING, _greeted),
    ("EHLO", _hello),
    ("HELO", _helo),
    ("LHLO", _lhlo),
    ("STARTTLS", _asking(lambda client: client.starttls(TLS), offering("STARTTLS"))),
    ("AUTH", _asking(lambda client: client.authenticate(Password("tim", "x")), offering("AUTH PLAIN"))),
    ("AUTH", _challenged("LOGIN", "VXNlcm5hbWU6")),
    ("AUTH", _challenged("CRAM-MD5", "PDE+")),
    ("NOOP", _asking(lambda client: client.noop())),
    ("RSET", _asking(lambda client: client.rset())),
    ("VRFY", _asking(lambda client: client.vrfy("alice"))),
    ("EXPN", _asking(lambda client: client.expn("list"))),
    ("ETRN", _asking(lambda client: client.etrn("mx.example"))),
    ("QUIT", _asking(lambda client: client.quit())),
    ("MAIL", _sending(PLAIN)),
    ("RCPT", _sending(PLAIN, "250 OK")),
    ("RCPT", _sending(PLAIN, "250 OK", "250 OK")),
    ("RCPT", _sending(PLAIN, "250 OK", "550 No")),
    ("DATA", _sending(PLAIN, "250 OK", "250 OK", "250 OK", after=b"DATA\r\n")),
    (END_OF_DATA, _sending(PLAIN, "250 OK", "250 OK", "250 OK", "354 Go", after=b"\r\n.\r\n")),
    ("MAIL", _sending(PIPELINING)),
    ("RCPT", _sending(PIPELINING, "250 OK")),
    ("RCPT", _sending(PIPELINING, "250 OK", "550 No")),
    ("DATA", _sending(PIPELINING, "250 OK", "250 OK", "550 No")),
    ("DATA", _sending(PIPELINING, "250 OK", "550 No", "550 No")),
    ("DATA", _sending(PIPELINING, "550 No", "503 No", "503 No")),
    (END_OF_DATA, _sending(PIPELINING, "250 OK", "550 No", "250 OK", "354 Go", after=b"\r\n.\r\n")),
    (END_OF_DATA, _sending(PIPELINING, "250 OK", "550 No", "550 No", "354 Go", after=b".\r\n")),
    (END_OF_DATA, _sending(LMTP, "250 OK", "250 OK", "250 OK", "354 Go", after=b"\r\n.\r\n")),
    (END_OF_DATA, _sending(LMTP, "250 OK", "250 OK", "250 OK", "354 Go", "250 One")),
    ("MAIL", _sending(CHUNKING, content=BINARY, after=b"BDAT 1 LAST\r\n\0")),
    ("RCPT", _sending(CHUNKING, "250 OK", content=BINARY)),
    ("BDAT", _sending(CHUNKING, "250 OK", "250 OK", "250 OK", content=BINARY)),
    ("BDAT", _sending(CHUNKING, "250 OK", "250 OK", "250 OK", content=b"\0" * (1 << 18))),
    ("BDAT", _sending(CHUNKING, "250 OK", "250 OK", "250 OK", "250 OK", content=b"\0" * (1 << 18))),
]
"""What is said last, and how it comes to that."""

YES = {
    GREETING: [220],
    "STARTTLS": [220],
    "AUTH": [235, 334],
    "DATA": [354],
    "QUIT": list(range(200, 300)),
}
"""Where it is not 25z."""

FIRST_CHUNKED = len(STAGES) - 5


COMPLETE = {GREETING, "EHLO", "HELO", "LHLO", "NOOP", "RSET", "VRFY", "EXPN", "ETRN", "QUIT"}
"""What one positive reply makes a success of."""


def _code(result: Any) -> int:
    found = outcome_of(result) if isinstance(result, ClientError) else result
    return int(found.code)


class AnswerTests(ClientTestCase):
    def outcome(self, result: Deferred[Any]) -> list[Any]:
        """What it has come to: outcomes, an exception, another value, or nothing yet."""
        found: list[Any] = []
        result.addBoth(found.append)
        if found and isinstance(found[0], list):
            return [each for each in found[0] if each.text != "One"]  # who had his answer before
        return [getattr(each, "value", each) for each in found]  # an exception without its `Failure`

    def answer(self, begin: Begin, reply: bytes) -> list[Any]:
        self.clock = Clock()
        result = begin(self)
        self.transport.send(reply)
        self.read()
        return self.outcome(result)

    def test_every_stage_is_here(self) -> None:
        self.assertEqual({said for said, _ in STAGES}, set(POSITIVE))

    def test_every_code(self) -> None:
        """No code but 25z takes a message, and no failure has a code that is not a refusal's."""
        for number, (said, begin) in enumerate(STAGES):
            for code in range(100, 1000):
                found = self.answer(begin, b"%d 2.1.0 Words\r\n" % code)
                self.assert_true_to(said, code, found, f"{said} (stage {number}) answered with {code}")

    def assert_true_to(self, said: str, code: int, found: list[Any], about: str) -> None:
        for each in found:
            if isinstance(each, (Outcome, ClientError)) and not (isinstance(each, Outcome) and each.accepted):
                each = outcome_of(each) if isinstance(each, ClientError) else each
                self.assertIn(each.code, range(400, 600), about)
                self.assertEqual(each.enhanced[0], str(each.code)[0], about)
            elif isinstance(each, Outcome):
                self.assertIn(said, (END_OF_DATA, "BDAT"), about)
                self.assertIn(code, range(250, 260), about)
        if code in range(400, 600):
            return  # refusals are answers; what they lead to has tests of its own
        if code in YES.get(said, range(250, 260)):
            if said in COMPLETE:
                self.assertTrue(found, about)
                self.assertFalse(isinstance(found[0], Exception), about)
            return
        self.assertFalse(self.client.is_usable, about)
        self.assertFalse(self.transport.is_open, about)
        self.assertEqual(self.clock.getDelayedCalls(), [], about)
        if said == "QUIT":
            return  # it never raises
        self.assertTrue(found, about)
        for each in found:
            if isinstance(each, Exception):
                self.assertIsInstance(each, ProtocolViolation, about)
            self.assertNotIn(_code(each), range(200), about)
        self.assertTrue(
            any(_code(each) == 451 for each in found) or said in ("DATA", END_OF_DATA), (about, found)
        )

    def test_what_is_no_reply(self) -> None:
        for said, begin in STAGES:
            for reply in NO_REPLIES:
                found = self.answer(begin, reply)
                self.assertFalse(self.transport.is_open, (said, reply))
                if said != "QUIT":
                    self.assertTrue(found, (said, reply))
                    self.assertTrue(all(_code(each) >= 400 for each in found), (said, reply, found))

    def test_the_text_says_what_was_answered_with_what(self) -> None:
        for said, begin in STAGES[:FIRST_CHUNKED]:
            if said in ("QUIT", END_OF_DATA, "DATA"):
                continue  # it is not told, or the message may have been taken
            found = self.answer(begin, b"398 4.7.0 It \x1b[31mhurts\xe2\x80\xae\r\n")
            self.assertIn(
                rf"The server answered {said} with 398 '4.7.0 It \x1b[31mhurts\u202e'",
                [each.text if isinstance(each, Outcome) else str(each) for each in found],
            )

    def test_one_answer_too_many(self) -> None:
        """It comes in the middle of what is said next, or before."""
        for number, (said, begin) in enumerate(STAGES):
            is_chunked = number >= FIRST_CHUNKED
            for extra in (b"220 mx\r\n", b"250 OK\r\n", b"354 Go\r\n", b"550 No\r\n"):
                (yes, *_) = YES.get(said, [250])
                found = self.answer(begin, b"%d OK\r\n" % yes + extra * 9)
                self.assertFalse(self.client.is_usable, (said, extra))
                for each in found:
                    if (
                        isinstance(each, Outcome)
                        and each.accepted
                        and said not in (END_OF_DATA, "BDAT", "DATA")
                    ):
                        # A small message by BDAT: all was said, and everything may be answered.
                        self.assertTrue(is_chunked, (said, extra))
                        self.assertEqual(extra, b"250 OK\r\n")

    def test_what_was_said_before_the_question(self) -> None:
        """In one packet with the answer before: no yes is one, and what follows is out of step."""
        for number, (said, begin) in enumerate(STAGES):
            if said in (GREETING, "QUIT"):
                continue
            with self.subTest(said=said, number=number):
                self.clock = Clock()
                result = begin(self)
                (yes, *_) = YES.get(said, [250])
                self.transport.send(b"%d OK\r\n" % yes + b"250 OK\r\n354 Go\r\n250 2.0.0 Taken\r\n" * 4)
                self.assertFalse(self.client.is_usable)
                for outcome in self.outcome(result):
                    if isinstance(outcome, Outcome) and said not in (END_OF_DATA, "BDAT"):
                        self.assertTrue(not outcome.accepted or number >= FIRST_CHUNKED)

    def test_the_final_answer_in_one_packet_with_the_go_ahead(self) -> None:
        for offered, said in (
            (PLAIN, ["250 OK", "250 OK", "250 OK"]),
            (PIPELINING, ["250 OK", "250 OK", "250 OK"]),
            (LMTP, ["250 OK", "250 OK", "250 OK"]),
        ):
            for content in (TEXT, b"x" * (1 << 20)):
                for final, code in (
                    ("250 2.0.0 Taken", 451),
                    ("554 5.7.1 No", 554),
                    ("421 4.3.2 Going", 421),
                ):
                    sent = _sending(offered, *said, content=content)(self)
                    self.transport.send(f"354 Go\r\n{final}\r\n{final}\r\n".encode())
                    self.assertEqual(self.codes(sent)[0][0], code)
                    self.assertFalse(self.client.is_usable)

    def test_a_refusal_that_was_not_asked_for(self) -> None:
        """It says nothing of a message that comes later."""
        self.client_class = SMTPClient
        for offered in (PLAIN, PIPELINING):
            for pending in (b"550 5.7.1 Go away\r\n", b"55"):
                self.connect(offered)
                noop = self.client.noop()
                sent = self.client.send(SENDER, [ALICE], TEXT)
                self.transport.send(b"250 OK\r\n" + pending)
                self.result(noop)
                self.transport.send(b"0 OK\r\n250 OK\r\n")
                error = self.error(sent, ProtocolViolation)
                self.assertEqual(
                    (outcome_of(error).code, str(error).split(" '")[0]), (451, "The server said 550")
                )

    def test_challenges_without_end(self) -> None:
        for mechanism in ("LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256"):
            self.client_class = SMTPClient
            self.connect(offering(f"AUTH {mechanism}"))
            signed_in = self.client.authenticate(Password("tim", "x"))
            for _ in range(10):
                if self.transport.is_open:
                    self.transport.send(b"334 PDE+\r\n")
            self.assertFalse(self.transport.is_open, mechanism)
            self.error(signed_in, ClientError)

    def test_signed_in_by_nothing_but_235(self) -> None:
        """EXTERNAL too, where there is nothing to prove."""
        for code in (220, 250, 234, 236, 354):
            self.connect(offering("STARTTLS"))
            self.client.starttls(TLS)
            self.transport.send(b"220 Go\r\n")
            self.client.protocol.handshakeCompleted()
            self.transport.send(b"250-mx\r\n250 AUTH EXTERNAL\r\n")
            signed_in = self.client.authenticate(Certificate())
            self.transport.send(b"%d OK\r\n" % code)
            self.error(signed_in, ProtocolViolation)
            self.assertEqual(self.client.authenticated_by, "")
