"""What stands before and among the fields of a message: SMTP and LMTP read it as APPEND's readers do."""

from __future__ import annotations

from mailproto.message import Section, header_fields, scan, section, summarise
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.smtp.server._spool import Spool
from tests.smtp.server.dialogue import DialogueTestCase, claim

MBOX = b"From root Mon Mar  2 10:00:00 2020\r\n"
FIELDS = b"Subject: hi\r\nTo: a@b\r\nContent-Type: text/html\r\n"
BODY = b"\r\n<p>body\r\n"
GREETINGS = ((SMTPServerFactory, b"EHLO"), (LMTPServerFactory, b"LHLO"))


class HeaderSectionTests(DialogueTestCase):
    def sent(self, content: bytes, *, chunked: bool = False, piece: int = 0, memory: int = 1 << 18) -> bytes:
        """What a delivery is given, without our trace field; by SMTP as by LMTP."""
        contents = []
        for self.factory_class, verb in GREETINGS:
            transport = self.connect(limits=SMTPLimits(greeting_wait=0, memory=memory))
            transport.send(verb + b" a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
            if chunked:
                transport.send(b"BDAT %d LAST\r\n" % len(content) + content, piece)
            else:
                transport.send(b"DATA\r\n" + content.replace(b"\r\n.", b"\r\n..") + b".\r\n", piece)
            self.assertIn(b"\r\n250 2.", transport.read())
            [(_, content_with_trace)] = self.delivery.delivered
            contents.append(content_with_trace.partition(b" +0000\r\n")[2])
        self.assertEqual(contents[0], contents[1])
        return contents[0]

    def test_lines_before_the_first_field_become_fields(self) -> None:
        for before, named in (
            (b"", b""),
            (MBOX, b"X-Mailbox-Line: " + MBOX),
            (b">" + MBOX * 2, b"X-Mailbox-Line: >" + MBOX + b"X-Mailbox-Line: " + MBOX),
            (b"\xef\xbb\xbf", b""),
            (b"\xef\xbb\xbf" + MBOX, b"X-Mailbox-Line: " + MBOX),
            (b" folded\r\n", b"X-No-Field:  folded\r\n"),
            (b"\t\r\n", b"X-No-Field: \t\r\n"),
            (MBOX + b"garbage\r\n", b"X-Mailbox-Line: " + MBOX + b"X-No-Field: garbage\r\n"),
            (b"garbage\r\n", b"X-No-Field: garbage\r\n"),
            ("größe: 1\r\n".encode(), "größe: 1\r\n".encode()),
            (b"received : x\r\n", b"received : x\r\n"),
        ):
            for chunked in (False, True):
                self.assertEqual(self.sent(before + FIELDS + BODY, chunked=chunked), named + FIELDS + BODY)

    def test_lines_among_fields_become_fields(self) -> None:
        for line, name in ((MBOX, b"X-Mailbox-Line: "), (b"unfolded\r\n", b"X-No-Field: ")):
            content = b"Return-Path: <>\r\n" + line + FIELDS + BODY
            self.assertEqual(self.sent(content), content.replace(line, name + line))

    def test_where_memory_ends_makes_no_difference(self) -> None:
        for before in (b"", MBOX, MBOX + b"x\r\n", b"\xef\xbb\xbf", b" x\r\n"):
            content = before + FIELDS + b"x\r\n" + FIELDS + BODY + b"z\r\n" * 60
            meant = self.sent(content)
            for memory in range(len(FIELDS) * 2 + 150, len(content), 7):
                self.assertEqual(self.sent(content, memory=memory, piece=5), meant, (before, memory))
        text = MBOX + b"text\r\n" * 60
        for memory in range(1, len(text), 9):
            self.assertEqual(self.sent(text, memory=memory, piece=5), b"\r\n" + text)

    def test_where_memory_ends_within_a_gap(self) -> None:
        """What is undecided there waits for more, and what was found before counts."""
        broken = b"x\r\nTo: a\r\nCc: b\r\n"
        for gaps in (0, 1, 8, 9):
            before = FIELDS + broken * gaps
            for rest in (b"x\r\nTo: a\r\nCc: b\r\n" + BODY, b"x\r\ny\r\n" + MBOX, b"Subject:\r\n" + BODY):
                whole = Spool(10_000, None, SMTPLimits(), claim())
                whole.write(before + rest)
                meant = bytes(whole.finish().content(b""))
                for cut in range(1, min(rest.index(b"\n"), rest.index(b":") + 1)):
                    spool = Spool(10_000, None, SMTPLimits(memory=len(before) + cut - 1), claim())
                    spool.write(before + rest[:cut])
                    spool.write(rest[cut:])
                    self.assertEqual(bytes(spool.finish().content(b"")), meant, (gaps, rest, cut))

    def test_all_ways_agree(self) -> None:
        """What is delivered is read as is the same message, kept octet for octet."""
        for content in (
            FIELDS + BODY,
            *(before + FIELDS + BODY for before in (
                MBOX, b">" + MBOX, MBOX * 9, MBOX * 10, b"\xef\xbb\xbf", b"\xef\xbb\xbf" + MBOX, b"\r\n",
                b"\r\n\r\n", b" \r\n", b"\t\r\n\r\n", b" folded\r\n", b"x\r\n", b"x y: z\r\n", b"x\r\n" * 4,
                b"received: x\r\n", b"A : b\r\n", "größe: 1\r\n".encode(), "größe 1: 1\r\n".encode(),
                b":\r\n",
                MBOX + b"x\r\n", b"x\r\n" + MBOX, b"\xef\xbb\xbf\r\n", b"From : a@b\r\n", b"From  a\r\n",
            )),
            *(FIELDS + among + b"From: a@b\r\nDate: x\r\n" + BODY for among in (
                b"x\r\n", b"x\r\n" * 4, b"x\r\n\r\n", MBOX, b" \r\n", b"y y: z\r\n", b":\r\n",
            )),
            b"hello\r\n", b"hello\r\nBcc: me\r\n", MBOX + b"\r\nhello\r\n", MBOX,
            b"a: b\r\nhello\r\nc: d\r\n",
            FIELDS, FIELDS + b"text\r\n", b"\r\n", b"text\r\n\r\n" + FIELDS + BODY,
        ):  # fmt: skip
            delivered = self.sent(content)
            meant, found = summarise(content), summarise(delivered)
            self.assertEqual((found.envelope, found.body_structure), (meant.envelope, meant.body_structure))
            texts = [bytes(section(c, scan(c), Section((), "TEXT")) or b"") for c in (content, delivered)]
            self.assertEqual(texts[1], texts[0], content)
            names = [
                [field.name for field in header_fields(c) if b" " not in field.name and field.name]
                for c in (content, delivered)
            ]
            kept = [name for name in names[1] if name not in (b"X-Mailbox-Line", b"X-No-Field")]
            self.assertEqual(kept, names[0], content)
