"""Rows 1, 3 and 4: what is content, and where it ends (RFC 5321 2.3.8, 4.1.1.4, 4.5.2)."""

from __future__ import annotations

from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.wire import SMTPWireLimits
from tests.smtp.server.corner_cases.test_commands import RCPT
from tests.smtp.server.corner_cases.transcript import TranscriptTestCase

BEGIN = """
    C: EHLO client.example
    S: 250...
    C: MAIL FROM:<a@client.example>
    S: 250 2.1.0...
    C: RCPT TO:<b@mx.example>
    S: 250 2.1.5...
    C: DATA
    S: 354...
"""
TAKEN = "S: 250 2.0.0 Taken as ..."
BARE = "S: 550 5.6.11 Bare CR or LF in the message"
IN_STEP = """
    C: NOOP
    S: 250 2.0.0 OK
    C: MAIL FROM:<c@client.example>
    S: 250 2.1.0...
"""

ALMOST_ENDS = {
    "LF . LF": "␊.␊",
    "LF . CRLF": "␊.␍␊",
    "CR . CR": "␍.␍",
    "CR . CRLF": "␍.␍␊",
    "CRLF . LF": "␍␊.␊",
    "CRLF . CR": "␍␊.␍x",
    "LF CR . CR LF": "␊␍.␍␊",
    "CR LF LF . CR LF": "␍␊␊.␍␊",
    "CRLF . CR CR LF": "␍␊.␍␍␊",
    "CRLF . CR LF behind a NUL": "␍␊␀.␍␊",
    "CRLF . NUL CRLF": "␍␊.␀␍␊",
}
"""What some receiver took for the end of the mail data, or some sender for content."""


class TransparencyTests(TranscriptTestCase):
    def test_01_a_leading_dot_is_taken_off(self) -> None:
        """RFC 5321 4.5.2: ``..x`` is ``.x``; ``.x``, which no client should send, is ``x``."""
        [message] = self.play(
            BEGIN + f"C: ..x\nC: .x\nC: ...\nC: ..\nC: x..\nC:  ..\nC:\nC: ..\nC: .\n{TAKEN}" + IN_STEP
        )
        self.assertEqual(message.content, b"\r\n.x\r\nx\r\n..\r\n.\r\nx..\r\n ..\r\n\r\n.\r\n")

    def test_01_wherever_a_segment_ends(self) -> None:
        """RFC 5321 4.5.2: dots, CRs and LFs on either side of every cut."""
        for content, meant in (
            (b".\r\n", b""),
            (b"..\r\n.\r\n", b"\r\n.\r\n"),
            (b"\r\n.\r\n", b"\r\n"),
            (b"\r\n\r\n..\r\n\r\n.\r\n", b"\r\n\r\n.\r\n\r\n"),
            (
                b"a: b\r\n\r\n..\r\n...\r\n....\r\nx\r\n..\r\n.\r\n",
                b"a: b\r\n\r\n.\r\n..\r\n...\r\nx\r\n.\r\n",
            ),
            (b"x.\r\n.x\r\n..\r\n.\r\n", b"\r\nx.\r\nx\r\n.\r\n"),
        ):
            [message] = self.play_cut(BEGIN, content, TAKEN)
            self.assertEqual(message.content, meant)

    def test_01_nothing_but_dots(self) -> None:
        """RFC 5321 4.5.2: each line loses one, however many it has."""
        lines = [b"." * number for number in range(2, 200)]
        [message] = self.play(BEGIN + "".join(f"C: {line.decode()}\n" for line in lines) + f"C: .\n{TAKEN}")
        self.assertEqual(message.content, b"\r\n" + b"".join(line[1:] + b"\r\n" for line in lines))


