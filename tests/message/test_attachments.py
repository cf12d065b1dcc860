"""Attachments: their names and types, and their octets as streams."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import quopri
import shutil
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.content import Content
from mailproto.message import FILE_NAME_LIMIT, Attachment, Message
from tests.message.parts import mixed, multipart, part, related

TEXT = part("text/plain", b"see below")


def attached(content_type: str = "application/pdf", body: bytes = b"x", *fields: str) -> Attachment:
    """The attachment of a message with a text and this part."""
    [found] = Message(mixed(TEXT, part(content_type, body, *fields))).attachments
    return found


def named(parameters: str | bytes) -> str:
    """The name of an attachment with these parameters of Content-Disposition."""
    text = parameters if isinstance(parameters, str) else parameters.decode("latin-1")
    octets = mixed(part("a/b", b"x", f"Content-Disposition: attachment; {text}"))
    if isinstance(parameters, bytes):
        octets = octets.replace(text.encode(), parameters)
    return Message(octets).attachments[0].name


class NameTests(TestCase):
    def test_each_way_to_write_it(self) -> None:
        for parameters in (
            "filename=naïve.pdf",
            b"filename=na\xefve.pdf",
            "filename*=utf-8''na%C3%AFve.pdf",
            "filename*=iso-8859-1'en'na%EFve.pdf",
            "filename*0*=utf-8''na%C3; filename*1*=%AFve; filename*2=.pdf",
            "filename==?utf-8?q?na=C3=AFve.pdf?=",
            'filename="=?utf-8?q?na=C3=AFve.pdf?="',
            'filename="=?utf-8?q?na=C3=AF?=\r\n =?utf-8?q?ve.pdf?="',
            "filename=naive.pdf; filename*=utf-8''na%C3%AFve.pdf",
            "filename*=utf-8''na%C3%AFve.pdf; filename=naive.pdf",
            'FileName="na\\ïve.pdf"',
        ):
            with self.subTest(parameters=parameters):
                self.assertEqual(named(parameters), "naïve.pdf")

    def test_the_name_of_the_type_is_the_second_choice(self) -> None:
        self.assertEqual(attached('a/b; name="a.pdf"').name, "a.pdf")
        both = "Content-Disposition: attachment; filename=b.pdf"
        self.assertEqual(attached('a/b; name="a.pdf"', b"x", both).name, "b.pdf")
        nothing = 'Content-Disposition: attachment; filename=".."'
        self.assertEqual(attached('a/b; name="a.pdf"', b"x", nothing).name, "a.pdf")
        self.assertEqual(attached().name, "")

    def test_the_first_of_two_names_counts(self) -> None:
        self.assertEqual(named("filename=a.pdf; filename=b.pdf"), "a.pdf")

    def test_it_is_safe_in_a_folder(self) -> None:
        """RFC 2183 2.3: a sender does not choose the folder."""
        for parameters, name in (
            ('filename="../../etc/passwd"', "passwd"),
            ('filename="/etc/passwd"', "passwd"),
            ("filename*=''..%2F..%2Fetc%2Fpasswd", "passwd"),
            ('filename="C:\\\\Windows\\\\a.exe"', "a.exe"),
            ("filename=..", ""),
            ("filename=.", ""),
            ('filename="a/"', ""),
            ("filename*=''a%00.txt", "a .txt"),
            ("filename*=''a%0D%0Ab.txt", "a b.txt"),
            ("filename*=utf-8''fdp.%E2%80%AEexe", "fdp.exe"),
            ('filename=" a.txt . "', "a.txt"),
            ("filename=.htaccess", ".htaccess"),
        ):
            with self.subTest(parameters=parameters):
                self.assertEqual(named(parameters), name)

    def test_it_fits_into_a_folder(self) -> None:
        for stem in ("x" * 300, "漢" * 100, "x" + "漢" * 100):
            name = named(f'filename="{stem}.pdf"')
            self.assertTrue(name.endswith(".pdf"))
            self.assertIn(len(name.encode()), range(FILE_NAME_LIMIT - 2, FILE_NAME_LIMIT + 1))
            with open(os.path.join(self.mktemp_folder(), name), "xb"):
                pass
        self.assertEqual(named("filename=" + "x." + "y" * 300), "x." + "y" * 253)

    def mktemp_folder(self) -> str:
        os.mkdir(folder := self.mktemp())
        return folder

    @settings(max_examples=300, deadline=None)
    @given(
        st.text() | st.lists(st.sampled_from(["/", "\\", ".", "..", " ", "\0", "x", "漢" * 90])).map("".join)
    )
    def test_any_name_is_safe(self, text: str) -> None:
        percent = "".join(f"%{octet:02X}" for octet in text.encode("utf-8", "replace"))
        name = named(f"filename*=utf-8''{percent}")
        self.assertNotIn(name, (".", ".."))
        self.assertFalse(set(name) & set("/\\\0\r\n"))
        self.assertLessEqual(len(name.encode()), FILE_NAME_LIMIT)


class TypeTests(TestCase):
    def test_media_type(self) -> None:
        for content_type, shown in (
            ("Image/PNG; name=x", "image/png"),
            ("application/vnd.ms-excel", "application/vnd.ms-excel"),
            ("image", "application/octet-stream"),
            ("imäge/png", "application/octet-stream"),
        ):
            with self.subTest(content_type=content_type):
                self.assertEqual(attached(content_type).media_type, shown)

    def test_of_an_unknown_encoding(self) -> None:
        """RFC 2045 6.4: nobody can say what is in it."""
        found = attached("image/png", b"x", "Content-Transfer-Encoding: x-uuencode")
        self.assertEqual((found.media_type, found.open().read()), ("application/octet-stream", b"x"))

    def test_of_messages_in_a_digest(self) -> None:
        digest = multipart("digest", b"\r\nSubject: a\r\n\r\n", b"\r\nSubject: b\r\n\r\n")
        found = Message(digest).attachments
        self.assertEqual([each.media_type for each in found], ["message/rfc822"] * 2)
        self.assertEqual([Message(each.open().read()).subject for each in found], ["a", "b"])

    def test_images_in_the_text(self) -> None:
        logo = part("image/png", b"PNG", "Content-ID: <logo@x>")
        html = part("text/html", b'<img src="cid:logo@x">')
        [image, file] = Message(mixed(related(html, logo), part("a/b", b"x"))).attachments
        self.assertEqual((image.content_id, image.is_embedded, image.open().read()), ("logo@x", True, b"PNG"))
        self.assertEqual((file.content_id, file.is_embedded), ("", False))

    def test_size_and_look(self) -> None:
        found = attached("a/b; name=c", b"QUJD\r\n", "Content-Transfer-Encoding: base64")
        self.assertEqual((found.encoded_size, len(found.open().read())), (6, 3))
        self.assertEqual(repr(found), "<Attachment 'c', a/b, 6 octets encoded>")


class StreamTests(TestCase):
    def test_encodings(self) -> None:
        octets = bytes(range(256)) * 3000
        for encoding, body in (
            ("base64", base64.encodebytes(octets).replace(b"\n", b"\r\n")),
            ("quoted-printable", quopri.encodestring(octets)),
            ("binary", octets),
        ):
            with self.subTest(encoding=encoding):
                found = attached("a/b", body, f"Content-Transfer-Encoding: {encoding}")
                self.assertEqual(found.open().read(), octets)

    def test_it_is_a_binary_file(self) -> None:
        found = attached("a/b", b"YWIKY2Q=", "Content-Transfer-Encoding: base64")
        stream = found.open()
        self.assertEqual(
            (stream.read(1), stream.readline(), list(stream), stream.read()), (b"a", b"b\n", [b"cd"], b"")
        )
        self.assertTrue(stream.readable() and not stream.writable() and not stream.seekable())
        copy = io.BytesIO()
        with found.open() as stream:
            shutil.copyfileobj(stream, copy)
        self.assertEqual(copy.getvalue(), b"ab\ncd")
        self.assertRaises(ValueError, stream.read)
        self.assertEqual(
            hashlib.file_digest(found.open(), "sha256").digest(), hashlib.sha256(b"ab\ncd").digest()
        )

    def test_streams_do_not_disturb_each_other(self) -> None:
        found = attached("a/b", b"QUJDREVG" * 100_000, "Content-Transfer-Encoding: base64")
        one, two = found.open(), found.open()
        self.assertEqual(one.read(7), two.read(7))
        self.assertEqual(two.read(), one.read())

    def test_errors_are_skipped(self) -> None:
        for encoding, body, decoded in (
            ("base64", b"QU\0J\xffD*", b"ABC"),
            ("base64", b"QUJDR", b"ABC"),
            ("base64", b"====", b""),
            ("quoted-printable", b"a=zz=", b"a=zz"),
        ):
            with self.subTest(body=body):
                self.assertEqual(
                    attached("a/b", body, f"Content-Transfer-Encoding: {encoding}").open().read(), decoded
                )

    def test_fifty_megabytes_in_a_file_need_little_memory(self) -> None:
        size = 50 << 20
        for encoding, unit, decoded in (
            ("base64", base64.encodebytes(b"x" * 57 * 1000), 57 * 1000),
            ("base64", b"*" * 77_000, 0),  # nothing to decode in megabytes
            ("quoted-printable", b"=41" * 26_000, 26_000),  # a single line
            ("x-unknown", b"A" * 77_000, 77_000),
        ):
            with self.subTest(encoding=encoding):
                times = size // len(unit)
                content = self.file(part("a/b", b"", f"Content-Transfer-Encoding: {encoding}"), unit, times)
                tracemalloc.start()
                [found] = Message(content).attachments
                length = 0
                with found.open() as stream:
                    while piece := stream.read(1 << 16):
                        length += len(piece)
                _, most = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertEqual(length, decoded * times)
                self.assertLess(most, 2 << 20)

    def test_the_content_is_closed(self) -> None:
        """As after a delivery's `deliver` has ended, for small messages, too."""
        content = Content(mixed(TEXT, part("a/b; name=c", b"x")))
        [found] = Message(content).attachments
        stream = found.open()
        content.close()
        for read in (stream.read, found.open().read, lambda: Message(content).subject):
            with self.assertRaisesRegex(ValueError, r"keep bytes\(content\)"):
                read()
        self.assertEqual(repr(found), "<Attachment 'c', a/b, 1 octets encoded>")
        self.assertEqual(repr(Message(content)), "<Message of <Content: closed>>")

    def file(self, header: bytes, unit: bytes, times: int) -> Content:
        with open(name := self.mktemp(), "wb") as file:
            file.write(header)
            for _ in range(times):
                file.write(unit)
        content = Content.of_file(name, len(header) + len(unit) * times)
        self.addCleanup(content.close)
        return content
