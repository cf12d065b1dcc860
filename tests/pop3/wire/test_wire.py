"""POP3's wire: lines in, commands out."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.pop3.wire import (
    MAX_REPLY,
    Command,
    DotStuffing,
    POP3ServerWire,
    POP3SyntaxError,
    POP3WireLimits,
    Response,
    challenge,
    err,
    multiline,
    ok,
)

LIMITS = POP3WireLimits()


def events(wire: POP3ServerWire) -> Iterator[object]:
    """All events there are; an error is its text."""
    while True:
        try:
            event = wire.next_event()
        except POP3SyntaxError as error:
            yield str(error)
        else:
            if event is None:
                return
            yield event


def parse(data: bytes, piece: int = 0, *, limits: POP3WireLimits = LIMITS) -> list[object]:
    wire = POP3ServerWire(limits)
    found: list[object] = []
    for start in range(0, len(data), piece or len(data) or 1):
        wire.receive(data[start : start + (piece or len(data))])
        found += events(wire)
    return found


class CommandTests(TestCase):
    def assert_events(self, data: bytes, expected: list[object]) -> None:
        """Whole, byte by byte, and with the beginning of one more command."""
        self.assertEqual(parse(data), expected)
        self.assertEqual(parse(data, 1), expected)
        self.assertEqual(parse(data + b"NO"), expected)

    def test_keywords_have_no_case(self) -> None:
        self.assert_events(b"Stat\r\nnoop\r\n", [Command("STAT"), Command("NOOP")])

    def test_arguments(self) -> None:
        self.assert_events(b"TOP 1  10 \r\n", [Command("TOP", b"1  10 ")])
        self.assertEqual(Command("TOP", b"1  10 ").arguments, [b"1", b"10"])

    def test_everything_behind_the_first_space_is_a_password(self) -> None:
        self.assert_events(
            b"PASS  two words \r\nPASS \xc3\xbc\r\n",
            [Command("PASS", b" two words "), Command("PASS", b"\xc3\xbc")],
        )

    def test_lines_that_are_no_commands(self) -> None:
        malformed = "Malformed command"
        for line in (b"", b" STAT", b"STAT\0", b"LIST 1\r2", b"PASS a\x7f", b"\xff\xfe", b"STAT\t"):
            self.assert_events(line + b"\r\nQUIT\r\n", [malformed, Command("QUIT")])

    def test_lf_alone_ends_nothing_that_is_carried_out(self) -> None:
        refused = "Lines end with CRLF"
        self.assert_events(b"STAT\nQUIT\r\nNOOP\r\n", [refused, refused, Command("NOOP")])
        self.assert_events(b"\n\n\r\nNOOP\r\n", [refused, refused, refused, Command("NOOP")])
        for end, answer in ((b"\r\n", Command("NOOP")), (b"\n", refused)):
            for length in (LIMITS.line, 1000):
                self.assert_events(b"x" * length + end + b"NOOP\r\n", ["Line too long", answer])

    def test_the_longest_line(self) -> None:
        longest = b"PASS " + b"x" * (LIMITS.line - 7)
        self.assert_events(longest + b"\r\n", [Command("PASS", b"x" * (LIMITS.line - 7))])
        self.assert_events(longest + b"x\r\nSTAT\r\n", ["Line too long", Command("STAT")])

    def test_auth_may_be_longer(self) -> None:
        response = b"A" * (LIMITS.auth_line - len("AUTH PLAIN \r\n"))
        self.assert_events(b"auth PLAIN " + response + b"\r\n", [Command("AUTH", b"PLAIN " + response)])
        self.assert_events(b"AUTH PLAIN " + response + b"A\r\nSTAT\r\n", ["Line too long", Command("STAT")])

    def test_an_endless_line_is_thrown_away_while_it_comes(self) -> None:
        wire = POP3ServerWire()
        for _ in range(1000):
            wire.receive(b"x" * 1000)
            self.assertEqual(list(events(wire)), [])
            self.assertLessEqual(wire.pending, LIMITS.line)
        wire.receive(b"\r\nSTAT\r\n")
        self.assertEqual(list(events(wire)), ["Line too long", Command("STAT")])

    def test_a_line_without_end_is_the_last(self) -> None:
        limits = POP3WireLimits(swallowed=1000)
        data = b"x" * 998 + b"\r\nSTAT\r\n"
        self.assertEqual(parse(data, limits=limits), ["Line too long", Command("STAT")])
        for data in (b"x" * 999 + b"\r\nSTAT\r\n", b"x" * 1500, b"AUTH " + b"x" * 20_000):
            for piece in (0, 1, 100):
                self.assertEqual(parse(data, piece, limits=limits), ["A line without end"])
        wire = POP3ServerWire(limits)
        wire.receive(b"x" * 1001)
        with self.assertRaises(POP3SyntaxError) as caught:
            wire.next_event()
        self.assertTrue(caught.exception.fatal)
        wire.receive(b"\r\nSTAT\r\n")
        self.assertEqual((list(events(wire)), wire.pending), ([], 0))

    def test_a_response_is_not_parsed(self) -> None:
        wire = POP3ServerWire()
        wire.expect_response()
        wire.receive(b"AAA= and so on\r\nSTAT\r\n")
        self.assertEqual(list(events(wire)), [Response(b"AAA= and so on"), Command("STAT")])

    def test_a_response_may_be_long_and_an_overlong_one_ends_the_exchange(self) -> None:
        wire = POP3ServerWire()
        wire.expect_response()
        wire.receive(b"A" * (LIMITS.auth_line - 2) + b"\r\n")
        self.assertEqual(list(events(wire)), [Response(b"A" * (LIMITS.auth_line - 2))])
        wire.expect_response()
        wire.receive(b"A" * LIMITS.auth_line)
        self.assertEqual(list(events(wire)), [])
        wire.receive(b"A\r\nSTAT\r\n")
        self.assertEqual(list(events(wire)), ["Line too long", Command("STAT")])

    def test_pending_is_what_is_no_event_yet(self) -> None:
        wire = POP3ServerWire()
        wire.receive(b"STLS\r\nUSER ")
        self.assertEqual(wire.pending, 11)
        wire.next_event()
        self.assertEqual(wire.pending, 5)

    @given(
        st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"USER a", b"AUTH ", b"x" * 200, b"\0", b" "])),
        st.data(),
    )
    @settings(max_examples=100, deadline=None)
    def test_pieces_make_no_difference(self, tokens: list[bytes], data: st.DataObject) -> None:
        octets = b"".join(tokens)
        piece = data.draw(st.integers(1, len(octets) + 1))
        self.assertEqual(parse(octets, piece), parse(octets))


class DotStuffingTests(TestCase):
    def assert_body(self, message: bytes, expected: bytes) -> None:
        """In one piece, octet by octet, and in any two pieces."""
        cuts = [[message], [message[i : i + 1] for i in range(len(message))]]
        cuts += [[message[:i], message[i:]] for i in range(len(message))]
        for pieces in cuts:
            body = DotStuffing()
            got = b"".join([*map(body.encode, pieces), body.finish()])
            self.assertEqual(got, expected, pieces)
        self.assertEqual(DotStuffing.whole(message) + b".\r\n", expected)

    def test_a_message_as_it_should_be(self) -> None:
        self.assert_body(b"A: b\r\n\r\ntext.\r\n", b"A: b\r\n\r\ntext.\r\n.\r\n")

    def test_dots_at_the_beginning_of_lines(self) -> None:
        self.assert_body(b".a\r\n..b\r\n.\r\n", b"..a\r\n...b\r\n..\r\n.\r\n")

    def test_a_last_line_without_end_gets_one(self) -> None:
        self.assert_body(b"a\r\n.b", b"a\r\n..b\r\n.\r\n")
        self.assert_body(b"a\r", b"a\r\n.\r\n")

    def test_lf_becomes_crlf_and_crlf_stays(self) -> None:
        self.assert_body(b"\na\n.b\r\n\nc\n", b"\r\na\r\n..b\r\n\r\nc\r\n.\r\n")

    def test_nothing(self) -> None:
        self.assert_body(b"", b".\r\n")

    @given(st.binary(max_size=12), st.lists(st.sampled_from([b"\r", b"\n", b".", b"a"]), max_size=12))
    @settings(max_examples=200, deadline=None)
    def test_a_client_reads_the_message_with_crlf(self, start: bytes, rest: list[bytes]) -> None:
        message = start + b"".join(rest)
        body = DotStuffing()
        sent = b"".join([body.encode(message[:5]), body.encode(message[5:]), body.finish()])
        self.assertEqual(DotStuffing.whole(message) + b".\r\n", sent)
        lines = sent.split(b"\r\n")
        self.assertEqual(lines[-2:], [b".", b""])
        self.assertNotIn(b".", lines[:-2])
        unstuffed = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])
        wanted = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if message and not message.endswith(b"\n"):
            wanted = wanted.removesuffix(b"\r") + b"\r\n"
        self.assertEqual(unstuffed, wanted)


class ReplyTests(TestCase):
    def test_replies(self) -> None:
        self.assertEqual(ok(), b"+OK\r\n")
        self.assertEqual(ok("2 320"), b"+OK 2 320\r\n")
        self.assertEqual(err("No such message"), b"-ERR No such message\r\n")
        self.assertEqual(err("Later", "SYS/TEMP"), b"-ERR [SYS/TEMP] Later\r\n")
        self.assertEqual(multiline("Unique ids", ["1 a", "2 b"]), b"+OK Unique ids\r\n1 a\r\n2 b\r\n.\r\n")
        self.assertEqual(multiline("Unique ids", []), b"+OK Unique ids\r\n.\r\n")
        self.assertEqual(challenge(b""), b"+ \r\n")
        self.assertEqual(challenge(b"VXNlcm5hbWU6"), b"+ VXNlcm5hbWU6\r\n")

    def test_no_text_breaks_a_reply(self) -> None:
        self.assertEqual(err("über\r\n+OK\0"), b"-ERR  ber +OK \r\n")
        self.assertEqual(len(err("x" * 1000)), MAX_REPLY)
