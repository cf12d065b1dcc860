"""Lines and literals: where a command begins and ends, and what is refused."""

from typing import Any

from mailproto.imap.extensions import CORE, Tables
from mailproto.imap.wire import (
    NO_ARGUMENTS,
    Append,
    AppendMessage,
    Command,
    ContinuationLine,
    IMAPServerWire,
    IMAPWireLimits,
    Literal,
    LiteralChunk,
    LiteralRequest,
    Login,
    StreamedLiteral,
)
from tests.imap.wire.feed import SYNTAX, WireTestCase, Wrong, drain, feed, joined

NOOP = Command("b", "NOOP", False, NO_ARGUMENTS)
BEHIND = b"b NOOP\r\n"
SMALL = IMAPWireLimits(line=40, literal_total=20, literals=3, append=20, swallowed=200)


def login(user: bytes, password: bytes) -> Command:
    return Command("a", "LOGIN", False, Login(user, password))


class LineTests(WireTestCase):
    def test_commands_behind_each_other(self) -> None:
        self.assert_events(BEHIND * 3, [NOOP] * 3)

    def test_a_bare_lf_ends_nothing_that_is_carried_out(self) -> None:
        text = "A command line must end with CRLF"
        for line in (b"c LOGOUT\r\n", b"c LOGIN {1}\r\n", b"c LOGIN {1+}\r\nx {10+}\r\nd LOGOUT\r\n\r\n"):
            self.assert_events(b"a NOOP\n" + line + BEHIND, [Wrong("a", text), Wrong("c", text), NOOP])
        self.assert_events(
            b"\nc NOOP\n\r\n" + BEHIND, [Wrong(None, text), Wrong("c", text), Wrong(None, text), NOOP]
        )
        self.assert_events(
            b"a LOGIN {1+}\r\nx\nc LOGOUT\r\n" + BEHIND, [Wrong("a", text), Wrong("c", text), NOOP]
        )

    def test_nor_does_it_in_what_is_refused(self) -> None:
        text = "A command line must end with CRLF"
        for line, wrong in (
            (b"a NOOP {1+}\r\nx\n", "Unexpected characters after the arguments"),
            (b"a LOGIN x " + b"y" * SMALL.line + b"\n", "Command line too long"),
        ):
            self.limits = SMALL
            self.assert_events(line + b"c LOGOUT\r\n" + BEHIND, [Wrong("a", wrong), Wrong("c", text), NOOP])

    def test_nul_and_a_bare_cr_are_refused(self) -> None:
        for line in (b"a NOOP\0\r\n", b"a NO\rOP\r\n", b"a NOOP\r\r\n"):
            self.assert_events(line + BEHIND, [Wrong("a", "NUL or CR in a command line"), NOOP])

    def test_what_waits_is_pending(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.receive(BEHIND + BEHIND)
        self.assertEqual(wire.pending, 16)
        wire.next_event()
        self.assertEqual(wire.pending, 8)
        wire.next_event()
        self.assertEqual((wire.next_event(), wire.pending), (None, 0))

    def test_nothing_is_kept_of_what_was_read(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.receive(BEHIND * 1000)
        drain(wire)
        self.assertEqual(len(wire._lines._buffer), 0)


class LongLineTests(WireTestCase):
    limits = SMALL

    def test_as_long_as_the_limit(self) -> None:
        line = b"a LOGIN x " + b"y" * 30
        self.assertEqual(len(line), SMALL.line)
        self.assert_events(line + b"\r\n" + BEHIND, [login(b"x", b"y" * 30), NOOP])

    def test_longer_is_bad_and_skipped_to_its_end(self) -> None:
        line = b"a LOGIN x " + b"y" * 31
        for more in (b"", b"z" * 100):
            self.assert_events(line + more + b"\r\n" + BEHIND, [Wrong("a", "Command line too long"), NOOP])

    def test_the_limit_is_for_all_lines_of_a_command(self) -> None:
        data = b"a LOGIN {1+}\r\nx " + b"y" * 30 + b"\r\n" + BEHIND
        self.assert_events(data, [Wrong("a", "Command line too long"), NOOP])

    def test_a_tag_that_is_too_long_is_none(self) -> None:
        self.assert_events(b"a" * 50 + b"\r\n" + BEHIND, [Wrong(None, "Command line too long"), NOOP])

    def test_a_literal_behind_it_is_no_command(self) -> None:
        data = b"a LOGIN x " + b"y" * 31 + b"{8+}\r\n" + BEHIND + b" {8+}\r\n" + BEHIND + b"\r\n"
        self.assert_events(data + BEHIND, [Wrong("a", "Command line too long"), NOOP])

    def test_a_line_without_end_is_fatal_in_bounded_memory(self) -> None:
        wire = IMAPServerWire(SMALL, syntax=SYNTAX)
        events = []
        for _ in range(100):
            wire.receive(b"a x" * 10)
            events += drain(wire)
            self.assertLess(len(wire._lines._buffer), SMALL.line + 40)
        self.assertEqual([event.fatal for event in events], [False, True])

    def test_nothing_is_read_after_a_fatal_error(self) -> None:
        wire = IMAPServerWire(SMALL, syntax=SYNTAX)
        wire.receive(b"x" * 1000 + b"\r\n" + BEHIND)
        self.assertTrue(drain(wire)[-1].fatal)
        wire.receive(BEHIND)
        self.assertEqual((drain(wire), wire.pending), ([], 0))

    def test_the_defaults_take_long_sequence_sets(self) -> None:
        self.limits = None
        numbers = b",".join(b"%d" % n for n in range(1, 12_000))
        self.assertGreater(len(numbers), 57_000)
        self.assertEqual(len(self.parse(b"UID COPY " + numbers + b" x").arguments.sequence.ranges), 11_999)


class LiteralTests(WireTestCase):
    def test_a_synchronising_literal_is_asked_for(self) -> None:
        self.assert_events(
            b"a LOGIN {3}\r\nx y {0}\r\n\r\n" + BEHIND,
            [LiteralRequest("a", 3, "LOGIN"), LiteralRequest("a", 0, "LOGIN"), login(b"x y", b""), NOOP],
        )

    def test_another_is_not(self) -> None:
        self.assert_events(b"a LOGIN {3+}\r\nx\r\n {1+}\r\n)\r\n" + BEHIND, [login(b"x\r\n", b")"), NOOP])

    def test_syntax_in_a_literal_is_no_syntax(self) -> None:
        self.assert_events(b'a LOGIN {6+}\r\n{5+}\r\n "{2+}"\r\n', [login(b"{5+}\r\n", b"{2+}")])

    def test_refused_by_the_server(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.receive(b"a LOGIN {3}\r\n")
        self.assertEqual(wire.next_event(), LiteralRequest("a", 3, "LOGIN"))
        wire.refuse_literal()
        wire.receive(BEHIND)
        self.assertEqual(drain(wire), [NOOP])

    def test_where_none_can_be_the_command_is_refused_before(self) -> None:
        for line, text in (
            (b"a NOOP {8", "Unexpected characters after the arguments"),
            (b"a WHATEVER {8", "Unknown command"),
            (b'a LOGIN "x {8', "Expected a string"),
            (b"a LOGIN x y {8", "Unexpected characters after the arguments"),
            (b"a LOGIN x ~{8", "Unexpected characters after the arguments"),
            (b"a FETCH 1 {8", "Expected a data item"),
        ):
            # Synchronising: the client sends nothing before it is told to.
            self.assert_events(line + b"}\r\n" + BEHIND, [Wrong("a", text), NOOP])
            self.assert_events(line + b"+}\r\nc NOOP\r\n\r\n" + BEHIND, [Wrong("a", text), NOOP])

    def test_an_announcement_without_tag(self) -> None:
        self.assert_events(b"{8+}\r\nc NOOP\r\n\r\n" + BEHIND, [Wrong(None, "Expected a tag"), NOOP])
        self.assert_events(
            b"a{8+}\nc NOOP\r\n\r\n" + BEHIND, [Wrong(None, "A command line must end with CRLF"), NOOP]
        )

    def test_nul_in_a_literal(self) -> None:
        data = b"a LOGIN {1+}\r\n\0 {8+}\r\nc NOOP\r\n\r\n"
        self.assert_events(data + BEHIND, [Wrong("a", "NUL in a literal"), NOOP])


class LargeLiteralTests(WireTestCase):
    limits = SMALL
    TOO_LARGE = Wrong("a", "Literals too large", "TOOBIG")
    LOST = Wrong(None, "Too much of what was refused", "TOOBIG", fatal=True)

    def test_as_large_as_the_limit(self) -> None:
        self.assert_events(
            b"a LOGIN {10+}\r\n" + b"x" * 10 + b" {10+}\r\n" + b"y" * 10 + b"\r\n",
            [login(b"x" * 10, b"y" * 10)],
        )

    def test_the_sum_counts(self) -> None:
        self.assert_events(
            b"a LOGIN {10+}\r\n" + b"x" * 10 + b" {11+}\r\n" + b"y" * 11 + b"\r\n" + BEHIND,
            [self.TOO_LARGE, NOOP],
        )

    def test_the_sum_begins_anew_with_each_command(self) -> None:
        command = b"a LOGIN {10+}\r\n" + b"x" * 10 + b" {10+}\r\n" + b"y" * 10 + b"\r\n"
        self.assert_events(command * 2, [login(b"x" * 10, b"y" * 10)] * 2)
        self.assert_events(b"a LOGIN {21}\r\n" + command, [self.TOO_LARGE, login(b"x" * 10, b"y" * 10)])

    def test_the_number_counts(self) -> None:
        data = b"a ID (" + b"{1+}\r\nx " * 3 + b"{1+}\r\nx)\r\n"
        self.assert_events(data + BEHIND, [self.TOO_LARGE, NOOP])

    def test_a_synchronising_one_is_not_asked_for_and_not_read(self) -> None:
        for size in (21, 2**31, 2**63 - 1, 2**63, 10**23):
            self.assert_events(b"a LOGIN {%d}\r\n" % size + BEHIND, [self.TOO_LARGE, NOOP])

    def test_another_is_thrown_away_in_bounded_memory(self) -> None:
        wire = IMAPServerWire(SMALL, syntax=SYNTAX)
        wire.receive(b"a LOGIN {190+}\r\n")
        self.assertEqual(drain(wire), [self.TOO_LARGE])
        for _ in range(190):
            wire.receive(b"\n")
            self.assertEqual(drain(wire), [])
            self.assertLess(len(wire._lines._buffer), 40)
        wire.receive(b"\r\n" + BEHIND)
        self.assertEqual(drain(wire), [NOOP])

    def test_past_the_bound_it_is_fatal(self) -> None:
        for size in (201, 2**63, 10**23):
            wire = IMAPServerWire(SMALL, syntax=SYNTAX)
            wire.receive(b"a LOGIN {%d+}\r\n" % size + BEHIND)
            self.assertEqual(drain(wire), [self.TOO_LARGE, self.LOST])

    def test_what_is_thrown_away_adds_up_within_a_command_only(self) -> None:
        refused = b"a LOGIN {150+}\r\n" + b"x" * 150
        self.assert_events(refused + b"\r\n" + refused + b"\r\n", [self.TOO_LARGE] * 2)
        wire = IMAPServerWire(SMALL, syntax=SYNTAX)
        wire.receive(refused + b" {150+}\r\n")
        self.assertEqual(drain(wire), [self.TOO_LARGE, self.LOST])

    def test_of_one_line_less_is_thrown_away(self) -> None:
        limits = IMAPWireLimits(line=40, swallowed=10_000, swallowed_line=100)
        long = Wrong("a", "Command line too long")
        for size, expected in ((100, [long, NOOP]), (101, [long, self.LOST]), (5000, [long, self.LOST])):
            data = b"a " + b"x" * (size - 4) + b"\r\nb NOOP\r\n"
            self.assertEqual(feed(data, limits=limits)[: len(expected)], expected)
            self.assertEqual(feed(data, list(range(len(data))), limits), expected)
        line = b"a " + b"x" * 90 + b"\r\n"
        self.assertEqual(feed(line * 50 + BEHIND, limits=limits), [*[long] * 50, NOOP])

    def test_more_digits_than_a_number_has_are_no_announcement(self) -> None:
        for digits in (25, 28, 29, 30):
            data = b"a LOGIN {" + b"1" * digits + b"+}\r\n" + BEHIND
            [wrong, event] = joined(drain_all(data))
            self.assertEqual((wrong.tag, wrong.bad, event), ("a", True, NOOP))


def drain_all(data: bytes) -> list:
    wire = IMAPServerWire(syntax=SYNTAX)
    wire.receive(data)
    return drain(wire)


def one(mailbox: str, flags: frozenset[str], internal_date: int | None, size: int, zone: int = 0) -> Append:
    """The arguments of an APPEND of one message."""
    return Append(mailbox, (AppendMessage(flags, internal_date, Literal(size), zone),))


def streamed(append: Append, synchronizing: bool = False) -> StreamedLiteral:
    """The event of its literal."""
    [message] = append.messages
    assert isinstance(message.data, Literal)
    return StreamedLiteral("a", "APPEND", append, message.data.size, synchronizing)


class AppendTests(WireTestCase):
    ARGUMENTS = one("a b", frozenset({"\\Seen", "x"}), 837_596_665, 5, -420)
    LINE = b'a APPEND "a b" (\\Seen x) "17-Jul-1996 02:44:25 -0700" {5'

    def test_announced_then_chunks_then_the_command(self) -> None:
        for end, synchronizing in ((b"}\r\n", True), (b"+}\r\n", False)):
            self.assert_events(
                self.LINE + end + b"a\0\r\n\xff\r\n" + BEHIND,
                [
                    StreamedLiteral("a", "APPEND", self.ARGUMENTS, 5, synchronizing),
                    LiteralChunk(b"a\0\r\n\xff"),
                    Command("a", "APPEND", False, self.ARGUMENTS),
                    NOOP,
                ],
            )

    def test_chunks_come_as_the_octets_do(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.receive(self.LINE + b"}\r\n")
        self.assertEqual(wire.next_event().size, 5)
        for data in (b"ab", b"c", b"de\r\n"):
            wire.receive(data)
            self.assertEqual(wire.next_event(), LiteralChunk(data.rstrip()))
        self.assertEqual(wire.next_event(), Command("a", "APPEND", False, self.ARGUMENTS))

    def test_all_but_the_mailbox_may_lack(self) -> None:
        for text, append in {
            b"inbox {0+}": one("INBOX", frozenset(), None, 0),
            b"x () {0+}": one("x", frozenset(), None, 0),
            b'x " 7-jul-1996 00:00:00 +0000" {0+}': one("x", frozenset(), 836_697_600, 0),
            b'x "01-Jan-1970 01:30:00 +0130" {0+}': one("x", frozenset(), 0, 0, 90),
            b'x "31-Dec-1969 23:59:60 +0000" {0+}': one("x", frozenset(), 0, 0),
        }.items():
            self.assert_events(
                b"a append " + text + b"\r\n\r\n",
                [streamed(append), Command("a", "APPEND", False, append)],
            )

    def test_the_mailbox_may_be_a_literal(self) -> None:
        append = one("INBOX", frozenset(), None, 2)
        self.assert_events(
            b"a APPEND {5}\r\ninbox {2}\r\nhi\r\n",
            [
                LiteralRequest("a", 5, "APPEND"),
                streamed(append, True),
                LiteralChunk(b"hi"),
                Command("a", "APPEND", False, append),
            ],
        )

    def test_what_is_wrong_is_refused_before_the_message(self) -> None:
        for text in (
            b"x (\\Recent)",
            b"x (\\Seen",
            b"x \\Seen",
            b'x "17-Jul-1996"',
            b'x "31-Feb-1996 00:00:00 +0000"',
            b'x "17-Jul-1996 24:00:00 +0000"',
            b'x "17-Jul-1996 00:00:00 +0060"',
            b'x "17-Jul-1996 00:00:00 0000"',
            b'x "17-Jul-1996 02:44:25 -0700" ()',
            b"",
        ):
            for literal in (b" {8}\r\n", b" {8+}\r\nc NOOP\r\n\r\n"):
                wire = IMAPServerWire(syntax=SYNTAX)
                wire.receive(b"a APPEND " + text + literal + BEHIND)
                wrong, event = drain(wire)
                self.assertEqual((wrong.tag, wrong.bad, wrong.fatal, event), ("a", True, False, NOOP), text)

    def test_without_a_literal(self) -> None:
        self.assert_events(
            b'a APPEND x\r\nb APPEND x "text"\r\n',
            [Wrong("a", "Missing argument"), Wrong("b", "Expected a date and time")],
        )

    def test_too_large(self) -> None:
        self.limits = SMALL
        wrong = Wrong("a", "Message larger than 20 octets", "TOOBIG", bad=False)
        self.assert_events(b"a APPEND x {21}\r\n" + BEHIND, [wrong, NOOP])
        self.assert_events(b"a APPEND x {21+}\r\n" + b"\n" * 21 + b"\r\n" + BEHIND, [wrong, NOOP])

    def test_refused_by_the_server_before_the_octets(self) -> None:
        for literal in (b"{8}\r\n", b"{8+}\r\nc NOOP\r\n\r\n"):
            wire = IMAPServerWire(syntax=SYNTAX)
            wire.receive(b"a APPEND x " + literal)
            self.assertIsInstance(wire.next_event(), StreamedLiteral)
            wire.refuse_literal()
            wire.receive(BEHIND)
            self.assertEqual(drain(wire), [NOOP])

    def test_refused_by_the_server_among_the_octets(self) -> None:
        for taken in (b"c N", b"c NOOP\r\n"):
            wire = IMAPServerWire(syntax=SYNTAX)
            wire.receive(b"a APPEND x {8}\r\n" + taken)
            self.assertIsInstance(wire.next_event(), StreamedLiteral)
            self.assertEqual(wire.next_event(), LiteralChunk(taken))
            wire.refuse_literal()
            wire.receive(b"c NOOP\r\n"[len(taken) :] + b"\r\n" + BEHIND)
            self.assertEqual(drain(wire), [NOOP])

    def test_refused_twice_or_without_a_literal_is_nothing(self) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.refuse_literal()
        wire.receive(b"a APPEND x {8}\r\n")
        wire.next_event()
        wire.refuse_literal()
        wire.refuse_literal()
        wire.receive(BEHIND)
        self.assertEqual(drain(wire), [NOOP])

    def test_one_message_only(self) -> None:
        self.syntax = Tables.build(CORE).syntax
        wrong = Wrong("a", "APPEND takes one message")
        append = one("x", frozenset(), None, 1)
        begun: list[Any] = [streamed(append), LiteralChunk(b"1")]
        line = b"a APPEND x {1+}\r\n1"
        self.assert_events(line + b" x\r\n" + BEHIND, [*begun, wrong, NOOP])
        self.assert_events(line + b" {8}\r\n" + BEHIND, [*begun, wrong, NOOP])
        self.assert_events(line + b" {8+}\r\nc NOOP\r\n\r\n" + BEHIND, [*begun, wrong, NOOP])


class ExpectedLineTests(WireTestCase):
    def answer(self, data: bytes) -> list:
        """What comes of ``data`` where IDLE has begun."""
        wire = IMAPServerWire(SMALL, syntax=SYNTAX)
        wire.receive(b"a IDLE\r\n" + data)
        self.assertEqual(wire.next_event(), Command("a", "IDLE", False, NO_ARGUMENTS))
        wire.expect_line()
        return drain(wire)

    def test_done_and_the_next_command_in_one_packet(self) -> None:
        self.assertEqual(self.answer(b"DONE\r\n" + BEHIND), [ContinuationLine(b"DONE"), NOOP])

    def test_any_line_is_given_as_it_is(self) -> None:
        for line in (b"", b"*", b"b NOOP", b"\xff {5}", b"x" * SMALL.line):
            self.assertEqual(self.answer(line + b"\r\n" + BEHIND), [ContinuationLine(line), NOOP])

    def test_wrong_lines_have_no_tag_and_end_the_expectation(self) -> None:
        for line in (b"DONE\n\r\n", b"c \0\r\n", b"c " + b"x" * 100 + b"\r\n"):
            wrong, *_, event = self.answer(line + BEHIND)
            self.assertEqual((wrong.tag, wrong.fatal, event), (None, False, NOOP))

    def test_secrets_are_in_no_repr(self) -> None:
        self.assertNotIn("c2VjcmV0", repr(self.answer(b"c2VjcmV0\r\n")))
