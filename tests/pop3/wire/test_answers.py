"""Reading what servers send, whole and in pieces, right and wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.pop3.wire import (
    Body,
    DotStuffing,
    POP3ClientWire,
    POP3ReplyError,
    POP3ReplyLimits,
    Reply,
)


def events(wire: POP3ClientWire, data: bytes, size: int = 0) -> list[object]:
    """What the wire makes of ``data`` in pieces of ``size``; octets of one answer are joined."""
    found: list[object] = []
    for start in range(0, len(data), size or len(data) or 1):
        wire.receive(data[start : start + (size or len(data))])
        while (event := wire.next_event()) is not None:
            last = found[-1] if found else None
            if isinstance(event, Body) and isinstance(last, Body) and not last.is_last:
                found[-1] = Body(last.octets + event.octets, event.is_last)
            else:
                found.append(event)
    return found


class ReplyTests(SynchronousTestCase):
    def read(self, line: bytes) -> Reply:
        [event] = events(POP3ClientWire(), line)
        assert isinstance(event, Reply)
        return event

    def test_lines(self) -> None:
        for line, reply in (
            (b"+OK\r\n", Reply("+OK")),
            (b"+OK 3 messages\r\n", Reply("+OK", "3 messages")),
            (b"+ok lower\r\n", Reply("+OK", "lower")),
            (b"-ERR\r\n", Reply("-ERR")),
            (b"-ERR \r\n", Reply("-ERR")),
            (b"-ERR [sys/temp] later\r\n", Reply("-ERR", "[sys/temp] later", "SYS/TEMP")),
            (b"-ERR [AUTH]\r\n", Reply("-ERR", "[AUTH]", "AUTH")),
            (b"-ERR [a b] no code\r\n", Reply("-ERR", "[a b] no code")),
            (b"+OK LF alone\n", Reply("+OK", "LF alone")),
            (b"+\r\n", Reply("+")),
            (b"+ \r\n", Reply("+")),
            (b"+ PDE+\r\n", Reply("+", "PDE+")),
            ("+OK Grüße\r\n".encode(), Reply("+OK", "Grüße")),
            (b"+OK Gr\xfc\xdfe\r\n", Reply("+OK", "Grüße")),
            (b"+OK: odd\r\n", Reply("+OK", ": odd")),
        ):
            self.assertEqual(self.read(line), reply)

    def test_what_is_permanent(self) -> None:
        for code in ("SYS/TEMP", "IN-USE", "LOGIN-DELAY"):
            self.assertFalse(self.read(b"-ERR [%b] x\r\n" % code.encode()).is_permanent)
        self.assertTrue(self.read(b"-ERR [SYS/PERM] x\r\n").is_permanent)
        self.assertTrue(self.read(b"-ERR\r\n").is_permanent)
        self.assertFalse(self.read(b"+OK\r\n").is_permanent)

    def test_what_is_no_reply(self) -> None:
        for line in (
            b"220 ready\r\n",
            b"* OK IMAP\r\n",
            b"+OKAY\r\n",
            b"-ERROR\r\n",
            b" +OK\r\n",
            b"HTTP/1.1 200\r\n",
        ):
            error = self.assertRaises(POP3ReplyError, events, POP3ClientWire(), line)
            self.assertTrue(error.fatal)

    def test_empty_lines(self) -> None:
        """Some are left out before a reply; a body keeps its own."""
        wire = POP3ClientWire()
        wire.expect(multiline=True)
        octets = b"\r\n" * 10 + b"+OK\r\n\r\na\r\n.\r\n \r\n\n-ERR\r\n"
        self.assertEqual(events(wire, octets), [Reply("+OK"), Body(b"\r\na\r\n", True), Reply("-ERR")])
        self.assertRaises(POP3ReplyError, events, wire, b"\r\n" * 11)

    def test_a_line_that_is_too_long(self) -> None:
        wire = POP3ClientWire(POP3ReplyLimits(line=10))
        self.assertEqual(events(wire, b"+OK 1234\r\n"), [Reply("+OK", "1234")])
        self.assertRaises(POP3ReplyError, events, wire, b"+OK 12345\r\n")
        self.assertRaises(POP3ReplyError, events, POP3ClientWire(POP3ReplyLimits(line=10)), b"+" * 11)


class BodyTests(SynchronousTestCase):
    def body(self, data: bytes, size: int = 0) -> list[object]:
        wire = POP3ClientWire()
        wire.expect(multiline=True)
        wire.expect()
        return events(wire, data, size)

    def test_bodies_in_pieces(self) -> None:
        for sent, octets in (
            (b".\r\n", b""),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"\r\n.\r\n", b"\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"...a\r\n..\r\n.\r\n", b"..a\r\n.\r\n"),
            (b".a\r\n.b\r\n.\r\n", b"a\r\nb\r\n"),  # against the RFC, but clear
            (b"a\n.\nb\n.\r\nc\r\n.\r\n", b"a\n.\nb\n.\r\nc\r\n"),  # only CRLF ends lines
            (b"\r\r\n.\r\n", b"\r\r\n"),
            (b".\r.\r\n.\r\n", b"\r.\r\n"),
            (b"a\r\n.\r.\r\n.\r\n", b"a\r\n\r.\r\n"),
        ):
            for size in (0, 1, 2, 3, 5):
                with self.subTest(sent=sent, size=size):
                    self.assertEqual(
                        self.body(b"+OK x\r\n" + sent + b"+OK next\r\n", size),
                        [Reply("+OK", "x"), Body(octets, True), Reply("+OK", "next")],
                    )

    def test_a_refusal_has_no_body(self) -> None:
        self.assertEqual(self.body(b"-ERR no\r\n+OK\r\n"), [Reply("-ERR", "no"), Reply("+OK")])

    def test_octets_are_given_as_they_come(self) -> None:
        wire = POP3ClientWire()
        wire.expect(multiline=True)
        wire.receive(b"+OK\r\n" + b"x" * 100_000 + b"\r")
        self.assertEqual(wire.next_event(), Reply("+OK"))
        self.assertEqual(wire.next_event(), Body(b"x" * 100_000, False))
        self.assertIsNone(wire.next_event())
        self.assertEqual(wire.pending, 1)

    @given(
        st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"a", b".."])),
        st.integers(1, 7),
    )
    def test_it_undoes_what_the_server_does(self, tokens: list[bytes], size: int) -> None:
        message = b"".join(tokens)
        stuffing = DotStuffing()
        sent = stuffing.encode(message) + stuffing.finish()
        _, body, _ = self.body(b"+OK\r\n" + sent + b"+OK\r\n", size)
        assert isinstance(body, Body)
        # The server sends whole lines with CRLF.
        plain = DotStuffing()
        expected = plain.encode(message.replace(b".", b"o")) + plain.finish().removesuffix(b".\r\n")
        self.assertEqual(body.octets.replace(b".", b"o"), expected)
        self.assertEqual(body.octets.count(b"."), message.count(b"."))


class AnythingTests(SynchronousTestCase):
    @given(
        st.lists(
            st.sampled_from(
                [
                    b"+OK",
                    b"-ERR",
                    b"+ ",
                    b" ",
                    b"[",
                    b"]",
                    b"\r\n",
                    b"\n",
                    b"\r",
                    b".",
                    b"..",
                    b"a",
                    b"\0",
                    b"\xff",
                    b"1",
                ]
            )
            | st.binary(max_size=5)
        ),
        st.lists(st.booleans()),
        st.integers(1, 9),
    )
    def test_pieces_make_no_difference(self, tokens: list[bytes], multiline: list[bool], size: int) -> None:
        """It raises nothing but its own error, and its buffer stays small."""
        data = b"".join(tokens)
        limits = POP3ReplyLimits(line=40)

        def read(size: int) -> tuple[list[object], bool]:
            wire = POP3ClientWire(limits)
            for each in multiline:
                wire.expect(multiline=each)
            found: list[object] = []
            for start in range(0, len(data), size):
                try:
                    found += events(wire, data[start : start + size])
                except POP3ReplyError:
                    return found, True
                self.assertLessEqual(wire.pending, 40)
            return found, False

        (whole, broken), (pieces, broken_too) = read(len(data) or 1), read(size)
        self.assertEqual(broken, broken_too)
        if not broken:
            self.assertEqual(joined(whole), joined(pieces))


def joined(found: list[object]) -> list[object]:
    """Octets of one answer, as one; those of an answer without end, if there are any."""
    made: list[object] = []
    for event in found:
        if isinstance(event, Body) and made and isinstance(made[-1], Body) and not made[-1].is_last:
            made[-1] = Body(made[-1].octets + event.octets, event.is_last)
        else:
            made.append(event)
    return made
