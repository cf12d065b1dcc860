"""FETCH responses that are read many at a time mean the same as when each is read line by line."""

from __future__ import annotations

from time import process_time
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import _client_wire
from mailproto.imap.wire._answers import Data, Fetches
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._client_wire import IMAPClientWire
from mailproto.imap.wire._usual_fetches import MOST_AT_ONCE
from tests.imap.wire.test_client_wire import SMALL, read

BEFORE = [b"", b"", b"FLAGS (\\Seen a) ", b'INTERNALDATE " 1-Feb-2024 00:00:00 +0000" ', b"RFC822.SIZE 7 "]
ODD = [
    b"UID 4 ",
    b'X "\\"" ',
    b"X (()) ",
    b"BODY[] {1}\r\nx ",
    b"uid 3 ",
    b"X {1}\n",
    b"X\ty ",
    b" ",
    b"X NIL ",
]
UIDS = [b"UID 5", b"UID 6", b"UID 4294967295"]
ODD_UIDS = [b"UID 0", b"UID 4294967296", b"UID 12345678901", b"uid 5", b"UID 5x", b"UID  5", b"UID NIL", b""]
AFTER = [b")\r\n", b" FLAGS ())\r\n", b' ENVELOPE ("a" NIL))\r\n', b" BODY[] {5}\r\nhello)\r\n"]
AFTER += [
    b" BODY[HEADER.FIELDS (TO)] {2}\r\n)\r)\r\n",
    b" BODY[1.2]<0> {0}\r\n)\r\n",
    b" RFC822 ~{1}\r\n\0)\r\n",
]
ODD_AFTER = [
    b")\n",
    b" FLAGS (\\Seen)\r\n",
    b")\r\r\n",
    b" \n)\r\n",
    b" BODY[] {5}\r\nhello FLAGS ())\r\n",
    b" BODY[] {5}\r\nhello BODY[1] {1}\r\nx)\r\n",
    b" BODY[] {21}\r\n" + b"x" * 21 + b")\r\n",  # larger than what stays in memory
    b" BODY[] {99}\r\n",
    b" BODY[] {5+}\r\nhello)\r\n",
    b" BODY[] {5}\nhello)\r\n",
    b" BODY[] {5}\r\nhello)\n",
    b' X "{5}\r\n")\r\n',
    b" X" * 300 + b")\r\n",
    b" BODY[] {99999999999}\r\n",
    b")",
]
NUMBERS = [b"* 1 FETCH (", b"* 2 FETCH (", b"* 4294967296 FETCH ("]
ODD_NUMBERS = [b"* FETCH (", b"*  1 FETCH (", b"* 1 fetch (", b"* 1 FETCH  (", b"* 12345678901 FETCH (", b"x"]
OTHERS = [b"* 3 EXISTS\r\n", b"A1 OK Done\r\n", b"* 2 EXPUNGE\r\n", b"\r\n", b"* LIST () {1}\r\nx\r\n"]


def usual_or(odd: list[bytes], usual: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.sampled_from(usual * 3 + odd)


responses = st.builds(
    lambda *parts: b"".join(parts),
    usual_or(ODD_NUMBERS, NUMBERS),
    usual_or(ODD, BEFORE),
    usual_or(ODD, BEFORE),
    usual_or(ODD_UIDS, UIDS),
    usual_or(ODD_AFTER, AFTER),
)
streams = st.lists(st.one_of(responses, responses, st.sampled_from(OTHERS)), max_size=12).map(b"".join)
LIMITS = [
    SMALL,
    IMAPClientLimits(line=60, line_before_login=60, in_memory=20, literal=60, response=90, literals=1),
    IMAPClientLimits(line_before_login=400, in_memory=20, response=31, literals=0),
]


def read_all(octets: bytes, sizes: list[int], limits: IMAPClientLimits) -> list[object]:
    """As `read`; only that an error has come, for its text has what was there at the time."""
    return ["broken" if isinstance(event, str) else event for event in read(octets, sizes, limits)]


def received(wire: IMAPClientWire, octets: bytes) -> list[Any]:
    """The events of some octets."""
    wire.receive(octets)
    return list(iter(wire.next_event, None))


class UsualFetchTests(SynchronousTestCase):
    @given(streams, st.lists(st.integers(1, 60), max_size=30), st.sampled_from(LIMITS))
    def test_the_fast_way_is_the_slow_way(
        self, octets: bytes, sizes: list[int], limits: IMAPClientLimits
    ) -> None:
        fast = read_all(octets, sizes, limits)
        self.assertEqual(read_all(octets, [], limits), fast)
        with patch.object(_client_wire, "usual_fetches", lambda buffer, position, *_: (position, 0)):
            self.assertEqual(read_all(octets, sizes, limits), fast)

    def test_what_came_together_is_one_event(self) -> None:
        octets = b"* 1 FETCH (FLAGS (\\Seen) UID 5)\r\n* 2 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n"
        [fetches] = received(IMAPClientWire(), octets)
        self.assertEqual(
            fetches,
            Fetches(
                [
                    Data(1, "FETCH", b"(FLAGS (\\Seen) UID 5)", []),
                    Data(2, "FETCH", b"(UID 7 BODY[] {5}\r\n)", [b"hello"]),
                ],
                [5, 7],
                len(octets),
            ),
        )

    def test_a_piece_ends_inside_of_a_response(self) -> None:
        one = b"* 1 FETCH (UID 5 BODY[] {5}\r\nhello)\r\n"
        for place in range(1, len(one)):
            wire = IMAPClientWire()
            events = received(wire, one + one[:place])
            events += received(wire, one[place:] + one + b"* 3 EXISTS\r\n")
            self.assertEqual([len(each.uids) for each in events[:-1]], [1, 2], place)
            self.assertEqual(events[-1], Data(3, "EXISTS", b"", []))
        wire = IMAPClientWire()
        [first] = received(wire, one + one[:-7])
        self.assertEqual(wire.pending, len(one) - 7)
        self.assertEqual(received(wire, one[-7:-3]), [])
        self.assertEqual(wire.pending, len(one) - 3)
        [rest] = received(wire, one[-3:] + one + one[:3])
        self.assertEqual((len(first.uids), len(rest.uids), rest.octets), (1, 2, 2 * len(one)))
        self.assertEqual(received(wire, one[3:-1]), [])
        self.assertEqual(wire.take_pending(), one[:-1])
        self.assertEqual(len(received(wire, one)), 1)

    def test_others_have_their_turn(self) -> None:
        events = received(IMAPClientWire(), b"* 1 FETCH (UID 5 FLAGS ())\r\n" * (2 * MOST_AT_ONCE + 1))
        self.assertEqual([len(each.uids) for each in events], [MOST_AT_ONCE, MOST_AT_ONCE, 1])

    def test_hostile_texts_take_no_long_time(self) -> None:
        for text in (
            b"* 1 FETCH (" + b"A 1 " * 50_000,
            b"* 1 FETCH (A (" + b"B " * 100_000 + b")\r\n",
            b'* 1 FETCH (A "' + b"B " * 100_000,
            (b"* 1 FETCH (" + b"A (B) " * 9 + b"UID 5 ") * 5_000,
            b"* 1 FETCH (UID 5 \n" * 10_000,
            b"* 1 FETCH (UID 5 BODY[] {60000}\r\n" + b"x" * 50_000,
        ):
            wire = IMAPClientWire()
            wire.longest = 1 << 20
            began = process_time()
            received(wire, text)
            for _ in range(1000):  # what comes octet by octet is not read again and again
                received(wire, b"y")
            self.assertLess(process_time() - began, 1)  # ten times as long, if it were quadratic
