"""BDAT: octets that are counted, and text that is checked across the cuts between chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp.wire import (
    Bdat,
    ChunkedText,
    ChunkEnd,
    DataChunk,
    DataFault,
    Noop,
    SMTPServerWire,
)
from tests.smtp.wire.test_wire import EveryWay, play


class BdatTests(EveryWay):
    def test_octets_are_counted_and_nothing_else(self) -> None:
        self.assert_events(
            b"BDAT 5\r\n\r\n.\r\nbdat 7 last\r\nQUIT\r\n\0NOOP\r\n",
            Bdat(5), ChunkEnd(b"\r\n.\r\n", False), Bdat(7, True), ChunkEnd(b"QUIT\r\n\0", True), Noop(),
        )  # fmt: skip

    def test_nothing_is_a_chunk_too(self) -> None:
        self.assert_events(
            b"BDAT 0\r\nBDAT 00 LAST\r\nNOOP\r\n",
            Bdat(0), ChunkEnd(b"", False), Bdat(0, True), ChunkEnd(b"", True), Noop(),
        )  # fmt: skip

    def test_sizes_that_cannot_be_read(self) -> None:
        for rest in (
            b"", b" ", b" LAST", b" -1", b" +1", b" x", b" 1x", b" 0x10", b" 1.5", b" 1 FIRST",
            b" 1 LAST LAST",
            b" 1,LAST", b" 1LAST", b" " + b"9" * 19, " ٣".encode(),
        ):  # fmt: skip
            self.assert_events(b"BDAT" + rest + b"\r\nNOOP\r\n", "501 5.5.4", Noop())

    def test_more_spaces_than_one(self) -> None:
        self.assert_events(b"BDAT   1   LAST \r\nx", Bdat(1, True), ChunkEnd(b"x", True))

    def test_what_has_come_of_a_large_chunk_is_not_kept(self) -> None:
        wire = SMTPServerWire()
        wire.receive(b"BDAT 999999999999999999 LAST\r\n")
        self.assertEqual(wire.next_event(), Bdat(999999999999999999, True))
        for _ in range(100):
            wire.receive(b"\r\n" * 5000)
            self.assertEqual(wire.next_event(), DataChunk(b"\r\n" * 5000))
            self.assertIsNone(wire.next_event())
            self.assertEqual(wire.pending, 0)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(st.tuples(st.binary(max_size=12), st.booleans()), max_size=8), st.lists(st.integers(0, 200))
    )
    def test_any_chunks_in_any_segments(self, chunks: list[tuple[bytes, bool]], cuts: list[int]) -> None:
        stream = b"".join(
            b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets) for octets, last in chunks
        )
        meant = [
            event for octets, last in chunks for event in (Bdat(len(octets), last), ChunkEnd(octets, last))
        ]
        edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
        wire = SMTPServerWire()
        self.assertEqual(play([stream[a:b] for a, b in pairwise(edges)], wire=wire), meant)
        self.assertEqual(wire.pending, 0)


class ChunkedTextTests(SynchronousTestCase):
    def check(
        self, chunks: list[bytes], *, normalise: bool = False, text_line: int = 998
    ) -> bytes | DataFault:
        text = ChunkedText(normalise=normalise, text_line=text_line)
        octets = b"".join([*map(text.check, chunks), text.finish()])
        return text.fault or octets

    def test_a_crlf_may_be_cut(self) -> None:
        self.assertEqual(self.check([b"a\r", b"\nb\r", b"", b"\n"]), b"a\r\nb\r\n")

    def test_what_is_no_crlf_is_found(self) -> None:
        for chunks in ([b"a\r", b"b"], [b"a", b"\nb"], [b"a\r"], [b"\r", b"\r\n"], [b"\r\n", b"\n"]):
            self.assertEqual(self.check(chunks), DataFault.BARE_NEWLINE)

    def test_a_fault_is_known_as_soon_as_it_is_there(self) -> None:
        text = ChunkedText(normalise=False)
        self.assertEqual(text.check(b"a\nb"), b"")
        self.assertEqual(text.fault, DataFault.BARE_NEWLINE)
        self.assertEqual(text.check(b"c"), b"")

    def test_nul(self) -> None:
        self.assertEqual(self.check([b"a\0"]), DataFault.NUL)

    def test_a_long_line(self) -> None:
        for chunks in ([b"12345\r\n"], [b"123", b"45", b"\r", b"\n", b"12345"], [b"12345\r", b"\n12345\r\n"]):
            self.assertEqual(self.check(chunks, text_line=5), b"".join(chunks))
            self.assertEqual(self.check(chunks, text_line=4), DataFault.LONG_LINE)

    def test_a_line_may_be_of_any_length_to_those_who_do_not_care(self) -> None:
        text = ChunkedText(normalise=False)
        text.check(b"x" * (2 << 20))
        self.assertIsNone(text.fault)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.text(alphabet="\r\n.a\0", max_size=4).map(str.encode), max_size=8), st.booleans())
    def test_cuts_make_no_difference(self, chunks: list[bytes], normalise: bool) -> None:
        whole = self.check([b"".join(chunks)], normalise=normalise, text_line=4)
        self.assertEqual(self.check(chunks, normalise=normalise, text_line=4), whole)