class EndOfDataTests(TranscriptTestCase):
    def test_03_nothing_else_ends_the_data(self) -> None:
        """RFC 5321 2.3.8 and 4.1.1.4: CRLF . CRLF alone; what follows an imitation is no command."""
        for name, almost in ALMOST_ENDS.items():
            reply = "S: 550 5.6.0 NUL in the message" if "NUL" in name else BARE
            with self.subTest(name):
                messages = self.play(
                    BEGIN
                    + f"C: a: b\nC:\nC: x{almost}MAIL FROM:<evil@client.example>\n"
                    + "C: RCPT TO:<b@mx.example>\nC: DATA\nC: smuggled\nC: .\n"
                    + reply
                    + IN_STEP
                )
                self.assertEqual(messages, [])

    def test_03_as_the_first_line_of_the_data(self) -> None:
        """RFC 5321 4.1.1.4: the CRLF of the DATA command is that before a first ``.``."""
        for first in (".␊", ".␍", "␊.␊", "␍.␍"):
            with self.subTest(first):
                self.assertEqual(
                    self.play(BEGIN + f"C: {first}MAIL FROM:<evil@x>\nC: .\n{BARE}" + IN_STEP), []
                )
        [message] = self.play(BEGIN + f"C: .\n{TAKEN}" + IN_STEP)
        self.assertEqual(message.content, b"")

    def test_04_bare_newlines_are_refused_in_step(self) -> None:
        """RFC 5321 2.3.8: none is passed on, and what follows the dot is heard."""
        for text in ("a␊b", "a␍b", "a␍", "␊", "␍", "a␍␍␊b", "a: b␊c: d", "␊␍"):
            with self.subTest(text):
                self.assertEqual(self.play(BEGIN + f"C: {text}\nC: .\n{BARE}" + IN_STEP), [])

    def test_04_bare_newlines_are_normalised_where_that_is_asked_for(self) -> None:
        """RFC 5322 2.3: CR and LF only together; and what they make is never the end of the data."""
        for text, meant in (
            ("a␊b", b"\r\na\r\nb\r\n"),
            ("a␍b", b"\r\na\r\nb\r\n"),
            ("a␊.␊b", b"\r\na\r\n.\r\nb\r\n"),
            ("a␍.␍b", b"\r\na\r\n.\r\nb\r\n"),
            ("a␊.", b"\r\na\r\n.\r\n"),
        ):
            with self.subTest(text):
                [message] = self.play(
                    BEGIN + f"C: {text}\nC: .\n{TAKEN}" + IN_STEP, bare_newlines="normalise"
                )
                self.assertEqual(message.content, meant)

    def test_04_a_bare_newline_cut_from_its_neighbour_is_still_bare(self) -> None:
        """RFC 5321 2.3.8: the end of a segment is no CRLF, and a CRLF cut in two is one."""
        for content in (
            b"a\r\r\n.\r\n",  # the end, behind a bare CR
            b"a\n\r\n.\r\n",
            b"a\r\n\r.\r\n.\r\n",
            b"\r\n\n.\r\n\r\n.\r\n",
        ):
            self.assertEqual(self.play_cut(BEGIN, content, BARE), [])
        [message] = self.play_cut(BEGIN, b"a\r\nb\r\n\r\nc\r\n.\r\n", TAKEN)
        self.assertEqual(message.content, b"\r\na\r\nb\r\n\r\nc\r\n")


