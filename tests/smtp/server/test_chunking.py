"""Messages by BDAT (RFC 3030 2)."""

from __future__ import annotations

import os

from mailproto.content import Content
from mailproto.errors import RelayDenied
from mailproto.model import Outcome
from mailproto.smtp.limits import SMTPLimits
from tests.disk import fill_the_disk
from tests.smtp.server.dialogue import TAKEN, DialogueTestCase, LMTPDialogueTestCase
from tests.smtp.server.test_server import EHLO, MAIL, RCPT, script

NOOP = "C: NOOP\nS: 250 2.0.0 OK"
CHUNK = "S: 250 2.0.0 Octets received"
TOO_LARGE = "S: 552 5.3.4 Message exceeds fixed maximum message size"
MAIL_FIRST = "S: 503 5.5.1 Say MAIL first"


def bdat(octets: str, *, last: bool = False) -> str:
    """A chunk of whole lines as it stands in a transcript; a CRLF follows each line there."""
    lines = octets.split("\n") if octets else []
    size = sum(len(line.encode()) + 2 for line in lines)
    return "\n".join([f"C: BDAT {size}{' LAST' if last else ''}", *(f"C: {line}" for line in lines)])


class ChunkTests(DialogueTestCase):
    def body(self) -> bytes:
        """The one message, without the trace field."""
        [(_, content)] = self.delivery.delivered
        return content.partition(b"+0000\r\n")[2]

    def test_one_chunk(self) -> None:
        self.assert_dialogue(
            script(RCPT, bdat("Subject: x\n\n.", last=True), "S: 250 2.0.0 Taken as ...", NOOP)
        )
        self.assertEqual(self.body(), b"Subject: x\r\n\r\n.\r\n")

    def test_many_chunks_one_reply_each(self) -> None:
        self.assert_dialogue(
            script(RCPT, bdat("A: b"), CHUNK, bdat(""), CHUNK, bdat("\n..c"), CHUNK, bdat("", last=True),
                   "S: 250 2.0.0 Taken as ...", NOOP)
        )  # fmt: skip
        self.assertEqual(self.body(), b"A: b\r\n\r\n..c\r\n")

    def test_all_of_it_pipelined(self) -> None:
        chunks = [bdat("A: b"), bdat("\nc"), bdat("d", last=True)]
        self.assert_dialogue(
            script(EHLO, "C: MAIL FROM:<>\nC: RCPT TO:<a@b>", *chunks, "C: QUIT",
                   "S: 250...\nS: 250...", CHUNK, CHUNK, "S: 250 2.0.0 Taken as ...\nS: 221...\nS closes")
        )  # fmt: skip
        self.assertEqual(self.body(), b"A: b\r\n\r\nc\r\nd\r\n")

    def test_many_messages(self) -> None:
        message = script("C: MAIL FROM:<>\nC: RCPT TO:<a@b>", bdat("x", last=True), "S: 250...\n" * 3)
        self.assert_dialogue(script(EHLO, message, message, message))
        self.assertEqual(len(self.delivery.delivered), 3)

    def test_a_crlf_may_be_cut_and_the_last_line_may_have_none(self) -> None:
        for piece in (0, 1):
            transport = self.connect()
            self.converse(transport, script(RCPT))
            transport.send(b"BDAT 2\r\na\rBDAT 3\r\n\nb\rBDAT 2 LAST\r\n\nc", piece)
            self.assertRegex(transport.read(), rb"\A250 .*\r\n250 .*\r\n250 2\.0\.0 Taken as .*\r\n\Z")
            self.assertEqual(self.body(), b"\r\na\r\nb\r\nc")

    def test_rset_between_chunks_forgets_them(self) -> None:
        self.assert_dialogue(
            script(RCPT, bdat("a"), CHUNK, "C: RSET\nS: 250...", bdat("b", last=True), MAIL_FIRST,
                   "C: MAIL FROM:<>\nC: RCPT TO:<a@b>", bdat("c", last=True), "S: 250...\n" * 3)
        )  # fmt: skip
        self.assertEqual(self.body(), b"\r\nc\r\n")

    def test_so_does_a_greeting(self) -> None:
        self.assert_dialogue(script(RCPT, bdat("a"), CHUNK, EHLO, bdat("b", last=True), MAIL_FIRST))

    def test_nothing_else_goes_on_between_chunks(self) -> None:
        busy = "S: 503 5.5.1 The message is coming by BDAT: go on, or say RSET"
        self.assert_dialogue(
            script(RCPT, bdat("a"), CHUNK, "C: DATA", busy, "C: RCPT TO:<c@d>", busy,
                   "C: MAIL FROM:<>\nS: 503 5.5.1 Sender already given", NOOP,
                   bdat("b", last=True), "S: 250 2.0.0 Taken as ...")
        )  # fmt: skip
        self.assertEqual(self.body(), b"\r\na\r\nb\r\n")

    def test_after_the_last(self) -> None:
        self.assert_dialogue(
            script(RCPT, bdat("a", last=True), "S: 250...", bdat("b", last=True), MAIL_FIRST, NOOP)
        )

    def test_a_drop_between_chunks_delivers_nothing(self) -> None:
        transport = self.connect()
        self.converse(transport, script(RCPT, bdat("a"), CHUNK))
        transport.send(b"BDAT 10 LAST\r\n123456789")
        transport.drop()
        self.assertEqual(self.delivery.contents, [])


