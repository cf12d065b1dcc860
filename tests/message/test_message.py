"""A message as an application reads it: its fields and its text."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.message import ADDRESSES_LIMIT, FIELD_LIMIT, HEADER_LIMIT, PARTS_LIMIT, Message, NamedAddress
from mailproto.message._fields import REPEATS_LIMIT
from mailproto.message._file_name import safe_file_name
from tests.message.parts import Counting, alternative, mixed, multipart, part, related
from tests.message.test_properties import messages


def header(*lines: str | bytes) -> Message:
    """A message with these lines as its header."""
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    return Message(b"\r\n".join([*encoded, b"", b"Hello\r\n"]))


class FieldTests(TestCase):
    def test_subject(self) -> None:
        self.assertEqual(header("Subject: Hello").subject, "Hello")
        self.assertEqual(header("subject :  =?utf-8?q?caf=C3=A9?=\r\n =?latin1?q?_=E9?=  ").subject, "café é")
        self.assertEqual(header("Subject: Grüße").subject, "Grüße")
        self.assertEqual(header("X: y").subject, "")
        self.assertEqual(Message(b"").subject, "")

    def test_subject_is_one_line(self) -> None:
        """Encoded words may hide line ends, which would begin another field when they are written again."""
        found = header("Subject: a=?utf-8?q?=0D=0ABcc:_x=00=07?=y\0=?utf-8?b?4oCowoU=?=z").subject
        self.assertEqual(found, "a Bcc: x y z")
        self.assertTrue(found.isprintable())

    def test_octets_in_the_charset_of_the_text(self) -> None:
        content_type = "Content-Type: text/plain; charset=koi8-r"
        self.assertEqual(header("MIME-Version: 1.0", content_type, b"Subject: \xf0\xd2\xc9").subject, "При")

    def test_the_last_subject_counts(self) -> None:
        self.assertEqual(header("Subject: a", "Subject: b").subject, "b")

    def test_a_long_subject_is_cut(self) -> None:
        self.assertEqual(len(header("Subject: " + "x" * (FIELD_LIMIT + 1)).subject), FIELD_LIMIT)

    def test_addresses(self) -> None:
        message = header(
            'From: "Smith, \\"J\\"" <j@example.org>',
            "To: =?utf-8?q?Andr=C3=A9?= <a@example.org>, friends: b@example.org, c@example.org;",
            "To: d@example.org (Dora)",
            "Cc: undisclosed-recipients:;",
        )
        self.assertEqual(message.from_, [NamedAddress('Smith, "J"', "j@example.org")])
        self.assertEqual(message.to[0], ("André", "a@example.org"))
        self.assertEqual(
            [address for _, address in message.to[1:]], ["b@example.org", "c@example.org", "d@example.org"]
        )
        self.assertEqual(message.to[3].name, "Dora")
        self.assertEqual((message.cc, message.reply_to), ([], []))
        self.assertEqual(header("Reply-To: list@example.org").reply_to[0].address, "list@example.org")

    def test_an_address_is_shown_as_in_a_header(self) -> None:
        for line in ('"Smith, \\"J\\"" <j@example.org>', "André <a@example.org>", "a@example.org"):
            self.assertEqual([str(found) for found in header("From: " + line).from_], [line])

    def test_what_is_not_an_address_is_left_out(self) -> None:
        for value in (
            "", "root", "nobody here", "<>", "@example.org", "a@", "a@ <b>", "<@x:y", '"a\r\n b"', "a@[", "(",
            '"a\x07"@example.org', b"\xff@example.org", "MISSING_MAILBOX",
        ):  # fmt: skip
            with self.subTest(value=value):
                line = b"From: " + (value if isinstance(value, bytes) else value.encode())
                self.assertEqual(header(line).from_, [])

    def test_a_name_that_should_be_quoted(self) -> None:
        found = header(
            "To: shop@example.org <noreply@mailer.example>, a [b] <c@example.org>; d@example.org"
        ).to
        self.assertEqual(
            found,
            [
                ("shop@example.org", "noreply@mailer.example"),
                ("a [b]", "c@example.org"),
                ("", "d@example.org"),
            ],
        )

    def test_a_name_cannot_be_taken_for_an_address(self) -> None:
        [found] = header(
            "From: =?utf-8?q?boss=40example.org_=3Cboss=40example.org=3E?= <evil@x.example>"
        ).from_
        self.assertEqual(found, ("boss@example.org <boss@example.org>", "evil@x.example"))
        self.assertEqual(str(found), '"boss@example.org <boss@example.org>" <evil@x.example>')

    def test_local_parts_are_quoted_if_they_must_be(self) -> None:
        found = header('From: "a b"@example.org, "a.b"@example.org, "a\\"b"@example.org, ü@ü.example').from_
        self.assertEqual(
            [address for _, address in found],
            ['"a b"@example.org', "a.b@example.org", '"a\\"b"@example.org', "ü@ü.example"],
        )

    def test_addresses_are_limited(self) -> None:
        many = header(*["To: " + "a@b," * 998 + "a@b"] * 30)
        self.assertEqual(len(many.to), ADDRESSES_LIMIT)
        repeated = header(*["To: a@b"] * (REPEATS_LIMIT + 1))
        self.assertEqual(len(repeated.to), REPEATS_LIMIT)

    def test_no_address_is_cut(self) -> None:
        """Half an address is the address of somebody else."""
        value = ", ".join(f"a{number}@{'x' * 900}.example.org" for number in range(700))
        found = header("To: " + value).to
        self.assertIn(len(found), range(100, 200))
        self.assertTrue(all(address.endswith(".example.org") for _, address in found))

    def test_date(self) -> None:
        self.assertEqual(
            header("Date: Sat, 28 Nov 2026 10:00:00 +0100").date,
            datetime(2026, 11, 28, 10, tzinfo=timezone(timedelta(hours=1))),
        )
        self.assertEqual(header("Date: 28 Nov 26 10:00").date, datetime(2026, 11, 28, 10, tzinfo=UTC))
        for nothing in ("Date: yesterday", "X: y", "Date: 99 Nov 2026 10:00:00 +0000"):
            self.assertIsNone(header(nothing).date)

    def test_message_id(self) -> None:
        self.assertEqual(header("Message-ID: <a@example.org>").message_id, "a@example.org")
        self.assertEqual(header("Message-ID:\r\n (x) <a@\r\n example.org>").message_id, "a@example.org")
        self.assertEqual(header("Message-ID: none").message_id, "")

    def test_any_field(self) -> None:
        message = header("Received: a", "X-Spam: =?utf-8?q?j=C3=A0?=", "received: b\r\n c")
        self.assertEqual(message.fields("Received"), ["a", "b c"])
        self.assertEqual(message.fields("x-spam"), ["jà"])
        self.assertEqual(message.fields("Bcc"), [])
        self.assertEqual(message.fields("é"), [])

    def test_only_the_header_is_read(self) -> None:
        """The body is not searched for parts to find a subject."""
        content = Counting(b"Subject: a\r\n\r\n" + b"x" * (4 << 20))
        self.assertEqual(Message(content).subject, "a")
        self.assertLess(content.octets_read, 1000)

    def test_a_header_without_end(self) -> None:
        message = Message(b"Subject: a\r\n" + b"X: y\r\n" * (HEADER_LIMIT // 6) + b"Subject: b\r\n\r\n")
        self.assertEqual((message.subject, len(message.fields("subject"))), ("a", 1))


def texts(octets: bytes) -> tuple[str, str, list[str]]:
    message = Message(octets)
    return message.text, message.html, [each.media_type for each in message.attachments]


TEXT = part("text/plain", b"plain\r\n")
HTML = part("text/html", b"<p>rich</p>")
PDF = part("application/pdf", b"%PDF", "Content-Disposition: attachment; filename=a.pdf")
IMAGE = part("image/png", b"PNG", "Content-ID: <logo@x>", "Content-Disposition: inline; filename=logo.png")


class TextTests(TestCase):
    def test_a_message_of_one_part(self) -> None:
        self.assertEqual(texts(b"Subject: x\r\n\r\nHello\r\nthere\r\n"), ("Hello\nthere\n", "", []))
        self.assertEqual(texts(TEXT), ("plain\n", "", []))
        self.assertEqual(texts(HTML), ("", "<p>rich</p>", []))
        self.assertEqual(texts(PDF), ("", "", ["application/pdf"]))
        self.assertEqual(texts(b""), ("", "", []))

    def test_alternative(self) -> None:
        self.assertEqual(texts(alternative(TEXT, HTML)), ("plain\n", "<p>rich</p>", []))

    def test_as_outlook_sends_it(self) -> None:
        sent = mixed(related(alternative(TEXT, HTML), IMAGE), PDF)
        self.assertEqual(texts(sent), ("plain\n", "<p>rich</p>", ["image/png", "application/pdf"]))
        self.assertEqual([each.is_embedded for each in Message(sent).attachments], [True, False])

    def test_what_belongs_to_html_is_embedded(self) -> None:
        """However it is nested, and also if it is text."""
        style = part("text/plain", b"p { color: red }", "Content-ID: <style@x>")
        sent = related(HTML, style, mixed(IMAGE))
        self.assertEqual(texts(sent), ("", "<p>rich</p>", ["text/plain", "image/png"]))
        self.assertEqual([each.is_embedded for each in Message(sent).attachments], [True, True])

    def test_as_thunderbird_sends_it(self) -> None:
        sent = mixed(alternative(TEXT, related(HTML, IMAGE)), PDF)
        self.assertEqual(texts(sent), ("plain\n", "<p>rich</p>", ["image/png", "application/pdf"]))

    def test_as_apple_mail_sends_it(self) -> None:
        """A file between two pieces of text, which is inline, and for HTML readers only."""
        more = part("text/html", b"<p>more</p>")
        inline = part("application/pdf", b"%PDF", "Content-Disposition: inline; filename=a.pdf")
        sent = alternative(TEXT, mixed(HTML, inline, more))
        self.assertEqual(texts(sent), ("plain\n", "<p>rich</p>\n<p>more</p>", ["application/pdf"]))
        self.assertFalse(Message(sent).attachments[0].is_embedded)

    def test_the_footer_of_a_mailing_list(self) -> None:
        footer = part("text/plain", b"-- \r\nThe list")
        self.assertEqual(texts(mixed(TEXT, footer))[0], "plain\n\n-- \nThe list")

    def test_signed(self) -> None:
        signature = part("application/pgp-signature", b"-----", "Content-Disposition: attachment")
        self.assertEqual(
            texts(multipart("signed", TEXT, signature))[::2], ("plain\n", ["application/pgp-signature"])
        )

    def test_attached_texts_are_attachments(self) -> None:
        attached = part("text/plain", b"log", "Content-Disposition: attachment")
        unknown = part("text/plain", b"log", "Content-Disposition: x-other")
        named = part("text/plain; name=a.txt", b"log")
        inline = part("text/html", b"log", "Content-Disposition: inline; filename=a.html")
        for each in (attached, unknown, named, inline):
            text, html, others = texts(mixed(TEXT, each))
            self.assertEqual((text, html, len(others)), ("plain\n", "", 1), each)
        self.assertEqual(texts(mixed(named, PDF))[0], "log")
        self.assertEqual(texts(attached), ("", "", ["text/plain"]))

    def test_other_texts_are_attachments(self) -> None:
        calendar = part("text/calendar; method=REQUEST", b"BEGIN:VCALENDAR")
        self.assertEqual(
            texts(alternative(TEXT, HTML, calendar)), ("plain\n", "<p>rich</p>", ["text/calendar"])
        )

    def test_texts_of_a_forwarded_message_are_its_own(self) -> None:
        forwarded = part("message/rfc822", alternative(TEXT, HTML))
        message = Message(mixed(part("text/plain", b"see below"), forwarded))
        self.assertEqual((message.text, message.html), ("see below", ""))
        inner = Message(message.attachments[0].open().read())
        self.assertEqual((inner.text, inner.html), ("plain\n", "<p>rich</p>"))

    def test_charsets_and_encodings(self) -> None:
        for content_type, encoding, body in (
            ("text/plain; charset=utf-8", "quoted-printable", b"caf=C3=\r\n=A9"),
            ("text/plain; charset=iso-8859-1", "base64", b"Y2Fm6Q=="),
            ("text/plain", "8bit", b"caf\xe9"),
            ("text/plain; charset=no-such", "8bit", b"caf\xc3\xa9"),
            ("text/plain; charset=utf-8", "x-unknown", b"caf\xc3\xa9"),
        ):
            with self.subTest(content_type=content_type, encoding=encoding):
                octets = part(content_type, body, f"Content-Transfer-Encoding: {encoding}")
                self.assertEqual(Message(octets).text, "café")

    def test_html_keeps_its_markup_and_its_charset(self) -> None:
        page = b'<meta charset="koi8-r"><b>\xf0\xd2\xc9</b>'
        self.assertEqual(Message(part("text/html", page)).html, '<meta charset="koi8-r"><b>При</b>')

    def test_lines_end_in_lf_and_there_is_no_nul(self) -> None:
        body = b"a\r\nb\rc\nd\0"
        self.assertEqual(Message(part("text/plain", body)).text, "a\nb\nc\nd\N{REPLACEMENT CHARACTER}")
        self.assertEqual(Message(part("text/html", body)).html, "a\nb\nc\nd\N{REPLACEMENT CHARACTER}")

    def test_flowed_text_keeps_its_lines(self) -> None:
        self.assertEqual(Message(part("text/plain; format=flowed", b"a \r\nb\r\n")).text, "a \nb\n")

    def test_a_multipart_without_parts_is_not_lost(self) -> None:
        octets = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\nIt has none.\r\n"
        [attachment] = Message(octets).attachments
        self.assertEqual(
            (attachment.media_type, attachment.open().read()), ("multipart/mixed", b"It has none.\r\n")
        )

    def test_parts_beyond_the_limits_are_not_lost(self) -> None:
        innermost = mixed(TEXT, PDF)
        for _ in range(100):
            innermost = mixed(innermost)
        [attachment] = Message(innermost).attachments
        self.assertEqual(attachment.media_type, "multipart/mixed")
        self.assertIn(b"%PDF", attachment.open().read())
        many = Message(
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * (PARTS_LIMIT + 9)
        )
        self.assertEqual(many.attachments, [])
        self.assertEqual(many.text.count("a"), PARTS_LIMIT + 9)

    def test_text_is_limited(self) -> None:
        octets = mixed(part("text/plain", b"a" * 60), part("text/plain", b"b" * 60), HTML)
        message = Message(octets, text_limit=80)
        self.assertEqual((message.text, message.html), ("a" * 60 + "\n" + "b" * 20, "<p>rich</p>"))
        self.assertEqual(Message(octets, text_limit=0).text, "")
        self.assertEqual(Message(octets, text_limit=60).text, "a" * 60)

    def test_the_limit_splits_no_character(self) -> None:
        octets = part("text/plain", "漢".encode() * 100)
        for limit in range(30, 36):
            self.assertEqual(Message(octets, text_limit=limit).text, "漢" * (limit // 3))


class ContractTests(TestCase):
    def test_what_is_not_octets(self) -> None:
        for wrong, hint in (
            ("Subject: a", "write text.encode()"),
            (None, "must be bytes or a Content, not NoneType"),
            (EmailMessage(), "not EmailMessage: write content.as_bytes()"),
        ):
            with self.assertRaisesRegex(TypeError, re.escape(hint)):
                Message(wrong)  # type: ignore[arg-type]

    def test_a_wrong_limit(self) -> None:
        with self.assertRaisesRegex(TypeError, "text_limit must be a whole number of at least 0, not '"):
            Message(b"", text_limit="1 MB")  # type: ignore[arg-type]
        with self.assertRaisesRegex(
            ValueError, "text_limit must be a whole number of at least 0, not -1: octets"
        ):
            Message(b"", text_limit=-1)

    def test_it_cannot_be_changed(self) -> None:
        message = Message(b"Subject: a\r\n\r\n")
        for name in ("subject", "text", "attachments", "body"):
            with self.assertRaises(AttributeError):
                setattr(message, name, "x")

    def test_its_name_in_a_log(self) -> None:
        self.assertEqual(repr(Message(b"Subject: secret\r\n\r\n")), "<Message of <Content: 19 octets>>")

    @settings(max_examples=300, deadline=None)
    @given(messages | st.binary())
    def test_any_octets(self, octets: bytes) -> None:
        message = Message(octets, text_limit=1000)
        message.date  # noqa: B018
        people = [*message.from_, *message.to, *message.cc, *message.reply_to]
        names = [each.name for each in people] + [str(each) for each in people]
        lines = [message.subject, message.message_id, *message.fields("subject"), *names]
        for attachment in message.attachments:
            repr(attachment)
            lines += (attachment.name, attachment.media_type, attachment.content_id)
            self.assertLessEqual(len(attachment.open().read()), attachment.encoded_size)
        for line in lines:
            self.assertEqual(len(line.splitlines()), bool(line), line)
        for text in (message.text, message.html, *lines):
            text.encode()
            self.assertNotIn("\0", text)
            self.assertNotIn("\r", text)


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
lines = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=100).map(str.strip)


class EmailPackageTests(TestCase):
    """What the email package writes is read as it was given."""

    @settings(max_examples=150, deadline=None)
    @given(
        subject=lines,
        name=lines,
        text=st.none() | st.lists(lines, min_size=1),
        html=st.none() | st.lists(lines, min_size=1),
        files=st.lists(
            st.tuples(names.filter(lambda name: safe_file_name(name) == name), st.binary()), max_size=3
        ),
        encoding=st.sampled_from(("base64", "quoted-printable", "8bit")),
    )
    def test_it_is_read_back(
        self,
        subject: str,
        name: str,
        text: list[str] | None,
        html: list[str] | None,
        files: list[tuple[str, bytes]],
        encoding: str,
    ) -> None:
        sent = EmailMessage()
        sent["Subject"] = subject
        sent["From"] = Address(name, addr_spec="a@b.example")
        plain, page = ("".join(line + "\n" for line in each or ()) for each in (text, html))
        if text:
            sent.set_content(plain, cte=encoding)
        if html:
            (sent.add_alternative if text else sent.set_content)(page, subtype="html", cte=encoding)
        for file_name, octets in files:
            sent.add_attachment(octets, "application", "x-test", filename=file_name)
        for octets in (sent.as_bytes(), sent.as_bytes(policy=SMTP)):
            message = Message(octets)
            self.assertEqual(message.subject.split(), subject.split())
            self.assertEqual([each.address for each in message.from_], ["a@b.example"])
            found = message.from_[0].name  # the package loses some blanks in long names
            self.assertEqual("".join(found.split()), "".join(name.split()))
            self.assertEqual((message.text, message.html), (plain, page))
            self.assertEqual([(each.name, each.open().read()) for each in message.attachments], files)


class CostTests(TestCase):
    """The most expensive messages that were found; the time grows with the size at most."""

    def check(self, before: bytes, unit: bytes, after: bytes = b"\r\n\r\n", seconds: float = 1) -> None:
        costs = []
        for size in (20_000, 320_000):
            best = 10.0  # of several, because others use this machine
            for _ in range(3):
                message = Message(before + unit * (size // len(unit)) + after)
                start = time.process_time()
                read_all(message)
                best = min(best, time.process_time() - start)
            costs.append(max(best, 0.002))
        # 16 times the octets: quadratic work would take 256 times as long.
        self.assertLess(costs[1], 80 * costs[0], (before, unit))
        self.assertLess(costs[1], seconds, (before, unit))

    def test_fields(self) -> None:
        for before, unit in (
            (b"From: ", b","), (b"From: ", b"a,"), (b"From: ", b"a@b,"), (b"From: ", b"=?hz?q?~{?= <a@b>,"),
            (b"From: ", b"()"), (b"From: ", b'"'), (b"", b"From: ((\r\n"), (b"", b"Subject: \xff\r\n"),
            (b"Subject: ", b"=?big5?q?=81=FF?= =?hz?q??= "), (b"Subject: ", b"\r\n a"), (b"", b":\r\n"),
            (b"Message-ID: <", b'"" '), (b"Message-ID: ", b"<a "),
        ):  # fmt: skip
            self.check(before, unit)

    def test_parts(self) -> None:
        levels = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(98))
        parts = b"Content-Type: multipart/related; boundary=x\r\n\r\n"
        for before, unit in (
            (levels, b"\n--97x"), (levels, b"\n--97\n"), (parts, b"--x\n"), (parts, b"--x\n\nb\n"),
            (parts, b"--x\nContent-Disposition:;filename*0*=''a;filename*1=b\n\n"),
            (b"Content-Type: a/b;name*=''", b"%ff"), (b"Content-Type: a/b;", b"name*0=b;"),
            (b"", b"Content-Type:message/rfc822\n\n"),
        ):  # fmt: skip
            self.check(before, unit)

    def test_texts(self) -> None:
        for charset, unit in (("hz", b"~{\n"), ("big5", b"\xa2A"), ("utf-16", b"\0\xd8"), ("utf-7", b"+A!")):
            self.check(b"Content-Type: text/html; charset=%b\r\n\r\n" % charset.encode(), unit)
        for encoding in ("quoted-printable", "base64"):
            for unit in (b"\t\n", b"=", b"=\n", b"A", b"*"):
                self.check(
                    b"MIME-Version: 1\r\nContent-Transfer-Encoding: %b\r\n\r\n" % encoding.encode(), unit
                )


def read_all(message: Message) -> None:
    """Read everything that a message has."""
    for name in ("subject", "from_", "to", "cc", "reply_to", "date", "message_id", "text", "html"):
        getattr(message, name)
    message.fields("subject")
    for attachment in message.attachments:
        repr((attachment, attachment.content_id))
        stream = attachment.open()
        while stream.read(1 << 16):
            pass