class OddContentTests(TranscriptTestCase):
    def test_03_a_command_in_the_text_is_text(self) -> None:
        """RFC 5321 4.1.1.4: nothing is a command before the dot."""
        [message] = self.play(BEGIN + f"C: QUIT\nC: RSET\nC: DATA\nC: .QUIT\nC: .\n{TAKEN}" + IN_STEP)
        self.assertEqual(message.content, b"\r\nQUIT\r\nRSET\r\nDATA\r\nQUIT\r\n")

    def test_29_lines_of_more_than_a_thousand_octets_are_kept(self) -> None:
        """RFC 5321 4.5.3.1.6: 998 octets must be taken, and longer lines must not be cut."""
        for length in (998, 999, 2048, 2049, 100_000):
            [message] = self.play(BEGIN + f"C: a: b\nC:\nC: {'x' * length}\nC: .\n{TAKEN}" + IN_STEP)
            self.assertEqual(message.content, b"a: b\r\n\r\n" + b"x" * length + b"\r\n")

    def test_29_a_line_that_is_too_long_is_refused_in_step(self) -> None:
        """RFC 5321 4.5.3.1.6 and 4.5.3.1.9: by DATA and by BDAT."""
        limits = SMTPLimits(greeting_wait=0, wire=SMTPWireLimits(text_line=998))
        refused = "S: 550 5.6.0 Line too long in the message"
        for length, reply in ((998, TAKEN), (999, refused), (100_000, refused)):
            line = "x" * length
            self.play(BEGIN + f"C: a: b\nC:\nC: {line}\nC: .\n{reply}" + IN_STEP, limits=limits)
            self.play(
                RCPT + f"C: BDAT 8\nC~: a: b␍␊␍␊\nS: 250...\n"
                f"C: BDAT {length} LAST\nC~: {line}\n{reply}" + IN_STEP,
                limits=limits,
            )

    def test_04_messages_that_are_hardly_messages(self) -> None:
        """RFC 5321 2.3.9: the text is passed on as it is: empty, without header or body, or in 8 bits."""
        for sent, meant in (
            ("C: .", b""),
            ("C:\nC: .", b"\r\n"),
            ("C:\nC: text\nC: .", b"\r\ntext\r\n"),
            ("C: a: b\nC: .", b"a: b\r\n"),
            ("C: no header at all\nC: .", b"\r\nno header at all\r\n"),
            ("C: a: b\nC: no field\nC: c: d\nC: .", b"a: b\r\n\r\nno field\r\nc: d\r\n"),
            ("C: a: b\nC:  folded\nC: :\nC: .", b"a: b\r\n folded\r\n\r\n:\r\n"),
            (
                "C: obsolete ␉: syntax\nC: two words: none\nC: .",
                b"obsolete \t: syntax\r\n\r\ntwo words: none\r\n",
            ),
            ("C: größe: 1\nC: .", "größe: 1\r\n".encode()),
            ("C: 日 本: 1\nC: .", "\r\n日 本: 1\r\n".encode()),
            # What begins with white space is no header: it must not go on with our trace field.
            ("C:  folded: first\nC: .", b"\r\n folded: first\r\n"),
            ("C: Subject: grüße\nC:\nC: 8 bits: ü\nC: .", "Subject: grüße\r\n\r\n8 bits: ü\r\n".encode()),
            ("C: Subject: \udcff\udcfe\nC: .", b"Subject: \xff\xfe\r\n"),
            ("C: ␉\nC: .", b"\r\n\t\r\n"),
        ):
            with self.subTest(sent):
                [message] = self.play(BEGIN + sent + "\n" + TAKEN + IN_STEP)
                self.assertEqual(message.content, meant)

    def test_04_large_messages_without_a_header_section(self) -> None:
        """RFC 5322 2.1: what is no field is body there too, wherever memory ends and a file begins."""
        for header, text in (
            ("", "  indented"),
            ("", "hello world"),
            ("", "x" * 60),
            ("a: b\n", "hello world"),
            ("a: b\n c\n", "hello"),
        ):
            sent = [*(header + text).split("\n"), *["c: d"] * 8]
            kept = f"{header}\n{text}\n".replace("\n", "\r\n") + "c: d\r\n" * 8
            transcript = BEGIN + "".join(f"C: {line}\n" for line in sent) + f"C: .\n{TAKEN}" + IN_STEP
            for memory in range(len(header) + 1, len(kept), 5):
                with self.subTest(f"{header!r} {text!r}, {memory} octets in memory"):
                    [message] = self.play(transcript, limits=SMTPLimits(greeting_wait=0, memory=memory))
                    self.assertEqual(message.content, kept.encode())

    def test_29_a_header_section_that_is_too_large(self) -> None:
        """RFC 5321 4.5.3.1.9: 552, for what are fields, also where that is not yet plain in memory."""
        fields = "C: a: b\n" * 40
        for memory in range(100, 120):
            limits = SMTPLimits(greeting_wait=0, memory=memory, header=100)
            for text, reply in (("C: e: f", "S: 552 5.3.4 Header section too large"), ("C: e f", TAKEN)):
                self.play(
                    BEGIN + "C: a: b\n" * 16 + f"{text}\n{fields}C: .\n{reply}" + IN_STEP, limits=limits
                )