class RefusedChunkTests(DialogueTestCase):
    """A refused chunk is read to its end, whatever is in it."""

    smuggled = bdat("MAIL FROM:<evil@x>\nRCPT TO:<evil@x>", last=True)

    def test_out_of_place(self) -> None:
        self.assert_dialogue(script(self.smuggled, MAIL_FIRST, NOOP))
        self.assert_dialogue(script(MAIL, self.smuggled, "S: 503 5.5.1 No valid recipients", NOOP))
        self.assert_dialogue(
            script("C: HELO a\nC: MAIL FROM:<>\nC: RCPT TO:<a@b>", "S: 250...\n" * 3, self.smuggled,
                   "S: 503 5.5.1 Say EHLO first", NOOP)
        )  # fmt: skip
        self.assertEqual(self.delivery.contents, [])

    def test_a_chunk_without_recipients_leaves_the_transaction(self) -> None:
        self.assert_dialogue(
            script(
                MAIL,
                self.smuggled,
                "S: 503...",
                "C: RCPT TO:<a@b>\nS: 250...",
                bdat("a", last=True),
                "S: 250...",
            )
        )

    def test_all_recipients_refused_in_one_group(self) -> None:
        transport = self.connect()
        self.delivery.refusals["a@b"] = RelayDenied()
        self.converse(
            transport,
            script(EHLO, "C: MAIL FROM:<>\nC: RCPT TO:<a@b>", bdat("x"), self.smuggled, "C: RSET",
                   "S: 250...\nS: 550...\nS: 503...\nS: 503...\nS: 250...")
        )  # fmt: skip

    def test_submission_wants_authentication(self) -> None:
        transport = self.connect(submission=True, portal=self.portal)
        transport.send(b"EHLO a\r\n")
        transport.read()
        self.converse(transport, script(self.smuggled, "S: 530 5.7.0 Authentication required", NOOP))

    def test_too_large_in_one(self) -> None:
        ehlo = RCPT.replace("52428800", "20")
        self.assert_dialogue(script(ehlo, bdat("x" * 19, last=True), TOO_LARGE, NOOP), max_message_size=20)
        self.assert_dialogue(script(ehlo, bdat("x" * 18, last=True), "S: 250...", NOOP), max_message_size=20)
        self.assertEqual(len(self.delivery.delivered), 1)

    def test_too_large_together(self) -> None:
        self.assert_dialogue(
            script(
                RCPT.replace("52428800", "20"), bdat("x" * 8), CHUNK, bdat("x" * 9), TOO_LARGE,
                bdat("x"), TOO_LARGE, bdat("", last=True), TOO_LARGE, bdat("", last=True), MAIL_FIRST,
            ),
            max_message_size=20,
        )  # fmt: skip
        self.assertEqual(self.delivery.contents, [])

    def test_chunks_that_were_under_way_are_no_further_errors(self) -> None:
        self.assert_dialogue(
            script(RCPT.replace("52428800", "2"), bdat("xx"), *[bdat("x")] * 30, bdat("", last=True),
                   f"{TOO_LARGE}\n" * 32, NOOP),
            max_message_size=2,
        )  # fmt: skip

    def test_bare_newlines_and_nul(self) -> None:
        for chunk, reply in (
            (b"BDAT 3 LAST\r\na\nb", b"550 5.6.11 Bare CR or LF in the message"),
            (b"BDAT 2 LAST\r\na\r", b"550 5.6.11 Bare CR or LF in the message"),
            (b"BDAT 3 LAST\r\na\0b", b"550 5.6.0 NUL in the message"),
        ):
            for piece in (0, 1):
                transport = self.connect()
                self.converse(transport, script(RCPT))
                transport.send(chunk + b"NOOP\r\n", piece)
                self.assertEqual(transport.read(), reply + b"\r\n250 2.0.0 OK\r\n")
                self.assertEqual(self.delivery.contents, [])

    def test_they_are_told_with_their_own_chunk(self) -> None:
        transport = self.connect()
        self.converse(transport, script(RCPT))
        transport.send(b"BDAT 1\r\n\nBDAT 1\r\naBDAT 0 LAST\r\nNOOP\r\n")
        refusal = b"550 5.6.11 Bare CR or LF in the message\r\n"
        self.assertEqual(transport.read(), refusal * 3 + b"250 2.0.0 OK\r\n")

    def test_bare_newlines_may_be_normalised(self) -> None:
        for piece in (0, 1):
            transport = self.connect(bare_newlines="normalise")
            self.converse(transport, script(RCPT))
            transport.send(b"BDAT 4\r\na\nb\rBDAT 2 LAST\r\n\nc", piece)
            self.assertRegex(transport.read(), rb"\A250 .*\r\n250 .*\r\n\Z")
            self.assertTrue(self.delivery.delivered[0][1].endswith(b"+0000\r\n\r\na\r\nb\r\nc"))


