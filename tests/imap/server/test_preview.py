"""PREVIEW (RFC 8970)."""

from __future__ import annotations

from mailproto.imap.server._extensions import preview
from tests.imap.server.dialogue import DialogueTestCase, message

HTML = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<p>Gr\xc3\xbc\xc3\x9fe</p>\r\n--b--\r\n"
)


class PreviewTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(message("One", "> quoted\r\nPreview\r\ntext!\r\n"), (), 0)
        self.inbox.add(HTML, (), 0)
        self.inbox.add(b"Content-Type: image/png\r\n\r\nxyz", (), 0)
        self.inbox.add(message("Four", "long " * 100), (), 0)
        self.sign_in(select="INBOX")

    def test_previews(self) -> None:
        self.talk(
            """
            C: A1 FETCH 1 (PREVIEW)
            S: * 1 FETCH (PREVIEW "Preview text!")
            S: A1 OK FETCH completed
            C: A2 FETCH 2 (UID PREVIEW (LAZY) RFC822.SIZE)
            S: * 2 FETCH (UID 2 RFC822.SIZE 115 PREVIEW {7}
            S: Grüße)
            S: A2 OK FETCH completed
            C: A3 UID FETCH 3 PREVIEW
            S: * 3 FETCH (UID 3 PREVIEW "")
            S: A3 OK UID FETCH completed
            C: A4 FETCH 1 preview (lazy)
            S: * 1 FETCH (PREVIEW "Preview text!")
            S: A4 OK FETCH completed
            C: A5 FETCH 1 FLAGS
            S: * 1 FETCH (FLAGS (\\Recent))
            S: A5 OK FETCH completed
            """
        )
        client = self.clients[""]
        client.send(b"A6 FETCH 4 PREVIEW\r\n")
        self.assertIn(b'PREVIEW "%b")' % (b"long " * 40).strip(), client.received())

    def test_lazily(self) -> None:
        self.patch(preview, "_LAZY_OCTETS", 200)
        self.talk(
            """
            C: a FETCH 4 (PREVIEW (LAZY LAZY))
            S: * 4 FETCH (PREVIEW NIL)
            S: a OK FETCH completed
            C: b SEARCH RETURN (SAVE) SUBJECT one
            C: c FETCH $ (UID PREVIEW (LAZY))
            S: b OK SEARCH completed
            S: * 1 FETCH (UID 1 PREVIEW "Preview text!")
            S: c OK FETCH completed
            C: d FETCH 1 (PREVIEW (EAGER))
            S: d BAD ...
            C: e FETCH 1 (PREVIEW ())
            S: e BAD ...
            """
        )
