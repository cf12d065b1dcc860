"""Any octets: no other error than the wire's own, no loop, the same events however cut, linear time."""

from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import Command, IMAPServerWire, IMAPWireLimits
from tests.imap.wire.feed import SYNTAX, drain, feed

LIMITS = IMAPWireLimits(line=60, literal_total=20, literals=3, append=20, nesting=5, swallowed=100)

words = st.sampled_from(
    b'a|b1| |  |\r\n|\r|\n|\0|\xff|(|)|[|]|<|>|0|1|9:*|,|*|%|"|\\|"x"|{|}|{0}\r\n|{3}\r\n|{3+}\r\n|{9+}\r\n|'
    b"{99+}\r\n|{200+}\r\n|{21}\r\n|{9999999999999999999999}\r\n|~|NIL|UID |NOOP|FETCH |BODY[|BODY.PEEK[|"
    b"HEADER.FIELDS|TEXT|SEARCH |OR |NOT |CHARSET |UTF-8|KOI8|SUBJECT |HEADER |SINCE |1-Feb-1994|RETURN |"
    b"APPEND |INBOX|&AOk-|&|LOGIN |STORE |FLAGS |+FLAGS |\\Seen|\\Foo|LIST |STATUS |MESSAGES|ID |ENABLE |"
    b"AUTHENTICATE |CREATE |IDLE|DONE|(UNCHANGEDSINCE |\r\na NOOP\r\n".split(b"|")
)
scripts = st.one_of(
    st.lists(words, max_size=25).map(b"".join),
    st.lists(words, max_size=12).map(lambda pieces: b"a " + b"".join(pieces) + b"\r\nb NOOP\r\n"),
    st.binary(max_size=200),
)


class AnyOctetsTests(SynchronousTestCase):
    @given(scripts, st.lists(st.integers(0, 250), max_size=8))
    @settings(max_examples=600, deadline=None)
    def test_the_same_events_however_cut(self, data: bytes, cuts: list[int]) -> None:
        cuts = [cut for cut in cuts if cut <= len(data)]
        whole = feed(data, limits=LIMITS)
        self.assertEqual(feed(data, cuts, LIMITS), whole)
        self.assertEqual(feed(data, list(range(len(data))), LIMITS), whole)

    @given(scripts, st.lists(st.sampled_from(["take", "refuse", "expect"]), max_size=10))
    @settings(max_examples=200, deadline=None)
    def test_whatever_the_server_does_the_wire_goes_on(self, data: bytes, acts: list[str]) -> None:
        wire = IMAPServerWire(LIMITS, syntax=SYNTAX)
        wire.receive(data)
        seen = 0
        for act in acts:
            found = drain(wire)
            seen += len(found)
            if act == "refuse":
                wire.refuse_literal()
            elif act == "expect":
                wire.expect_line()
            wire.receive(data)
        self.assertLessEqual(len(wire._lines._buffer), LIMITS.line + len(data) * (len(acts) + 1))

    @given(st.binary(max_size=60))
    @settings(max_examples=200, deadline=None)
    def test_a_command_behind_any_line_is_found(self, line: bytes) -> None:
        line = line.replace(b"\n", b"").replace(b"}", b"")  # nothing announces a literal
        last = feed(line + b"\r\nz NOOP\r\n")[-1]
        self.assertIsInstance(last, Command)
        self.assertEqual(last.tag, "z")


def seconds(data: bytes, piece: int = 65_536) -> float:
    """CPU time to read ``data`` in pieces; the best of three."""
    best = 1e9
    for _ in range(3):
        wire = IMAPServerWire(syntax=SYNTAX)
        began = process_time()
        for start in range(0, len(data), piece):
            wire.receive(data[start : start + piece])
            drain(wire)
        best = min(best, process_time() - began)
    return best


class LinearTimeTests(SynchronousTestCase):
    """Four times the octets take about four times the time: sixteen times would be quadratic."""

    def assert_linear(self, make, size: int, piece: int = 65_536) -> None:
        small, large = seconds(make(size), piece), seconds(make(4 * size), piece)
        self.assertLess(large, 9 * small + 0.005, (small, large))

    def test_pipelined_commands(self) -> None:
        self.assert_linear(lambda size: b"a NOOP\r\n" * (size // 8), 60_000, piece=1 << 20)

    def test_long_sets(self) -> None:
        self.assert_linear(lambda size: b"a FETCH " + b"1,2:3," * (size // 6) + b"4 FLAGS\r\n", 15_000)

    def test_a_line_in_tiny_pieces(self) -> None:
        self.assert_linear(lambda size: b"a LOGIN x " + b"y" * size + b"\r\n", 15_000, piece=3)

    def test_a_literal_in_tiny_pieces(self) -> None:
        self.assert_linear(
            lambda size: b"a LOGIN x {%d+}\r\n" % size + b"y" * size + b"\r\n", 25_000, piece=3
        )

    def test_lines_that_never_end(self) -> None:
        self.assert_linear(lambda size: b"a" * size, 500_000, piece=4096)

    def test_many_keys_parentheses_spaces_and_quotes(self) -> None:
        for unit in (
            b"OR ALL ",
            b"(ALL) ",
            b"ALL ",
            b"(",
            b"NOT ",
            b'SUBJECT "\\"" ',
            b" ",
            b'"',
            b"\\",
            b"a" * 7,
        ):
            for end in (b"", b"x", b'"'):
                self.assert_linear(
                    lambda size, unit=unit, end=end: (
                        b"a SEARCH " + unit * (size // len(unit)) + end + b"\r\n"
                    ),
                    12_000,
                )

    def test_many_literals_behind_a_long_line(self) -> None:
        def search(literals: int) -> bytes:
            return b"a SEARCH " + b"1 " * 20_000 + b"TEXT {1+}\r\nx " * literals + b"ALL\r\n"

        self.assertLess(seconds(search(60)), 4 * seconds(search(1)))
