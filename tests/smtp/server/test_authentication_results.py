"""What claims to be our own judgement is taken out of what comes in (RFC 8601 5)."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp.server._authentication_results import without_own_results
from mailproto.smtp.server._trace import lowered
from tests.smtp.server.dialogue import DialogueTestCase, LMTPDialogueTestCase
from tests.smtp.server.test_server import script

BEFORE, AFTER = b"From: a@b\r\n", b"Subject: c\r\n\td\r\n"

OURS = (
    b"Authentication-Results: mx.example; spf=pass\r\n",
    b"Authentication-Results: mx.example\r\n",
    b"authentication-results:MX.Example;none\r\n",
    b"AUTHENTICATION-RESULTS : mx.example 1; none\r\n",
    b"Authentication-Results: mx.example.; none\r\n",
    b"Authentication-Results: mx.example/1; none\r\n",
    b"Authentication-Results:\r\n mx.example;\r\n\tspf=pass\r\n smtp.mailfrom=a@b\r\n",
    b'Authentication-Results: "mx.example"; none\r\n',
    b'Authentication-Results: "m\\x.example" 1; none\r\n',
    b"Authentication-Results: (a (b\\) mx.other) c)\r\n (d) mx.example (e) 1 (f); none\r\n",
    b"Authentication-Results: ()mx.example; none\r\n",
)

NOT_OURS = (
    b"Authentication-Results: mx.other; spf=pass\r\n",
    b"Authentication-Results: mx.example.com; spf=pass\r\n",
    b"Authentication-Results: not-mx.example; spf=pass\r\n",
    b"Authentication-Results: mx.other; spf=pass\r\n mx.example; none\r\n",
    b"Authentication-Results: (mx.example) mx.other; none\r\n",
    b"Authentication-Results: (mx.example; none\r\n",
    b'Authentication-Results: "mx.example; none\r\n',
    b"Authentication-Results: \\mx.example; none\r\n",
    b"Authentication-Results:\r\n",
    b"ARC-Authentication-Results: i=1; mx.example; none\r\n",
    b"Authentication-Results-Copy: mx.example; none\r\n",
    b"X: y\r\n Authentication-Results: mx.example; none\r\n",
)


def strip(header: bytes, hostname: str = "mx.example") -> bytes:
    return without_own_results(header, lowered(header), hostname)


class FieldTests(SynchronousTestCase):
    def test_ours(self) -> None:
        for field in OURS:
            with self.subTest(field=field):
                self.assertEqual(strip(field), b"")
                self.assertEqual(strip(BEFORE + field + AFTER + field + field), BEFORE + AFTER)
                self.assertEqual(strip(BEFORE + field[:-2]), BEFORE)

    def test_not_ours(self) -> None:
        for field in NOT_OURS:
            for header in (field, BEFORE + field + AFTER, field[:-2]):
                with self.subTest(header=header):
                    self.assertEqual(strip(header), header)

    def test_an_internationalised_name(self) -> None:
        for name in ("bücher.example", "xn--bcher-kva.example"):
            self.assertEqual(
                strip(f"Authentication-Results: {name}; none\r\n".encode(), "Bücher.example"), b""
            )

    def test_hostile_fields_take_linear_time(self) -> None:
        for value in (b"(", b"()", b"(\\", b"\r\n ", b'"', b"\\", b"( "):
            header = b"Authentication-Results:" + value * (200_000 // len(value)) + b"\r\n"
            begun = time.process_time()
            strip(header)
            self.assertLess(time.process_time() - begun, 1)


CONTENT = script(
    "C: MAIL FROM:<a@b>\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\nC: DATA\nS: 354...",
    "C: Authentication-Results: mx.example;\nC:  spf=pass\nC: Subject: x\nC: ",
    "C: Authentication-Results: mx.example; in the text\nC: .\nS: 250...",
)


class ArrivalTests(DialogueTestCase):
    def test_taken_out_of_the_header_alone(self) -> None:
        self.assert_dialogue(script("C: HELO a\nS: 250...", CONTENT))
        [(_, octets)] = self.delivery.delivered
        self.assertTrue(
            octets.endswith(
                b" +0000\r\nSubject: x\r\n\r\nAuthentication-Results: mx.example; in the text\r\n"
            ),
            octets,
        )


class LMTPTests(LMTPDialogueTestCase):
    def test_our_own_servers_are_believed(self) -> None:
        transport = self.connect()
        transport.send(b"LHLO a\r\n")
        transport.read()
        self.converse(transport, CONTENT)
        self.assertIn(b"Authentication-Results: mx.example;\r\n spf=pass\r\n", self.delivery.delivered[0][1])
