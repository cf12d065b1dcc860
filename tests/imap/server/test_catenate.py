"""CATENATE (RFC 4469)."""

from __future__ import annotations

from typing import Any

from mailproto.model import Part
from tests.imap.server.dialogue import DialogueTestCase, run

MULTIPART = (
    b"Subject: Report\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nfirst\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>second</b>\r\n--x--\r\n"
)


class CatenateTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(MULTIPART, (), 0)
        self.drafts: Any = run(self.account.open("Drafts"))

    def send(self, data: bytes, select: str = "") -> bytes:
        client = self.sign_in(select=select)
        client.send(data)
        for _ in range(20):
            self.clock.advance(0)  # others have their turn
        self.assertEqual((client.session.uploads, self.factory.spool_room.used), ([], 0))
        return client.received()

    def last(self) -> bytes:
        uid_next = run(self.drafts.status()).uid_next
        [info] = run(self.drafts.read([uid_next - 1], Part.CONTENT))
        return bytes(info.content)

    def test_texts_and_urls(self) -> None:
        validity = self.inbox.uid_validity
        url = b"imap://alice@mail.example.org/INBOX;UIDVALIDITY=%d/;UID=1/;SECTION=2" % validity
        answer = self.send(
            b'a APPEND Drafts CATENATE (TEXT {8+}\r\nA: b\r\n\r\n URL "/INBOX/;UID=1/;SECTION=1"'
            b" TEXT {2+}\r\n,  URL {%d+}\r\n%b)\r\n" % (len(url), url)
        )
        self.assertIn(b" 1] APPEND completed", answer)
        self.assertEqual(self.last(), b"A: b\r\n\r\nfirst, <b>second</b>")

    def test_what_a_url_can_name(self) -> None:
        for url, content in (
            (b"/INBOX/;UID=1", MULTIPART),
            (b"/%49NBOX;UID=1", MULTIPART),
            (b";UID=1/;SECTION=TEXT", MULTIPART.partition(b"\r\n\r\n")[2]),
            (b"/;UID=1/;SECTION=2.MIME", b"Content-Type: text/html\r\n\r\n"),
            (b"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(SUBJECT)", b"Subject: Report\r\n\r\n"),
            (b"/INBOX/;UID=1/;SECTION=1/;PARTIAL=1.3", b"irs"),
            (b"/INBOX/;UID=1/;SECTION=1/;PARTIAL=3", b"st"),
        ):
            answer = self.send(b'a APPEND Drafts CATENATE (URL "%b")\r\n' % url, select="INBOX")
            self.assertIn(b"a OK", answer, url)
            self.assertEqual(self.last(), content, url)

    def test_what_it_cannot(self) -> None:
        for url in (
            b"/Nowhere/;UID=1",
            b"/INBOX/;UID=9",
            b"/INBOX;UIDVALIDITY=1/;UID=1"
            if self.inbox.uid_validity != 1
            else b"/INBOX;UIDVALIDITY=2/;UID=1",
            b"/INBOX/;UID=1/;SECTION=7",
            b"/INBOX/;UID=1/;SECTION=TEXT.2",
            b"/INBOX",
            b"/INBOX/;UID=0",
            b"http://example.org/",
            b";UID=1",
            b"/%ff/;UID=1",
        ):
            answer = self.send(
                b'a APPEND Drafts CATENATE (TEXT {1+}\r\nx URL "%b" TEXT {1+}\r\ny)\r\nb NOOP\r\n' % url
            )
            refusal = b'a NO [BADURL "%b"] No such part of a message\r\n' % url
            self.assertEqual(answer, refusal + b"b OK NOOP completed\r\n")
        answer = self.send(b'a APPEND Drafts CATENATE (URL {3+}\r\na"b)\r\n')
        self.assertEqual(answer, b"a NO No such part of a message\r\n")
        self.assertEqual(run(self.drafts.status()).messages, 0)

    def test_what_is_wrong(self) -> None:
        for text, answer in (
            (b"()", b"a BAD Expected TEXT or URL\r\n"),
            (b"(WORD x)", b"a BAD Expected TEXT or URL\r\n"),
            (b"(TEXT x)", b"a BAD Expected a literal\r\n"),
            (b"(URL /INBOX/;UID=1", b"a BAD Missing argument\r\n"),
            (b"(TEXT {0+}\r\n)", b"a NO Message is empty\r\n"),
            (b"(TEXT {3+}\r\na\0b)", b"a NO Message contains NUL\r\n"),
            (b"(" + b" ".join([b"URL /INBOX/;UID=1"] * 65) + b")", b"a NO [LIMIT] Too many parts\r\n"),
        ):
            said = self.send(b"a APPEND Drafts CATENATE " + text + b"\r\nb NOOP\r\n")
            self.assertEqual(said, answer + b"b OK NOOP completed\r\n", text[:50])

    def test_together_with_others(self) -> None:
        answer = self.send(
            b"a APPEND Drafts {1+}\r\n1 () CATENATE (URL /INBOX/;UID=1/;SECTION=1 TEXT {1+}\r\n2)"
            b" {1+}\r\n3\r\n"
        )
        self.assertIn(b" 1:3] APPEND completed", answer)
        infos = run(self.drafts.read([1, 2, 3], Part.CONTENT))
        self.assertEqual([bytes(info.content) for info in infos], [b"1", b"first2", b"3"])

    def test_the_limit_is_for_the_whole_message(self) -> None:
        self.inbox.add(b"x" * 600_000, (), 0)
        answer = self.send(b"a APPEND Drafts CATENATE (URL /INBOX/;UID=2 URL /INBOX/;UID=2)\r\n")
        self.assertEqual(answer, b"a NO [TOOBIG] Message too large\r\n")
        answer = self.send(
            b"a APPEND Drafts CATENATE (URL /INBOX/;UID=2) CATENATE (TEXT {1+}\r\ny URL /INBOX/;UID=2)\r\n"
        )
        self.assertIn(b" 1:2] APPEND completed", answer)
        self.assertEqual(self.last(), b"y" + b"x" * 600_000)
