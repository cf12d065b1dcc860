"""Messages with 7-bit octets only."""

from __future__ import annotations

import time
from email import message_from_bytes, policy

from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.message import NotConvertible, finish, scan, seven_bit_form_steps


def converted(octets: bytes) -> bytes:
    written: list[bytes] = []
    finish(seven_bit_form_steps(octets, scan(octets), written.append))
    return b"".join(written)


def crlf(text: str, charset: str = "utf-8") -> bytes:
    return text.replace("\n", "\r\n").encode(charset)


class SevenBitFormTests(SynchronousTestCase):
    def assert_seven_bit(self, octets: bytes) -> None:
        self.assertTrue(octets.isascii())
        self.assertNotIn(b"\0", octets)
        self.assertEqual(octets.count(b"\n"), octets.count(b"\r\n"))
        self.assertEqual(octets.count(b"\r"), octets.count(b"\r\n"))
        self.assertLessEqual(max(map(len, octets.split(b"\r\n"))), 998)

    def assert_same(self, octets: bytes) -> bytes:
        """The converted message has the same parts."""
        form = converted(octets)
        self.assert_seven_bit(form)
        before, after = (message_from_bytes(each, policy=policy.default) for each in (octets, form))
        for one, other in zip(before.walk(), after.walk(), strict=True):
            self.assertEqual(one.get_content_type(), other.get_content_type())
            if not one.is_multipart():
                wanted, got = one.get_payload(decode=True), other.get_payload(decode=True)
                self.assertEqual(wanted, got)
        return form

    def test_text(self) -> None:
        form = self.assert_same(
            crlf(
                "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\n\nA long line of text about a café, in which"
                " nothing happens at all\nblank at the end \n-\n"
            )
        )
        self.assertEqual(
            form,
            crlf(
                "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: quoted-printable\n\nA long line of text about a caf=C3=A9,"
                " in which nothing happens at all\nblank at the end=20\n-\n"
            ),
        )

    def test_text_with_few_ascii_letters_is_shorter_in_base64(self) -> None:
        form = self.assert_same(
            crlf("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n" + "Привет, мир!\n" * 50)
        )
        self.assertIn(b"Content-Transfer-Encoding: base64", form)

    def test_seven_bits_stay_as_they_are(self) -> None:
        message = crlf("Subject: x\nContent-Transfer-Encoding: base64\n\nSGkh\n")
        self.assertEqual(converted(message), message)

    def test_only_parts_that_need_it_are_changed(self) -> None:
        form = self.assert_same(
            crlf(
                "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: 8bit\n\nbefore é\u0000\n--b\n\nplain\n--b\n"
                "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\n<p>é</p>\n"
                "--b\nContent-Type: application/x\nContent-Transfer-Encoding: binary\n\n\u0001é\n"
                "--b--\nafter é\n"
            )
        )
        self.assertEqual(
            form,
            crlf(
                "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: 7bit\n\nbefore ???\n--b\n\nplain\n--b\n"
                "Content-Type: text/html; charset=utf-8\nX: y\n"
                "Content-Transfer-Encoding: base64\n\nPHA+w6k8L3A+\n\n"
                "--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nAcOp\n\n"
                "--b--\nafter ??\n"
            ),
        )

    def test_messages_in_messages(self) -> None:
        form = self.assert_same(
            crlf(
                "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\n"
                "Subject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
                + "inner text with one é in it\n"
                + "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n"
                "Subject: second\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\n\ninner text with one é in it\n--b--\n"
            )
        )
        self.assertEqual(form.count(b"quoted-printable"), 2)

    def test_no_mime_message(self) -> None:
        form = converted(crlf("Subject: x\n\nsome words, and then é\n", "latin-1"))
        self.assertEqual(
            form,
            crlf(
                "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
                "Content-Transfer-Encoding: quoted-printable\n\nsome words, and then =E9\n"
            ),
        )

    def test_binary(self) -> None:
        octets = (
            crlf(
                "MIME-Version: 1.0\nContent-Type: application/octet-stream\n"
                "Content-Transfer-Encoding: binary\n\n"
            )
            + bytes(range(256)) * 1000
        )
        self.assert_same(octets)

    def test_bare_line_ends_are_kept(self) -> None:
        head = crlf("MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: binary\n\n")
        for body in (b"a\nb", b"a\rb", b"a\r", b"\0", b"x" * (57 << 10) + b"\r" + b"x", b"\n"):
            with self.subTest(body=body[-10:]):
                form = self.assert_same(head + body)
                self.assertIn(b"base64", form)

    def test_a_line_without_end(self) -> None:
        head = crlf("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n")
        self.assert_same(head + b"x" * 100_000 + "é".encode() + b"x " * 100_000)

    def test_signed_parts_are_not_changed(self) -> None:
        signed = (
            "Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: text/plain; charset=utf-8\n\n"
            "{}\n--s\nContent-Type: application/pgp-signature\n\nxyz\n--s--\n"
        )
        with self.assertRaises(NotConvertible):
            converted(crlf("MIME-Version: 1.0\n" + signed.format("é")))
        around = (
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\n{}\n--m\n"
            "Content-Type: text/plain; charset=utf-8\n\nwith é\n--m--\n"
        )
        form = self.assert_same(crlf(around.format(signed.format("plain"))))
        self.assertIn(crlf(signed.format("plain")), form)
        with self.assertRaises(NotConvertible):
            converted(crlf(around.format(signed.format("é"))))

    def test_what_cannot_be_encoded(self) -> None:
        for message in (
            "Subject: é\n\nx\n",
            "MIME-Version: 1.0\nContent-Transfer-Encoding: x-uuencode\n\né\n",
            "MIME-Version: 1.0\nContent-Type: message/partial\n\né\n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nno field\n\né\n--b--\n",
        ):
            with self.subTest(message=message), self.assertRaises(NotConvertible):
                converted(crlf(message))

    def test_a_multipart_without_parts_is_text(self) -> None:
        for parameter in ("", "; boundary=b"):
            form = converted(
                crlf(f"MIME-Version: 1.0\nContent-Type: multipart/mixed{parameter}\n\nsome words, é\n--c--\n")
            )
            self.assertEqual(
                form,
                crlf(
                    f"MIME-Version: 1.0\nX-Original-Content-Type: multipart/mixed{parameter}\n"
                    "Content-Type: text/plain; charset=unknown-8bit\n"
                    "Content-Transfer-Encoding: quoted-printable\n\nsome words, =C3=A9\n--c--\n"
                ),
            )

    def test_a_multipart_without_end(self) -> None:
        self.assert_same(
            crlf(
                "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
                "Content-Type: text/plain; charset=utf-8\n\nsome words, é\n"
            )
        )

    def test_a_multipart_whose_header_has_no_end(self) -> None:
        form = converted(
            crlf("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n--b\n\nwith é\n--b--\n")
        )
        self.assert_seven_bit(form)
        self.assertIn(b"boundary=b\r\n\r\n--b\r\n", form)

    def test_a_multipart_that_says_it_is_encoded(self) -> None:
        for encoding in ("base64", "quoted-printable"):
            form = converted(
                crlf(
                    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                    f"Content-Transfer-Encoding: {encoding}\n\n--b\n\nsome words, é\n--b--\n"
                )
            )
            self.assertIn(b"some words, =C3=A9", form)
            self.assert_seven_bit(form)

    def test_octets_that_quoted_printable_must_not_have(self) -> None:
        head = crlf(
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: quoted-printable\n\n"
        )
        form = self.assert_same(head + crlf("a=C3=A9 é=\nb=20 \n"))
        self.assertTrue(form.endswith(b"\r\n\r\na=C3=A9 =C3=A9=\r\nb=20 \r\n"))
        lines = ("é" * 5000, "=41é" * 3000, "x" * 8190 + "=41é=42", "é" + "x" * 30_000, "é" * 400 + "\nx\n")
        for line in lines:
            with self.subTest(line=line[:10]):
                self.assert_same(head + crlf(line))

    def test_octets_that_base64_must_not_have(self) -> None:
        head = "MIME-Version: 1.0\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\n"
        form = converted(crlf(head + "SG\u00a0kh\n\u0000SGkh\n"))
        self.assertEqual(form, crlf(head + "SGkh\nSGkh\n"))

    def test_encodings_that_do_not_exist(self) -> None:
        for encoding in ("8-bit", "utf-8", "none", "7 bit", "Plain"):
            form = converted(
                crlf(
                    "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                    f"Content-Transfer-Encoding: {encoding}\n\nsome words, é\n"
                )
            )
            self.assertEqual(form.count(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"), 1)
            self.assertNotIn(f": {encoding}\r\n".encode(), form)

    def test_a_report_with_other_octets(self) -> None:
        form = converted(
            crlf(
                "MIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n--b\n\nx\n--b\n"
                "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\n"
                "Final-Recipient: rfc822; a@b\nDiagnostic-Code: smtp; 550 unzustellbar, gelöscht\n--b--\n"
            )
        )
        self.assertIn(b"Content-Type: message/global-delivery-status\r\n", form)
        self.assertIn(b"gel=C3=B6scht", form)

    def test_a_type_without_a_version(self) -> None:
        form = converted(crlf("Content-Type: text/plain; charset=utf-8\n\nsome words, é\n"))
        self.assertTrue(
            form.startswith(
                b"Content-Type: text/plain; charset=utf-8\r\nMIME-Version: 1.0\r\n"
                b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            )
        )

    def test_bare_line_ends_between_parts(self) -> None:
        form = self.assert_same(
            b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nhi\rho\n"
            b"\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: binary\n\n\0\n\xff\n--b--\n\r"
        )
        self.assertIn(b"hi\r\nho\r\n\r\n--b\r\n", form)

    def test_eight_bits_may_stay(self) -> None:
        def kept(octets: bytes) -> bytes:
            written: list[bytes] = []
            finish(seven_bit_form_steps(octets, scan(octets), written.append, keeps_8bit=True))
            return b"".join(written)

        form = kept(
            crlf(
                "Subject: é\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: binary\n\né\n--b\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\n\né\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: binary\n\né\u0000\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: binary\n\né\n--b--\n"
            )
        )
        self.assertEqual(
            form,
            crlf(
                "Subject: é\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
                "Content-Transfer-Encoding: 8bit\n\né\n--b\nContent-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\n\né\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: base64\n\nw6kA\n\n--b\nContent-Type: image/x\n"
                "Content-Transfer-Encoding: 8bit\n\né\n--b--\n"
            ),
        )
        message = crlf("Subject: é\n\né\n")
        self.assertEqual(kept(message), message)

    def test_bare_line_ends_in_a_header(self) -> None:
        form = converted("Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain\n\né and words".encode())
        self.assertTrue(form.endswith(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9 and words"))

    def test_international_messages_are_encoded_as_a_whole(self) -> None:
        form = converted(
            crlf(
                "MIME-Version: 1.0\nContent-Type: message/global\nContent-Transfer-Encoding: 8bit\n\n"
                "Subject: é\n\nx\n"
            )
        )
        self.assert_seven_bit(form)
        self.assertIn(b"Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw6kNCg0KeA0K\r\n", form)

    def test_steps_are_short(self) -> None:
        head = crlf("MIME-Version: 1.0\nContent-Type: {}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
        for kind, line in (("text/plain", b"some words, caf\xc3\xa9\r\n"), ("image/x", b"\xff\xfe\r\n" * 4)):
            octets = head.replace(b"{}", kind.encode()) + line * (2_000_000 // len(line))
            index = scan(octets)
            longest, size = 0.0, 0

            def write(piece: bytes) -> None:
                nonlocal size
                size = max(size, len(piece))

            began = time.process_time()
            for _ in seven_bit_form_steps(Content(octets), index, write):
                now = time.process_time()
                longest, began = max(longest, now - began), now
            self.assertLess(size, 1 << 19)
            self.assertLess(longest, 0.05)
