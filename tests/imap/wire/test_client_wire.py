"""The client's wire: lines, literals and limits, however octets come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.imap.client._fetch_items import _unusual_items, usual_items
from mailproto.imap.client._fetched import FetchedMessage, uid_in
from mailproto.imap.wire._answers import (
    Answer,
    BodyBegins,
    BodyPiece,
    Continuation,
    Data,
    Fetches,
    Garbage,
    IMAPResponseError,
    StatusResponse,
)
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._client_wire import IMAPClientWire
from mailproto.imap.wire._values import BadValue, ValueReader

SMALL = IMAPClientLimits(line=400, line_before_login=400, in_memory=20, literal=60, response=900, literals=6)

TOKENS = [
    *(
        b"* ",
        b"5 ",
        b"FETCH ",
        b"(",
        b")",
        b"UID 7 ",
        b"BODY[] ",
        b"BODY[1] ",
        b"{3}\r\n",
        b"{30}\r\n",
        b"abc",
    ),
    *(b"x" * 30, b"\r\n", b"\n", b'"', b"\\", b"A1 OK ", b"[CODE x] ", b"+ ", b"NIL", b"LIST ", b"ENVELOPE "),
    *(b"{99999}\r\n", b"{0}\r\n", b"~{3}\r\n", b"\0", b"\xff", b"OK ", b"EXISTS", b"1:3,7 "),
]
octets_strategy = st.one_of(
    st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join), st.binary(max_size=200)
)


def read(octets: bytes, sizes: list[int], limits: IMAPClientLimits = SMALL) -> list[object]:
    """The events of ``octets`` that come in pieces of these sizes.

    The pieces of a literal are joined, and what came together is alone.
    """
    wire = IMAPClientWire(limits)
    found: list[object] = []
    at = 0
    sizes = [*sizes, len(octets)]
    for size in sizes:
        piece = octets[at : at + size]
        at += size
        if not piece:
            continue
        wire.receive(piece)
        while True:
            try:
                event: Answer | None = wire.next_event()
            except IMAPResponseError as error:
                return [*found, str(error)]
            assert wire.pending <= limits.line + limits.response + len(octets) + 1
            if event is None:
                break
            if isinstance(event, BodyPiece) and found and isinstance(found[-1], bytes):
                found[-1] += event.octets
            elif isinstance(event, Fetches):
                assert event.uids == [uid_in(data, limits) for data in event.answers]
                found += event.answers
            else:
                found.append(event.octets if isinstance(event, BodyPiece) else event)
    return found


class WireTests(SynchronousTestCase):
    def test_responses(self) -> None:
        octets = (
            b"* OK [CAPABILITY IMAP4rev1] Hi\r\n* 5 EXISTS\r\n+ \r\n+\r\n\r\nA1 no [trycreate] gone\r\n"
            b"* bye\r\nA2 OK\r\n* SEARCH\r\n*  7   expunge\n* LIST () NIL {3}\r\na\r\n\r\n"
            b"A3 OK [X]\r\nwhat\r\n* OK [broken\r\n"
        )
        self.assertEqual(
            read(octets, []),
            [
                StatusResponse("", "OK", "CAPABILITY", b"IMAP4rev1", b"Hi"),
                Data(5, "EXISTS", b"", []),
                Continuation(b""),
                Continuation(b""),
                StatusResponse("A1", "NO", "TRYCREATE", b"", b"gone"),
                StatusResponse("", "BYE", "", b"", b""),
                StatusResponse("A2", "OK", "", b"", b""),
                Data(None, "SEARCH", b"", []),
                Data(7, "EXPUNGE", b"", []),
                Data(None, "LIST", b"() NIL {3}\r\n", [b"a\r\n"]),
                StatusResponse("A3", "OK", "X", b"", b""),
                Garbage(b"what"),
                StatusResponse("", "OK", "BROKEN", b"", b""),
            ],
        )

    def test_a_text_that_ends_like_a_literal_is_none(self) -> None:
        octets = b"* OK see {5}\r\nA1 OK and {7}\r\n"
        self.assertEqual([each.octets for each in read(octets, [])], [b"see {5}", b"and {7}"])  # type: ignore[attr-defined]

    def test_large_literals_of_fetch_come_in_pieces(self) -> None:
        octets = b"* 1 FETCH (UID 7 BODY[] {30}\r\n" + b"x" * 30 + b" BODY[1] {2}\r\nab)\r\n"
        for sizes in ([], [1] * len(octets)):
            begins, body, data = read(octets, sizes)
            self.assertEqual(begins, BodyBegins(1, b"(UID 7 BODY[] ", 30))
            self.assertEqual(body, b"x" * 30)
            assert isinstance(data, Data)
            self.assertEqual(data.literals, [None, b"ab"])

    def test_a_line_end_inside_of_fetch(self) -> None:
        octets = b'* 1 FETCH (BODY ("A" "PDF\n NAME="x"" NIL) BODY[] {2}\r\nhi UID 7)\r\nA1 OK\r\n'
        for sizes in ([], [1] * len(octets)):
            data, _ = read(octets, sizes)
            self.assertEqual(
                data, Data(1, "FETCH", b'(BODY ("A" "PDF\n NAME="x"" NIL) BODY[] {2}\r\n UID 7)', [b"hi"])
            )

    def test_fetch_without_its_end(self) -> None:
        """It ends where another response begins."""
        for after in (b"* 2 EXISTS\r\n", b"A1 OK\r\n", b"* BYE\r\n"):
            octets = b"* 1 FETCH (UID 7 BODY[] {2}\r\nhi FLAGS (a\r\n" + after
            for sizes in ([], [1] * len(octets)):
                data, other = read(octets, sizes)
                self.assertEqual(data, Data(1, "FETCH", b"(UID 7 BODY[] {2}\r\n FLAGS (a", [b"hi"]))
                self.assertNotIsInstance(other, Garbage)

    def test_fetch_that_goes_on_without_end(self) -> None:
        octets = b"* 1 FETCH (UID 7\r\n" + b"x\r\n" * 7 + b"A1 OK\r\n"
        self.assertIn("too long", str(read(octets, [])[-1]))

    def test_a_literal_of_garbage_is_not_taken_for_responses(self) -> None:
        octets = b" BODY[] {12}\r\n* 1 EXPUNGE\n)\r\nx {0}\r\n* 2 EXISTS\r\n y {61}\r\n"
        for sizes in ([], [1] * len(octets)):
            *found, error = read(octets, sizes)
            self.assertEqual(
                found, [Garbage(b"BODY[] {12}"), Garbage(b")"), Garbage(b"x {0}"), Data(2, "EXISTS", b"", [])]
            )
            self.assertIn("61 octets", str(error))

    def test_what_was_received_after_an_event_can_be_taken(self) -> None:
        wire = IMAPClientWire()
        wire.receive(b"A1 OK\r\nrest")
        wire.receive(b" of it")
        wire.next_event()
        self.assertEqual((wire.pending, wire.take_pending(), wire.pending), (10, b"rest of it", 0))

    def test_a_long_line_costs_no_copy_for_each_octet(self) -> None:
        wire = IMAPClientWire(IMAPClientLimits(line_before_login=1 << 20))
        for _ in range(300_000):
            wire.receive(b"x")
            self.assertIsNone(wire.next_event())
        wire.receive(b"\r\n")
        event = wire.next_event()
        assert isinstance(event, Garbage)
        self.assertEqual(len(event.line), 300_000)

    @given(octets_strategy, st.lists(st.integers(1, 30), max_size=60))
    def test_however_octets_are_cut(self, octets: bytes, sizes: list[int]) -> None:
        whole = read(octets, [])
        self.assertEqual(read(octets, sizes), whole)
        for event in whole:
            if isinstance(event, Data):
                look_at(event)

    @given(
        st.lists(
            st.one_of(
                st.sampled_from(
                    [b"(", b")", b" ", b"NIL", b'""', b'"a b"', b"{1}\r\n", b"\\Seen", b"UID 5 ", b"FLAGS "]
                ),
                st.sampled_from(
                    [b"BODY[] ", b"BODY[1.2]<0> ", b"BODY[H (A B)] ", b"a[b c]", b'BODY["x"] ', b"]", b"["]
                ),
                st.sampled_from(
                    [b'"', b"\\", b"{", b"<5>", b"\t", b"\r\n", b"\0", b"nil", b"\xff", b"(A 1)", b"x"]
                ),
            ),
            max_size=14,
        )
    )
    def test_the_fast_way_is_the_slow_way(self, pieces: list[bytes]) -> None:
        data = Data(1, "FETCH", b"(" + b"".join(pieces) + b")", [b"literal"] * pieces.count(b"{1}\r\n"))
        usual = usual_items(data, SMALL)
        if usual is not None:
            self.assertEqual(usual, _unusual_items(data, SMALL))


def look_at(data: Data) -> None:
    """Ask for everything that a FETCH may have; nothing is raised."""
    message = FetchedMessage(1, data, SMALL)
    for name in dir(FetchedMessage):
        if not name.startswith("_"):
            getattr(message, name)
    repr(message)
    if (structure := message.structure) is not None:
        for part in structure.walk():
            assert part.number or part.parts
    if message.envelope is not None:
        assert message.envelope.sent is None or message.envelope.sent.year


class ValueTests(SynchronousTestCase):
    def value(self, text: bytes, *literals: bytes | Content, reading: int = 0) -> object:
        return ValueReader(text, literals, reading=reading).value()

    def test_values(self) -> None:
        self.assertEqual(
            self.value(b'(a "b c" NIL () nil "NIL" (x(y)"z" w) {3}\r\n \\Seen "q\\"\\\\" 12)', b"lit"),
            [
                b"a",
                b"b c",
                None,
                [],
                None,
                b"NIL",
                [b"x", [b"y"], b"z", b"w"],
                b"lit",
                b"\\Seen",
                b'q"\\',
                b"12",
            ],
        )

    def test_quotes_without_their_backslash(self) -> None:
        for text, values in (
            (b'("say "hi"x" b)', [b'say "hi"x', b"b"]),
            (b'("C:\\dir" "b")', [b"C:\\dir", b"b"]),
            (b'("" "a")', [b"", b"a"]),
            (b'("a""b")', [b"a", b"b"]),
        ):
            with self.subTest(text=text):
                self.assertEqual(self.value(text, reading=1), values)

    def test_other_things_that_servers_forget(self) -> None:
        """One way to read strings is tried after the other."""
        for text, values in (
            (b'("a" """" "b")', [[b"a", b'""', b"b"]]),
            (b'("a="b_"" "c")', [[b'a="b_"', b"c"]]),
            (b'("x.example\\") ("y.example\\")', [[b"x.example\\"], [b"y.example\\"]]),
            (b'("7bit"4 1)', [[b"7bit", b"4", b"1"]]),
        ):
            with self.subTest(text=text):
                self.assertEqual(ValueReader.values_of(Data(None, "X", text, [])), values)

    def test_what_is_none(self) -> None:
        for text in (b"", b")", b"(", b'"', b'("a', b"{3}\r\n", b"(" * 200, b"\0"):
            with self.subTest(text=text), self.assertRaises(BadValue):
                self.value(text)

    def test_limits(self) -> None:
        limits = IMAPClientLimits(values=5)
        with self.assertRaises(BadValue):
            ValueReader(b"(a a a a a)", limits=limits).value()
        self.assertEqual(ValueReader(b"(a a a)", limits=limits).value(), [b"a"] * 3)
