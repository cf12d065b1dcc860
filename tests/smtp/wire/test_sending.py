"""Dots and line ends of what is sent, however it is cut, beside a plain reference."""

from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Address
from mailproto.smtp.wire import (
    DotStuffer,
    LineEnds,
    SMTPServerWire,
    UnsafeArgument,
    ascii_domain,
    read_address,
    render_bdat,
    render_line,
    render_path,
)

CONTENT = st.text("a.\r\n", max_size=12).map(str.encode)
CUTS = st.lists(st.integers(0, 12), max_size=4)


def lines_of(content: bytes) -> list[bytes]:
    """What stands between any line ends."""
    lines = re.split(rb"\r\n|\r|\n", content)
    return lines if lines[-1] else lines[:-1]


def in_pieces(encoder: LineEnds, content: bytes, cuts: list[int]) -> bytes:
    places = [0, *sorted(cuts), len(content)]
    pieces = [content[start:stop] for start, stop in itertools.pairwise(places)]
    return b"".join(encoder.encode(piece) for piece in pieces) + encoder.finish()


class SendingTests(SynchronousTestCase):
    @settings(max_examples=500, deadline=None)
    @given(CONTENT, CUTS)
    def test_dots(self, content: bytes, cuts: list[int]) -> None:
        expected = b"".join(
            (b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines_of(content)
        )
        self.assertEqual(in_pieces(DotStuffer(), content, cuts), expected + b".\r\n")

    @settings(max_examples=500, deadline=None)
    @given(CONTENT, CUTS)
    def test_line_ends(self, content: bytes, cuts: list[int]) -> None:
        expected = b"".join(line + b"\r\n" for line in lines_of(content))
        self.assertEqual(in_pieces(LineEnds(), content, cuts), expected)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=100), CUTS)
    def test_a_server_reads_the_same(self, content: bytes, cuts: list[int]) -> None:
        """Nothing that is put into content ends it."""
        wire = SMTPServerWire()
        wire.expect_content()
        wire.receive(in_pieces(DotStuffer(), content, cuts) + b"QUIT\r\n")
        received = b""
        while type(event := wire.next_event()).__name__ != "DataEnd":
            received += event.octets  # type: ignore[union-attr]
        self.assertEqual(type(wire.next_event()).__name__, "Quit")
        if b"\0" not in content:
            received += event.octets  # type: ignore[union-attr]
            self.assertEqual(received, b"".join(line + b"\r\n" for line in lines_of(content)))

    def test_what_needs_no_change(self) -> None:
        text = b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n"
        self.assertIs(DotStuffer().encode(text), text)


class RenderTests(SynchronousTestCase):
    def test_bdat(self) -> None:
        self.assertEqual(render_bdat(5, last=False), b"BDAT 5\r\n")
        self.assertEqual(render_bdat(0, last=True), b"BDAT 0 LAST\r\n")

    def test_line(self) -> None:
        self.assertEqual(render_line("VRFY", "gr\xfc\xdfe"), "VRFY gr\xfc\xdfe\r\n".encode())
        for hostile in ("a\r\nb", "a\nb", "a\rb", "a\0b", "\x7f", "\ud800"):
            self.assertRaises(UnsafeArgument, render_line, "VRFY", hostile)

    def test_parameters(self) -> None:
        path = Address("a", "b.example")
        self.assertEqual(
            render_path("MAIL FROM", path, {"SIZE": "5", "SMTPUTF8": None}),
            b"MAIL FROM:<a@b.example> SIZE=5 SMTPUTF8\r\n",
        )
        for hostile in ({"A": "x y"}, {"A": "x\r\nRSET"}, {"A B": None}, {"A": "a=b"}, {"A": ""}, {"": "a"}):
            self.assertRaises(UnsafeArgument, render_path, "MAIL FROM", path, hostile)

    def test_domains(self) -> None:
        self.assertEqual(ascii_domain("b\xfccher.example"), "xn--bcher-kva.example")
        self.assertEqual(ascii_domain("[192.0.2.1]"), "[192.0.2.1]")
        self.assertRaises(UnsafeArgument, ascii_domain, "\u2028\xfc..example")

    def test_addresses_as_text(self) -> None:
        self.assertEqual(read_address('"a b"@c.example'), Address("a b", "c.example"))
        self.assertFalse(read_address(""))
        self.assertEqual(str(read_address("a..b@c_d.example.")), '"a..b"@c_d.example')
        self.assertEqual(render_path("MAIL FROM", Address(".a", "b_c"), {}), b'MAIL FROM:<".a"@b_c>\r\n')
        for text in (" ", "\t", " a@b", "a@b ", "a@b\t", "a@b>\t<c@d", "a@b> A"):
            self.assertRaises(UnsafeArgument, read_address, text)
        for text in ("a", "a@b c", "<a@b>", "a@b> X", "a@b\r\nRSET"):
            self.assertRaises(UnsafeArgument, read_address, text)

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=10), st.text(max_size=10))
    def test_one_line_whatever_the_address(self, local: str, domain: str) -> None:
        try:
            line = render_path("RCPT TO", Address(local, domain), {})
        except UnsafeArgument:
            return
        self.assertEqual((line.count(b"\n"), line.count(b"\r"), line.count(b"\0")), (1, 1, 0))
