"""An application's message becomes octets, a sender and recipients."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.mime.text import MIMEText
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import NULL_PATH
from mailproto.smtp.client._composing import Composed, compose

NOW = 1_000_000_000


def message(body: str = "Hi.\n", **fields: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in {"From": "Me <me@a.example>", "To": "you@b.example", **fields}.items():
        made[name.replace("_", "-")] = value
    made.set_content(body)
    return made


def made(message: Any, sender: Any = None, recipients: Any = None) -> Composed:
    return compose(message, sender, recipients, NOW)


class AddressTests(SynchronousTestCase):
    def names(self, composed: Composed) -> list[str]:
        return [str(composed.sender), *map(str, composed.recipients)]

    def test_from_the_header(self) -> None:
        composed = made(message(Cc="Them <c@b.example>, you@b.example", Bcc="secret@b.example"))
        self.assertEqual(
            self.names(composed), ["me@a.example", "you@b.example", "c@b.example", "secret@b.example"]
        )

    def test_of_octets_and_text(self) -> None:
        text = "From: me@a.example\nSender: other@a.example\nTO: x@b.example,\n y@b.example\n\nTo: nobody\n"
        for whole in (text, text.encode(), text.encode().replace(b"\n", b"\r\n")):
            self.assertEqual(self.names(made(whole)), ["other@a.example", "x@b.example", "y@b.example"])

    def test_sent_again(self) -> None:
        """RFC 5322 3.6.6: the Resent- block counts alone."""
        again = message(
            Bcc="old@b.example",
            Resent_Date="Sun, 09 Sep 2001 01:46:40 +0000",
            Resent_From="again@a.example",
            Resent_To="new@b.example",
            Resent_Bcc="hidden@b.example",
        )
        composed = made(again)
        self.assertEqual(self.names(composed), ["again@a.example", "new@b.example", "hidden@b.example"])
        self.assertNotIn(b"hidden", composed.content)
        twice = b"Resent-Date: x\r\nResent-Date: y\r\nFrom: a@b.example\r\nTo: a@b.example\r\n\r\n"
        self.assertRaises(ValueError, made, twice)

    def test_given(self) -> None:
        self.assertEqual(self.names(made(message(), "", "x@c.example"))[1:], ["x@c.example"])
        self.assertEqual(made(message(), NULL_PATH, ["x@c.example", "x@c.example"]).sender, NULL_PATH)

    def test_lacking(self) -> None:
        for whole in ("To: a@b.example\n\n", "From: a@b.example\n\n", "", "From: a\nTo: b\n\n"):
            self.assertRaises(ValueError, made, whole)
        self.assertRaises(ValueError, made, message(), "a@b.example\r\nRSET")


class ContentTests(SynchronousTestCase):
    def test_bcc_is_left_out(self) -> None:
        text = (
            "From: a@b.example\nBCC : x@b.example,\n\ty@b.example\nTo: c@b.example\n"
            "Resent-bcc: z@b.example\nSubject: Bcc: x\n\nBcc: stays\n"
        )
        expected = b"From: a@b.example\r\nTo: c@b.example\r\nSubject: Bcc: x\r\n\r\nBcc: stays\r\n"
        for newline in ("\n", "\r\n", "\r"):
            self.assertEqual(made(text.replace("\n", newline)).content, expected)
        self.assertEqual(made("To: a@b.example\r\nBcc: a@b.example", "").content, b"To: a@b.example\r\n")
        self.assertNotIn(b"secret", made(message(Bcc="secret@b.example")).content)

    def test_the_message_is_not_changed(self) -> None:
        original = message(Bcc="secret@b.example")
        before = original.as_bytes()
        made(original)
        self.assertEqual(original.as_bytes(), before)

    def test_date_and_id(self) -> None:
        sent = message_from_bytes(made(message()).content)
        self.assertEqual(sent["Date"], "Sun, 09 Sep 2001 01:46:40 -0000")
        self.assertRegex(sent["Message-ID"], r"\A<.+@a\.example>\Z")
        kept = made(message(Date="Mon, 10 Sep 2001 01:46:40 +0000", Message_ID="<1@a.example>")).content
        self.assertEqual(kept.count(b"Date:"), 1)
        self.assertIn(b"Message-ID: <1@a.example>\r\n", kept)

    def test_seven_bits(self) -> None:
        """What every server takes, whoever made it."""
        for each in (message("Grüße\n", Subject="Grüße"), MIMEText("Grüße\n", _charset="utf-8")):
            content = made(each, "a@b.example", "a@b.example").content
            self.assertTrue(content.isascii())
            self.assertNotIn(b"\n", content.replace(b"\r\n", b""))
            self.assertEqual(message_from_bytes(content).get_payload(decode=True).rstrip(), "Grüße".encode())

    def test_international(self) -> None:
        content = made(message(Subject="Grüße"), "grüße@a.example").content
        self.assertIn("Subject: Grüße\r\n".encode(), content)
        text = "From: Grüße <grüße@a.example>\r\n\r\n"
        composed = made(text, None, "a@b.example")
        self.assertEqual((str(composed.sender), composed.content), ("grüße@a.example", text.encode()))
