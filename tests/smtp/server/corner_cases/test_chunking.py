"""Rows 19, 32 and 33: BDAT (RFC 3030)."""

from __future__ import annotations

from mailproto.errors import RecipientUnknown
from tests.smtp.server.corner_cases.test_commands import HELLO, MAIL, RCPT, SEND
from tests.smtp.server.corner_cases.transcript import LMTPTranscriptTestCase, TranscriptTestCase

NOOP = "C: NOOP\nS: 250 2.0.0 OK\n"
TAKEN = "S: 250 2.0.0 Taken as ...\n"
BINARY = HELLO + "C: MAIL FROM:<a@b> BODY=BINARYMIME\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\n"
LMTP_MAIL = "C: LHLO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...\n"


class RefusedChunkTests(TranscriptTestCase):
    def test_32_a_refused_chunk_is_read_away(self) -> None:
        """RFC 3030 2: it comes whatever the reply, and nothing in it is a command."""
        chunk = "C: BDAT 6\nC~: QUIT␍␊\n"
        for before in (HELLO, MAIL, ""):
            self.play(before + chunk + "S: 503 5.5.1...\n" + NOOP)
            self.play(before + "C: BDAT 6 LAST\nC~: RSET␍␊\nS: 503 5.5.1...\n" + NOOP)

    def test_32_behind_a_recipient_that_was_refused(self) -> None:
        """RFC 3030 2: 503, and the chunks that were pipelined are not heard."""
        self.play(
            MAIL + "C: RCPT TO:<x@y>\nC: BDAT 6\nC~: DATA␍␊\nC: BDAT 6 LAST\nC~: QUIT␍␊\n"
            "S: 550 5.1.1...\nS: 503...\nS: 503...\n" + NOOP,
            prepare=lambda delivery: delivery.refusals.update({"x@y": RecipientUnknown()}),
        )

    def test_32_too_large(self) -> None:
        """RFC 3030 2 and RFC 1870 6.3: 552, at once or in sum; all of it is read away."""
        self.play(RCPT + f"C: BDAT 100 LAST\nC~: {'x' * 100}\nS: 552 5.3.4...\n" + NOOP, max_message_size=99)
        self.play(
            RCPT + f"C: BDAT 60\nC~: {'x' * 60}\nS: 250...\nC: BDAT 60\nC~: {'x' * 60}\nS: 552 5.3.4...\n"
            f"C: BDAT 6 LAST\nC~: QUIT␍␊\nS: 552...\n" + NOOP,
            max_message_size=99,
        )

    def test_32_sizes_that_are_none(self) -> None:
        """RFC 3030 2: there is no telling how much to read away, so it is 501, and lines follow."""
        for size in ("", "-1", "x", "1.5", "0x10", "١", "1 FIRST", "1 LAST LAST", "LAST", "+1", "1,000"):
            with self.subTest(size):
                self.play(RCPT + f"C: BDAT {size}\nS: 501 5...\n" + SEND)

    def test_32_sizes_beyond_all_measure(self) -> None:
        """RFC 3030 2: whoever announces 10**30 octets is not waited for, or read away for ever."""
        transport = self.connect()
        transport.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
        transport.read()
        transport.send(b"BDAT " + b"9" * 30 + b"\r\n")
        self.assertRegex(transport.read(), rb"\A(501|552|421) ")


