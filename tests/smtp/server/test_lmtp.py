"""LMTP: an answer for each recipient (RFC 2033)."""

from __future__ import annotations

from mailproto.errors import RecipientUnknown
from mailproto.model import Outcome
from tests.smtp.server.dialogue import TAKEN, LMTPDialogueTestCase
from tests.smtp.server.test_server import script

LHLO = """
    C: LHLO client.example
    S: 250-mx.example
    S: 250-PIPELINING
    S: 250-SIZE 52428800
    S: 250-8BITMIME
    S: 250-ENHANCEDSTATUSCODES
    S: 250-CHUNKING
    S: 250-LIMITS RCPTMAX=1000 MAILMAX=100000
    S: 250-SMTPUTF8
    S: 250 HELP
"""
TWO = (
    LHLO
    + """
    C: MAIL FROM:<bob@client.example>
    C: RCPT TO:<alice@mx.example>
    C: RCPT TO:<alice@mx.example>
    S: 250 2.1.0 Sender OK
    S: 250 2.1.5 Recipient OK
    S: 250 2.1.5 Recipient OK
"""
)


class LMTPTests(LMTPDialogueTestCase):
    def test_smtp_is_not_spoken(self) -> None:
        self.assert_dialogue(
            "C: HELO a\nS: 500 5.5.1...\nC: EHLO a\nS: 500 5.5.1...\nC: MAIL FROM:<>\nS: 503..."
        )

    def test_one_reply_a_recipient_in_order(self) -> None:
        transport = self.connect()
        self.delivery.outcomes = [TAKEN, Outcome(452, "4.2.2", "Full")]
        self.converse(
            transport,
            script(TWO, "C: DATA\nS: 354...\nC: x\nC: .\nS: 250 2.1.5 Kept (...\nS: 452 4.2.2 Full"),
        )
        [(envelope, content)] = self.delivery.delivered
        self.assertIn(b"with LMTP\r\n", content)
        self.assertEqual(envelope.session.protocol, "LMTP")

    def test_recipients_that_were_refused_get_no_second_reply(self) -> None:
        transport = self.connect()
        self.delivery.refusals["x@y"] = RecipientUnknown()
        self.converse(
            transport,
            script(TWO, "C: RCPT TO:<x@y>\nS: 550...\nC: DATA\nS: 354...\nC: .\nS: 250...\nS: 250..."),
        )

    def test_a_failure_is_everybody_s(self) -> None:
        transport = self.connect()
        self.delivery.failure = ZeroDivisionError()
        self.converse(transport, script(TWO, "C: DATA\nS: 354...\nC: .\nS: 451 4.3.0...\nS: 451 4.3.0..."))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_delivery_may_end_the_connection(self) -> None:
        """RFC 5321 3.8: by 421, when each recipient has its answer."""
        transport = self.connect()
        self.delivery.outcomes = [Outcome(421, "4.3.2", "Going down"), TAKEN]
        self.converse(
            transport,
            script(
                TWO,
                "C: DATA\nS: 354...\nC: .\nC: NOOP\nS: 421 4.3.2 Going down\nS: 250 2.1.5 Kept (...",
                "S closes",
            ),
        )

    def test_content_that_is_not_taken_is_told_to_each(self) -> None:
        transport = self.connect(max_message_size=10)
        self.converse(
            transport,
            script(
                TWO.replace("52428800", "10"),
                "C: DATA\nS: 354...\nC: more than ten\nC: .\nS: 552...\nS: 552...",
            ),
        )

    def test_data_without_recipients(self) -> None:
        self.assert_dialogue(
            script(LHLO, "C: MAIL FROM:<>\nS: 250...\nC: DATA\nS: 503 5.5.1 No valid recipients")
        )
