"""An application's message becomes octets, a sender and recipients."""

from __future__ import annotations

import contextlib
import random
import re
import smtplib
from email import message_from_bytes, message_from_string
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP, compat32, default
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import ADDRESSES_LIMIT, header_fields, parse_addresses
from mailproto.model import NULL_PATH, Address, Recipient
from mailproto.smtp.client._composing import Composed, compose
from mailproto.smtp.wire import ascii_domain

NOW = 1_000_000_000


def message(body: str = "Hi.\n", **fields: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in {"From": "Me <me@a.example>", "To": "you@b.example", **fields}.items():
        made[name.replace("_", "-")] = value
    made.set_content(body)
    return made


def made(message: Any, sender: Any = None, recipients: Any = None) -> Composed:
    return compose(message, sender, recipients, NOW)


def addresses(content: bytes) -> list[str]:
    """Those in To."""
    [field] = [field for field in header_fields(content) if field.name == b"To"]
    return [
        f"{mailbox.local.decode()}@{mailbox.host.decode()}"
        for mailbox in parse_addresses(field.value)
        if mailbox.local is not None and mailbox.host is not None
    ]


class StandIn:
    """What smtplib needs of a server."""

    content = b""

    def ehlo_or_helo_if_needed(self) -> None:
        """Nothing is said."""

    def sendmail(self, sender: Any, recipients: Any, content: bytes, *options: Any) -> None:
        self.content = content


def split(address: str) -> list[str]:
    return address.rsplit("@", 1)


class AddressTests(SynchronousTestCase):
    def names(self, composed: Composed) -> list[str]:
        return [str(composed.sender), *(str(each.address) for each in composed.recipients)]

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

    def test_parameters(self) -> None:
        alice = Recipient(Address("alice", "b.example"), {"NOTIFY": "NEVER"})
        self.assertEqual(made(message(), None, [alice, "alice@b.example"]).recipients, (alice,))

    def test_duplicates(self) -> None:
        """Domains are equal however they are written, local parts are not."""
        given = ["a@b.example", "a@B.Example", "a@bücher.example", "a@xn--bcher-kva.example", "A@b.example"]
        self.assertEqual(self.names(made(message(), "", given))[1:], [given[0], given[2], given[4]])

    def test_lacking(self) -> None:
        for whole in (
            "To: a@b.example\n\n",
            "From: a@b.example\n\n",
            "",
            "From: a\nTo: b\n\n",
            "From: a@b.example\nTo: @b.example\n\n",
        ):
            self.assertRaises(ValueError, made, whole)
        self.assertRaises(ValueError, made, message(), "a@b.example\r\nRSET")


class ListTests(SynchronousTestCase):
    """No address of a list is missed, and what cannot be read is not passed over."""

    def forms(self, name: str, value: str) -> list[Any]:
        """A message with this field: as octets, read, and set, where that does not take long."""
        text = f"From: me@a.example\n{name}: {value}\n\nHi.\n"
        whole = [
            text,
            text.encode(),
            *[message_from_string(text, policy=policy) for policy in (default, compat32)],
        ]
        old = MIMEText("Hi.\n")
        old["From"] = "me@a.example"
        old[name] = value
        if len(value) < 10_000:
            with contextlib.suppress(AttributeError):  # the email package's, for what is no address
                whole.append(message(**{"To": "", name: value}))
        return [*whole, old]

    def test_however_many(self) -> None:
        names = [f"somebody{number}@b.example" for number in range(ADDRESSES_LIMIT + 5)]
        for name in ("To", "Cc", "Bcc"):
            for separator in (", ", ",", " (c), "):
                for each in self.forms(name, separator.join(names)):
                    composed = made(each)
                    self.assertEqual([str(recipient.address) for recipient in composed.recipients], names)
                    self.assertEqual(composed.names, tuple(names))
        self.assertEqual(len(made(b"From: a@b.example\n\n", None, names).recipients), len(names))
        many = "".join(f"Bcc: {name}\n" for name in names)
        for whole in (many, message_from_string(many)):
            composed = made(whole, "a@b.example")
            self.assertEqual(len(composed.recipients), len(names))
            self.assertNotIn(b"Bcc", composed.content)

    def test_a_field_that_is_rewritten_is_whole(self) -> None:
        names = [f"somebody{number}@b.example" for number in range(ADDRESSES_LIMIT + 5)]
        for rewritten in (["Jörg <j@b.example>", *names], [*names, "j@bücher.example"]):
            text = f"From: a@b.example\nTo: {', '.join(rewritten)}\n\n"
            content = made(message_from_string(text, policy=default)).content
            [field] = [field.value for field in header_fields(content) if field.name == b"To"]
            self.assertEqual(len(parse_addresses(field, strict=True)), len(rewritten))

    def test_what_is_read(self) -> None:
        for value, expected in (
            ("a@b.example, , b@b.example,", ["a@b.example", "b@b.example"]),
            (", a@b.example", ["a@b.example"]),
            ("A: a@b.example, b@b.example;, c@b.example", ["a@b.example", "b@b.example", "c@b.example"]),
            ("undisclosed-recipients:;, a@b.example", ["a@b.example"]),
            ("A (x): (y) a@b.example (z); (w)", ["a@b.example"]),
            ("a@b.example (b, c@d.example), e@b.example", ["a@b.example", "e@b.example"]),
            ('"b, c@d.example" <a@b.example>', ["a@b.example"]),
            ("<@c.example,@d.example:a@b.example>", ["a@b.example"]),
            ('"a, b"@b.example', ['"a, b"@b.example']),
            ("a@B.EXAMPLE, a@b.example, A@b.example", ["a@B.EXAMPLE", "A@b.example"]),
        ):
            for each in self.forms("To", value):
                self.assertEqual(
                    [str(recipient.address) for recipient in made(each).recipients], expected, value
                )

    def test_what_is_not(self) -> None:
        for value in (
            "a@b.example; b@b.example",
            "a@b.example b@b.example",
            "a@b.example, bob",
            'a@b.example, "b <b@b.example>, c@b.example',
            "a@b.example (b, c@b.example",
            "a@b.example, @b.example",
            "a@b.example, <>",
            "A: a@b.example; b@b.example c",
            "a@b.example, " + "a" * 1_000_000 + "@b.example",
            "a@b.example, MISSING_MAILBOX",
        ):
            for each in self.forms("To", value):
                with self.assertRaises(ValueError) as caught:
                    made(each)
                self.assertLess(len(str(caught.exception)), 300)
        text = b"From: a@b.example\nTo: a@b.example, caf\xe9@b.example\n\n"
        for whole in (text, message_from_bytes(text)):
            self.assertRaises(ValueError, made, whole)

    def test_where_it_is(self) -> None:
        """The error tells the address before it, however that was read."""
        for value, text in (
            ("a@b.example, c@d.example, oops", "the text after 'c@d.example' is not an address"),
            (
                "a@b.example, (c) d@e.example, oops, f@g.example",
                "the text after 'd@e.example' is not an address",
            ),
            ("a@b.example; b@b.example", "the text after 'a@b.example' is not an address"),
            ("oops, a@b.example", "the first address is not valid"),
        ):
            with self.assertRaises(ValueError) as caught:
                made(f"From: me@a.example\nTo: {value}\n\n")
            self.assertEqual(str(caught.exception), text)

    def test_what_the_email_package_mends(self) -> None:
        old, new = self.forms("To", "a@b.example, <b@c.example")[1::3]
        self.assertRaises(ValueError, made, old)
        self.assertEqual(made(new).names, ("a@b.example", "b@c.example"))

    def test_given_recipients_need_none_of_it(self) -> None:
        for each in self.forms("To", "a@b.example; b@b.example"):
            self.assertEqual(made(each, None, "c@b.example").names, ("c@b.example",))


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
        original = message("Grüße\n", Bcc="secret@b.example")
        original.add_attachment(message("Grüße\n", Bcc="stays@b.example"))
        before = original.as_bytes()
        self.assertEqual(before.count(b"8bit"), 3)
        content = made(original).content
        self.assertTrue(content.isascii())
        self.assertIn(b"stays@b.example", content)
        self.assertNotIn(b"secret@b.example", content)
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

    def test_signed(self) -> None:
        """RFC 1847 2.1: not an octet of what a signature covers is changed, whatever is beside it."""
        signed = (
            b'Content-Type: multipart/signed; protocol="a/b"; boundary=s\r\n\r\n--s\r\n'
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            b"X-Long: " + b"word " * 50 + b"\r\nX-Raw: caf\xe9\r\n\r\nGr\xc3\xbc\xc3\x9fe  \r\n.\r\n"
            b"--s\r\nContent-Type: a/b\r\n\r\nsignature\r\n--s--\r\n"
        )
        beside = (
            b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
            + signed
            + b"\r\n--m\r\nContent-Type: text/plain; charset=latin-1\r\n\r\nGr\xfc\xdfe\r\n--m--\r\n"
        )
        for policy in (default, compat32):
            head = b"From: a@b.example\r\nTo: a@b.example\r\n"
            content = made(message_from_bytes(head + signed, policy=policy)).content
            self.assertTrue(content.endswith(signed.partition(b"\r\n\r\n")[2]))
            content = made(message_from_bytes(head + beside, policy=policy)).content
            self.assertIn(signed, content)
            self.assertIn(b"Gr=FC=DFe", content)

    def test_signed_and_made_here(self) -> None:
        """A multipart that was made without a boundary gets one; its parts are written on no more lines."""
        signed = MIMEMultipart("signed")
        part = MIMEText("Hi.\n")
        part["X-Long"] = "word " * 50
        signed.attach(part)
        signed.attach(MIMEText("signature\n"))
        content = made(signed, "a@b.example", "a@b.example").content
        self.assertIn(b"\r\nX-Long: " + b"word " * 50 + b"\r\n", content)
        [first, _] = cast("list[Any]", message_from_bytes(content).get_payload())
        self.assertEqual(first.get_payload(), "Hi.\r\n")

    def test_fields_stay_to_the_octet(self) -> None:
        """What needs no change, whatever is beside it: DKIM may cover it."""
        fields = [
            b"Subject:  two  blanks  ",
            b"References: <a@b.example>\r\n\t<b@b.example>\r\n  <c@b.example>",
            b'To: "A" <a@b.example>,b@b.example (c)',
            b"DKIM-Signature: v=1;a=rsa-sha256;\r\n  b=" + b"Q" * 500,
            b"X-Very-Long: " + b"x " * 400,
            b"Content-Type: text/plain;charset=utf-8",
            b"List-Unsubscribe:\r\n <https://b.example/>",
            b"Empty:",
        ]
        text = b"\r\n".join(fields) + b"\r\nX-Other: caf\xe9\r\n\r\nHi.\r\n"
        for policy in (default, compat32):
            content = made(message_from_bytes(text, policy=policy), "a@b.example").content
            for field in fields:
                self.assertIn(re.sub(rb":  +", b": ", field) + b"\r\n", content)

    def test_dkim(self) -> None:
        text = b"DKIM-Signature: v=1\r\nFrom: a@b.example\r\nTo: a@b.example\r\n\r\nGr\xfc\xdfe\r\n"
        self.assertTrue(
            made(message_from_bytes(text, policy=default)).content.endswith(b"\r\n\r\nGr\xfc\xdfe\r\n")
        )

    def test_bodies_of_unknown_charsets(self) -> None:
        """Octets are octets."""
        for kind in (
            "",
            "text/plain",
            "text/plain; charset=none",
            "text/plain; charset=us-ascii",
            "a/b",
            "garbage;;=\xff",
        ):
            for body in (b"caf\xe9\n", b"\xff" * 100):
                text = (
                    b"From: a@b.example\nTo: a@b.example\nContent-Type: %b\n\n" % kind.encode("latin-1")
                    + body
                )
                for policy in (default, compat32):
                    content = made(message_from_bytes(text, policy=policy)).content
                    self.assertTrue(content.isascii())
                    decoded = message_from_bytes(content).get_payload(decode=True)
                    self.assertEqual(decoded.rstrip(), body.rstrip())  # type: ignore[union-attr]

    def test_an_encoding_is_mimes(self) -> None:
        """RFC 2045 4: without MIME-Version it means nothing, nor in what it is inside of."""
        for head in (b"", b"Content-Type: a/b\n", b"Content-Type: message/rfc822\n\nSubject: x\n"):
            for policy in (default, compat32):
                text = b"From: a@b.example\nTo: a@b.example\n" + head + b"\ncaf\xe9\n"
                sent = made(message_from_bytes(text, policy=policy)).content
                self.assertEqual(sent.count(b"MIME-Version: 1.0\r\n"), 1 + sent.count(b"message/rfc822"))
        self.assertEqual(made(message("Grüße\n")).content.count(b"MIME-Version"), 1)
        plain = made(message_from_bytes(b"From: a@b.example\nTo: a@b.example\n\nHi.\n")).content
        self.assertNotIn(b"MIME", plain)

    def test_octets_without_a_type(self) -> None:
        """UTF-8, if they are that, or what nobody knows (RFC 1428 3)."""
        for body, charset in ((b"caf\xc3\xa9\r\n", "utf-8"), (b"caf\xe9\r\n", "unknown-8bit")):
            for policy in (default, compat32):
                text = b"From: a@b.example\nTo: a@b.example\n\n" + body
                sent = message_from_bytes(made(message_from_bytes(text, policy=policy)).content)
                self.assertEqual(
                    (sent.get_content_type(), sent.get_content_charset()), ("text/plain", charset)
                )
                self.assertEqual(sent.get_payload(decode=True), body)

    def test_parts_that_are_not_there(self) -> None:
        """Who says to have some, and has none, has text (RFC 2045 5.2)."""
        for kind in ("multipart/mixed; boundary=b", "multipart/mixed"):
            for policy in (default, compat32):
                text = b"From: a@b.example\nTo: a@b.example\nContent-Type: %b\n\ncaf\xe9\n" % kind.encode()
                sent = message_from_bytes(made(message_from_bytes(text, policy=policy)).content)
                self.assertEqual(sent.get_content_type(), "text/plain")
                self.assertEqual(sent.get_payload(decode=True), b"caf\xe9\r\n")
            text = b"From: a@b.example\nTo: a@b.example\nContent-Type: %b\n\ncafe\n" % kind.encode()
            self.assertIn(b"multipart/mixed", made(message_from_bytes(text)).content, "not ours to judge")

    def test_text_without_a_charset(self) -> None:
        for sender in ("a@b.example", "grüße@b.example"):
            self.assert_gets_a_charset(sender)

    def assert_gets_a_charset(self, sender: str) -> None:
        plain = Message()
        plain["Subject"] = "x"
        plain.set_payload("Grüße\n")
        sent = message_from_bytes(made(plain, sender, "a@b.example").content)
        self.assertEqual(
            (sent.get_payload(decode=True), sent.get_param("charset")), ("Grüße\r\n".encode(), "utf-8")
        )

    def test_fields_that_the_email_package_stumbles_over(self) -> None:
        for field in (
            b"Message-ID: <@>",
            b"Sender: x:;",
            b"Date: yesterday",
            b"Subject: \xff",
            b"Cc: =?x?=",
            b'Cc: "=?utf-8?b?4pi?=\xe9',
            b'Content-Type: text/plain; name="=?utf-8?b?4pi?=\xe9',
            b"Reply-To: >\xe9",
            b"Message-ID: <\xe9",
            b"Content-Type: \xe9\\\t=?utf-8?b?4pi?=",
            b"Reply-To: \xe9=?=?utf-8?b?4pi?=",
        ):
            text = b"From: a@b.example\nTo: a@b.example\n" + field + b"\n\n"
            for policy in (default, compat32):
                content = made(message_from_bytes(text, policy=policy), None, "a@b.example").content
                if field.isascii():
                    self.assertIn(field + b"\r\n", content)
                self.assertTrue(content.isascii())

    def test_lines_that_are_too_long(self) -> None:
        """And NUL: both are encoded (RFC 2045 2.7); but nothing that is signed."""
        for kind, body in (
            ("text/plain", "a" * 2000 + "\n"),
            ("text/plain", "a" * 998 + "\n" + "b" * 999 + "\n"),
            ("application/json", '{"a": 1}' * 500),
            ("text/plain", "a\0b\n"),
        ):
            for policy in (default, compat32):
                text = f"Content-Type: {kind}\n\n{body}"
                content = made(message_from_string(text, policy=policy), "a@b.example", "a@b.example").content
                self.assertLess(max(map(len, content.split(b"\r\n"))), 999)
                self.assertNotIn(b"\0", content)
                decoded = cast("bytes", message_from_bytes(content).get_payload(decode=True))
                self.assertEqual(decoded.replace(b"\r\n", b"\n"), body.encode())
        short = ("a" * 998 + "\n") * 3
        content = made(message_from_string("\n" + short), "a@b.example", "a@b.example").content
        self.assertTrue(content.endswith(short.replace("\n", "\r\n").encode()))
        wrapped = Message()
        wrapped["Content-Transfer-Encoding"] = "base64"
        wrapped.set_payload("QUFB" * 1000)
        content = made(wrapped, "a@b.example", "a@b.example").content
        self.assertLess(max(map(len, content.split(b"\r\n"))), 999)
        self.assertEqual(message_from_bytes(content).get_payload(decode=True), b"AAA" * 1000 + b"\r\n")

    def test_large_bodies(self) -> None:
        """Which are encoded in pieces."""
        for body in ("ü" * 50 + "\n", "ü" * 70_000, "a" * 70_000, "ü \n", "\r\n", "\0"):
            text = (body * (200_000 // len(body))).encode()
            head = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
            content = made(message_from_bytes(head + text), "a@b.example", "a@b.example").content
            self.assertLess(max(map(len, content.partition(b"\r\n\r\n")[2].split(b"\r\n"))), 77)
            decoded = cast("bytes", message_from_bytes(content).get_payload(decode=True))
            self.assertEqual(decoded.replace(b"\r\n", b"\n").rstrip(), text.replace(b"\r\n", b"\n").rstrip())

    def test_what_is_between_parts(self) -> None:
        """It belongs to no part, and can be encoded in no way (RFC 2046 5.1.1)."""
        text = b"Content-Type: multipart/mixed; boundary=b\n\nprologue %b\n--b\n\nHi.\n--b--\nepilogue %b\n"
        for word in (b"", b"\xe9", b"x" * 1000):
            content = made(message_from_bytes(text % (word, word)), "a@b.example", "a@b.example").content
            self.assertTrue(content.isascii())
            self.assertEqual(content.count(b"logue"), 0 if word else 2)
            self.assertIn(b"--b\r\n\r\nHi.\r\n--b--\r\n", content)

    def test_boundaries(self) -> None:
        for boundary in ("bü", "b" * 1500, ""):
            made_here = message()
            made_here.add_attachment("x\n")
            made_here.set_boundary(boundary)
            content = made(made_here).content
            self.assertTrue(content.isascii())
            self.assertLess(max(map(len, content.split(b"\r\n"))), 999)
            parts = cast("list[Any]", message_from_bytes(content).get_payload())
            self.assertEqual([part.get_payload() for part in parts], ["Hi.\r\n", "x\r\n"])

    @settings(max_examples=200, deadline=None)
    @given(
        st.recursive(
            st.text("ab \n.-", max_size=50),
            lambda inner: st.lists(inner, min_size=1, max_size=3),
            max_leaves=8,
        )
    )
    def test_what_can_be_sent_is_sent_as_the_email_package_writes_it(self, tree: Any) -> None:
        def part(tree: Any) -> Message:
            if isinstance(tree, str):
                return MIMEText(tree)
            if len(tree) == 1:
                return MIMEMessage(part(tree[0]))
            whole = MIMEMultipart(boundary=f"=={random.random()}")
            for each in tree:
                whole.attach(part(each))
            return whole

        whole = part(tree)
        whole["Date"], whole["Message-ID"] = "Mon, 10 Sep 2001 01:46:40 +0000", "<1@a.example>"
        self.assertEqual(made(whole, "a@b.example", "a@b.example").content, whole.as_bytes(policy=SMTP))

    def test_fields_of_parts(self) -> None:
        """They follow the same rules, whatever they are inside of."""
        inner = message(
            Subject="Grüße", To="j@bücher.example (é)", References="<" + "a" * 100 + "@b.example>"
        )
        outer = message()
        outer.add_attachment(inner)
        content = made(outer).content
        self.assertTrue(content.isascii())
        self.assertIn(b"To: j@xn--bcher-kva.example (=?utf-8?q?=C3=A9?=)\r\n", content)
        self.assertIn(b"References: <" + b"a" * 100 + b"@b.example>\r\n", content)

    def test_a_date_that_is_none(self) -> None:
        self.assertIn(b"Date: yesterday\r\n", made(message(Date="yesterday")).content)

    def test_as_smtplib_reads_them(self) -> None:
        """The same values as smtplib sends, where it sends any."""
        real = EmailMessage()
        for name, value in {
            "From": "Jörg Müller <j@a.example>",
            "To": '"Bob" <bob@b.example> (his work), Ann <ann@b.example>',
            "Subject": "Re: Grüße aus Köln",
            "References": " ".join(
                [f"<AM0PR04MB12345678901234567890{n}@AM0PR04.eurprd04.outlook.com>" for n in range(9)]
            ),
            "List-Unsubscribe": f"<https://github.com/notifications/unsubscribe-auth/{'A' * 150}>",
            "X-Long": "x" * 300,
        }.items():
            real[name] = value
        real.set_content("Hi.\n")
        server = StandIn()
        smtplib.SMTP.send_message(cast("Any", server), real)
        ours = message_from_bytes(made(real).content, policy=default)
        theirs = message_from_bytes(server.content, policy=default)
        for name in real:
            self.assertEqual(str(ours[name]), str(theirs[name]), name)
        self.assertNotIn(b"=?", re.sub(rb"(?:From|Subject):.*", b"", made(real).content))
        self.assertIn(b"X-Long: =?utf-8?", server.content, "which is what must not be")

    def test_old_headers(self) -> None:
        """Of the email package's first API."""
        old = MIMEText("Hi.\n")
        old["From"] = "Grüße <a@bücher.example>"
        old["To"] = Header("b@c.example")
        old["Subject"] = Header("Grüße", "iso-8859-1")
        old["X-Plain"] = "Grüße"
        sent = message_from_bytes(made(old).content, policy=default)
        self.assertEqual((sent["Subject"], sent["X-Plain"]), ("Grüße", "Grüße"))
        self.assertEqual(str(sent["From"]), "Grüße <a@xn--bcher-kva.example>")

    def test_no_field_begins_another(self) -> None:
        for name, value in (
            ("Subject", "x\nBcc: y"),
            ("Subject", "x\r\n\r\ny"),
            ("A b", "x"),
            ("A\nB", "x"),
            ("To", "a@b.example\rX: y"),
        ):
            old = MIMEText("Hi.\n")
            old[name] = value
            self.assertRaises(ValueError, made, old, "a@b.example", "a@b.example")

    def test_long_lines(self) -> None:
        """RFC 5322 2.1.1: 998 octets at most."""
        names = [f"somebody{number}@b.example" for number in range(200)]
        old = MIMEText("Hi.\n")
        old["To"] = ", ".join(names)
        old["Subject"] = "word " * 300
        for each in (old, message(To=", ".join(names), Subject="word " * 300)):
            composed = made(each, "a@b.example")
            self.assertLess(max(map(len, composed.content.split(b"\r\n"))), 999)
            self.assertEqual([str(recipient.address) for recipient in composed.recipients], names)
            self.assertEqual(addresses(composed.content), names)

    def test_no_sender_and_no_id(self) -> None:
        """There must be something on the right (RFC 5322 3.6.4)."""
        for sender in ("", "a@[192.0.2.1]", "a@bücher.example"):
            self.assertRegex(
                message_from_bytes(made(message(), sender).content)["Message-ID"], r"\A<[^@]+@[!-~]+>\Z"
            )

    def test_international_domains(self) -> None:
        """An address that has an ASCII form gets it, and the rest encoded words; no address is broken."""
        international = message(
            To="Jörg <joe@bücher.example>, b@c.example", Subject="Grüße", Reply_To="r@bücher.example"
        )
        for recipients in (None, "b@c.example"):
            composed = made(international, None, recipients)
            self.assertTrue(composed.content.isascii())
            self.assertIn(b"<joe@xn--bcher-kva.example>, b@c.example\r\n", composed.content)
            self.assertEqual(message_from_bytes(composed.content, policy=default)["Subject"], "Grüße")

    def test_an_address_without_an_ascii_form(self) -> None:
        """Then the header is in UTF-8, whoever it is sent to."""
        content = made(message(To="Jörg <jörg@bücher.example>"), None, "b@c.example").content
        self.assertIn("To: Jörg <jörg@bücher.example>\r\n".encode(), content)
        content = made(message(To="b@c.example", Subject="Grüße"), None, "jörg@c.example").content
        self.assertTrue(content.isascii(), "this recipient alone needs SMTPUTF8")

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.text('aé "\\,.<>@()=?:;\u4e00', max_size=30),
                st.text('ab."é ,', min_size=1, max_size=20).filter(lambda local: local.strip()),
                st.sampled_from(["c.example", "bücher.example", "[192.0.2.1]", "x" * 60 + ".example"]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_no_address_is_broken(self, people: list[tuple[str, str, str]]) -> None:
        old = MIMEText("Hi.\n")
        given = [Address(local, domain) for _, local, domain in people]
        old["To"] = ", ".join(
            '"' + name.replace("\\", "\\\\").replace('"', '\\"') + f'" <{address}>'
            for (name, _, _), address in zip(people, given, strict=True)
        )
        composed = made(old, "a@b.example")
        self.assertEqual(
            [
                Address(local, ascii_domain(domain))
                for local, domain in map(split, addresses(composed.content))
            ],
            [Address(each.local, ascii_domain(each.domain)) for each in given],
        )
        self.assertEqual(composed.content.isascii(), all(each.local.isascii() for each in given))

    def test_international(self) -> None:
        content = made(message(Subject="Grüße"), "grüße@a.example").content
        self.assertIn("Subject: Grüße\r\n".encode(), content)
        text = "From: Grüße <grüße@a.example>\r\n\r\n"
        composed = made(text, None, "a@b.example")
        self.assertEqual((str(composed.sender), composed.content), ("grüße@a.example", text.encode()))