class SpoolTests(DialogueTestCase):
    def test_large_chunks_go_to_a_file(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        for piece in (0, 700):
            transport = self.connect(limits=SMTPLimits(memory=1000), spool_folder=folder)
            self.converse(transport, script(RCPT))
            lines = b"\r\n" + b"x" * 998
            transport.send(b"BDAT 10000\r\n" + lines * 10 + b"BDAT 10000 LAST\r\n" + lines * 10, piece)
            self.assertRegex(transport.read(), rb"\A250 .*\r\n250 2\.0\.0 Taken as .*\r\n\Z")
            self.assertIsInstance(self.delivery.contents[0], Content)
            self.assertTrue(self.delivery.delivered[0][1].endswith(b"+0000\r\n" + lines * 20))
        self.assertEqual(os.listdir(folder), [])

    def test_no_room_is_told_with_the_chunk(self) -> None:
        fill_the_disk(self)
        transport = self.connect(limits=SMTPLimits(memory=10))
        self.converse(transport, script(RCPT))
        transport.send(b"BDAT 20\r\n\r\n" + b"x" * 18)
        self.assertEqual(transport.read(), b"452 4.3.1 Insufficient system storage\r\n")

    def test_many_small_chunks_take_no_more_memory_than_one(self) -> None:
        transport = self.connect()
        self.converse(transport, script(RCPT))
        transport.send(b"BDAT 2\r\n\r\n" + b"BDAT 1\r\nx" * 5000)
        self.assertEqual(transport.read().count(b"250 2.0.0 Octets"), 5001)
        spool = transport.protocol.reception._spool  # type: ignore[attr-defined]
        self.assertLess(len(spool._chunks), 1000)
        self.converse(transport, "C: BDAT 0 LAST\nS: 250 2.0.0 Taken as ...")
        self.assertTrue(self.delivery.delivered[0][1].endswith(b"+0000\r\n\r\n" + b"x" * 5000))


class TimeTests(DialogueTestCase):
    TIMEOUT = b"421 4.4.2 mx.example timeout, closing connection\r\n"

    def test_a_chunk_that_stops(self) -> None:
        transport = self.connect()
        self.converse(transport, script(RCPT))
        transport.send(b"BDAT 1000 LAST\r\n" + b"x" * 999)
        self.clock.advance(299)
        self.assertEqual(transport.read(), b"")
        self.clock.advance(2)
        self.assertEqual(transport.read(), self.TIMEOUT)
        self.assertEqual(self.delivery.contents, [])

    def test_a_drip_is_silence(self) -> None:
        for start, begin, drip in (
            (RCPT, b"BDAT 1000000\r\n", b"x" * 1000),
            (EHLO, b"BDAT 1000000\r\n", b"x" * 1000),
            (RCPT, b"", b"BDAT 1\r\nx"),
        ):
            transport = self.connect()
            self.converse(transport, script(start))
            transport.send(begin)
            for _ in range(6):
                transport.send(drip)
                self.clock.advance(60)
            self.assertTrue(transport.read().endswith(self.TIMEOUT))

    def test_a_slow_sender_is_waited_for(self) -> None:
        for start, reply in ((RCPT, b"250 2.0.0 Octets"), (EHLO, b"503 5.5.1 Say MAIL first")):
            transport = self.connect()
            self.converse(transport, script(start))
            transport.send(b"BDAT 1800002\r\n\r\n")
            for _ in range(30):
                transport.send(b"\r\n".rjust(60_000, b"x"))
                self.clock.advance(60)
            self.assertTrue(transport.read().startswith(reply))

    def test_empty_chunks_without_end(self) -> None:
        transport = self.connect(limits=SMTPLimits(idle_commands=3))
        self.converse(transport, script(RCPT))
        transport.send(b"BDAT 0\r\n" * 10)
        self.assertEqual([line[:3] for line in transport.read().splitlines()], [b"250"] * 3 + [b"421"])


class LMTPChunkTests(LMTPDialogueTestCase):
    TWO = script(
        EHLO.replace("EHLO", "LHLO"),
        "C: MAIL FROM:<>\nC: RCPT TO:<a@b>\nC: RCPT TO:<c@d>\nS: 250...\nS: 250...\nS: 250...",
    )

    def test_the_last_is_answered_for_each_recipient(self) -> None:
        transport = self.connect()
        self.delivery.outcomes = [TAKEN, Outcome(452, "4.2.2", "Full")]
        self.converse(
            transport,
            script(
                self.TWO, bdat("a"), CHUNK, bdat("b", last=True), "S: 250 2.1.5 Kept (...\nS: 452 4.2.2 Full"
            ),
        )

    def test_so_is_a_failure(self) -> None:
        self.assert_dialogue(
            script(
                self.TWO.replace("52428800", "3"),
                bdat("ab"),
                TOO_LARGE,
                bdat("", last=True),
                TOO_LARGE,
                TOO_LARGE,
            ),
            max_message_size=3,
        )