class ChunkTests(TranscriptTestCase):
    def test_33_chunks_are_put_together(self) -> None:
        """RFC 3030 2: a reply for each; where they are cut does not matter."""
        [message] = self.play(
            RCPT + "C: BDAT 3\nC~: a:␍\nS: 250 2...\nC: BDAT 4\nC~: ␊␍␊x\nS: 250 2...\n"
            "C: BDAT 3 LAST\nC~: y␍␊\n" + TAKEN + NOOP
        )
        self.assertEqual(message.content, b"a:\r\n\r\nxy\r\n")

    def test_33_dots_are_octets(self) -> None:
        """RFC 3030 2: nothing is unstuffed, and a dot ends nothing."""
        [message] = self.play(RCPT + "C: BDAT 13 LAST\nC~: ..x␍␊.␍␊.y␍␊.\n" + TAKEN + NOOP)
        self.assertEqual(message.content, b"\r\n..x\r\n.\r\n.y\r\n.")

    def test_33_an_empty_last_chunk(self) -> None:
        """RFC 3030 2: ``BDAT 0 LAST`` ends a message, or is one."""
        [message] = self.play(RCPT + "C: BDAT 3\nC~: x␍␊\nS: 250...\nC: BDAT 0 LAST\n" + TAKEN + NOOP)
        self.assertEqual(message.content, b"\r\nx\r\n")
        [message] = self.play(RCPT + "C: BDAT 0 LAST\n" + TAKEN + NOOP)
        self.assertEqual(message.content, b"")

    def test_33_data_after_bdat(self) -> None:
        """RFC 3030 2: 503; the message goes on by BDAT."""
        [message] = self.play(
            RCPT + "C: BDAT 3\nC~: x␍␊\nS: 250...\nC: DATA\nS: 503 5.5.1...\nC: BDAT 3 LAST\nC~: y␍␊\n"
            "" + TAKEN
        )
        self.assertEqual(message.content, b"\r\nx\r\ny\r\n")

    def test_33_rset_between_chunks(self) -> None:
        """RFC 3030 2: what had come is forgotten; there is no message to go on with."""
        [message] = self.play(
            RCPT + "C: BDAT 3\nC~: x␍␊\nS: 250...\nC: RSET\nS: 250...\nC: BDAT 3 LAST\nC~: y␍␊\nS: 503...\n"
            + RCPT.removeprefix(HELLO) + "C: BDAT 3 LAST\nC~: z␍␊\n" + TAKEN
        )  # fmt: skip
        self.assertEqual(message.content, b"\r\nz\r\n")

    def test_19_rset_clears_the_chunks_of_bdat(self) -> None:
        """RFC 5321 4.1.1.5: the next message begins empty, whichever way it comes."""
        [message] = self.play(
            RCPT + "C: BDAT 3\nC~: x␍␊\nS: 250...\nC: RSET\nS: 250...\n" + RCPT.removeprefix(HELLO) + SEND
        )
        self.assertEqual(message.content, b"\r\nx\r\n")

    def test_33_bare_newlines_behind_bdat(self) -> None:
        """RFC 5321 2.3.8 holds for text by BDAT too: what was smuggled in would go out by DATA."""
        for size, text in ((4, "a␊.␊"), (3, "a␍b"), (9, "x␊.␍␊QUIT")):
            self.assertEqual(
                self.play(RCPT + f"C: BDAT {size} LAST\nC~: {text}\nS: 550 5.6.11...\n" + NOOP), []
            )

    def test_33_a_message_half_sent_is_not_delivered(self) -> None:
        """RFC 5321 3.8."""
        transport = self.connect()
        transport.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nx\r\nBDAT 10 LAST\r\nyyy")
        transport.drop()
        self.assertEqual(self.delivery.contents, [])


class LMTPChunkTests(LMTPTranscriptTestCase):
    def test_38_replies_behind_the_last_chunk(self) -> None:
        """RFC 2033 4.3: one for each recipient behind the last, one for each chunk before it."""
        self.play(
            "C: LHLO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\n"
            "C: RCPT TO:<c@d>\nS: 250...\nC: BDAT 3\nC~: x␍␊\nS: 250...\nC: BDAT 0 LAST\n"
            "S: 250 2.1.5...\nS: 250 2.1.5...\n" + NOOP
        )

    def test_38_a_chunk_refused_midway(self) -> None:
        """RFC 2033 4.3: one reply for it, and behind the last one for each recipient nevertheless."""
        too_large = "S: 552 5.3.4...\n"
        begin = LMTP_MAIL + "C: RCPT TO:<c@d>\nS: 250...\n" * 2
        for chunks in (
            f"C: BDAT 8\nC~: 12345678\n{too_large}C: BDAT 2 LAST\nC~: ab\n{too_large * 2}",
            f"C: BDAT 2\nC~: ab\nS: 250...\nC: BDAT 8 LAST\nC~: 12345678\n{too_large * 2}",
            "C: BDAT 2\nC~: a␊\nS: 550 5.6.11...\nC: BDAT 0 LAST\n" + "S: 550 5.6.11...\n" * 2,
        ):
            self.play(begin + chunks + NOOP + "C: MAIL FROM:<a@b>\nS: 250...", max_message_size=7)

    def test_38_nobody_to_answer_for(self) -> None:
        """RFC 2033 4.3: no reply behind the last chunk without a recipient; that ends the transaction."""
        refused = LMTP_MAIL + "C: RCPT TO:<x@y>\nS: 550 5.1.1...\n"
        for begin in (LMTP_MAIL, refused):
            for chunks in (
                "C: BDAT 6 LAST\nC~: RSET␍␊\n",
                "C: BDAT 0 LAST\n",
                "C: BDAT 6\nC~: QUIT␍␊\nS: 503 5.5.1...\nC: BDAT 3 LAST\nC~: x␍␊\n",
            ):
                self.play(
                    begin + chunks + NOOP + "C: MAIL FROM:<a@b>\nS: 250...",
                    prepare=lambda delivery: delivery.refusals.update({"x@y": RecipientUnknown()}),
                )

    def test_38_no_transaction_at_all(self) -> None:
        """RFC 2033 4.3 speaks of one; without, this is a command out of order (RFC 5321 4.1.4)."""
        self.play("C: LHLO a\nS: 250...\nC: BDAT 3 LAST\nC~: x␍␊\nS: 503 5.5.1 Say MAIL first\n" + NOOP)
