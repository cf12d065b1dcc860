"""Sequence sets: read, merged, written."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import IMAPWireError, SequenceSet, format_set, set_pieces

numbers = st.integers(1, 40)
ends = st.one_of(numbers, st.none())
items = st.one_of(ends.map(lambda end: (end,)), st.tuples(ends, ends))


def written(item: tuple) -> str:
    return ":".join("*" if end is None else str(end) for end in item)


def members(sets: list[tuple], last: int) -> set[int]:
    """What RFC 9051 9 says a set means, one number at a time."""
    found: set[int] = set()
    for item in sets:
        low, high = sorted((last if item[0] is None else item[0], last if item[-1] is None else item[-1]))
        found.update(range(low, high + 1))
    return found


def uids_of(sequence: SequenceSet, uids: Sequence[int]) -> list[int]:
    """Those of ``uids`` that are in the set; ``*`` is the last one."""
    ranges = sequence.merged(uids[-1] if uids else 0)
    return [uid for low, high in ranges for uid in uids if low <= uid <= high]


class ParseTests(SynchronousTestCase):
    def test_ranges(self) -> None:
        for text, ranges in {
            b"1": ((1, 1),),
            b"*": ((None, None),),
            b"1:*": ((1, None),),
            b"*:1": ((1, None),),
            b"*:*": ((None, None),),
            b"5:3": ((3, 5),),
            b"1,3:5,9:*,2": ((1, 1), (3, 5), (9, None), (2, 2)),
            b"4294967295": ((4294967295, 4294967295),),
        }.items():
            self.assertEqual(SequenceSet.parse(text), SequenceSet(ranges), text)

    def test_anything_else_is_an_error(self) -> None:
        for text in (
            b"", b"0", b"01", b"1:0", b"-1", b"+1", b",", b"1,", b",1", b"1,,2", b":", b"1:", b":1", b"1:2:3",
            b"**", b"1*", b"a", b"1 2", b"$", b"1,2\n", b"\xd9\xa1", b"4294967296",
            b"1:4294967296", b"9" * 5000,
        ):  # fmt: skip
            self.assertRaises(IMAPWireError, SequenceSet.parse, text)


class MergedTests(SynchronousTestCase):
    def uids(self, text: bytes, uids: list[int]) -> list[int]:
        return uids_of(SequenceSet.parse(text), uids)

    def test_uids_that_are_there(self) -> None:
        uids = [2, 4, 6, 8]
        self.assertEqual(self.uids(b"1:4,3:6", uids), [2, 4, 6])
        self.assertEqual(self.uids(b"8,2,8", uids), [2, 8])
        self.assertEqual(self.uids(b"5", uids), [])
        self.assertEqual(self.uids(b"1:*", uids), uids)

    def test_star_is_the_last_uid_even_below_the_other_end(self) -> None:
        self.assertEqual(self.uids(b"9999:*", [2, 50]), [50])
        self.assertEqual(self.uids(b"*", [2, 50]), [50])
        self.assertEqual(self.uids(b"*", []), [])

    @given(st.lists(items, min_size=1, max_size=8), st.sets(numbers, max_size=20))
    @settings(max_examples=150, deadline=None)
    def test_against_the_definition(self, sets: list[tuple], there: set[int]) -> None:
        sequence = SequenceSet.parse(",".join(map(written, sets)).encode())
        uids = sorted(there)
        expected = sorted(members(sets, uids[-1]) & there) if uids else []
        self.assertEqual(uids_of(sequence, uids), expected)

    def test_overlapping_ranges_cost_a_mailbox_once(self) -> None:
        sequence = SequenceSet.parse(b",".join([b"1:*", b"*:1", b"1:4294967295"] * 3000))
        everything = list(range(1, 100_001))
        self.assertEqual(uids_of(sequence, everything), everything)
        self.assertEqual(len(sequence.merged(100_000)), 1)


class FormatTests(SynchronousTestCase):
    def test_shortest_form(self) -> None:
        for given_numbers, text in (
            ([], b""),
            ([7], b"7"),
            ([1, 2], b"1:2"),
            ([1, 2, 3, 7, 9, 10], b"1:3,7,9:10"),
            (range(1, 100_001), b"1:100000"),
        ):
            self.assertEqual(format_set(given_numbers), text)

    @given(st.sets(st.integers(1, 60), min_size=1))
    @settings(max_examples=100, deadline=None)
    def test_round_trip(self, chosen: set[int]) -> None:
        ascending = sorted(chosen)
        self.assertEqual(uids_of(SequenceSet.parse(format_set(ascending)), range(1, 61)), ascending)

    @given(st.sets(st.integers(1, 60)), st.integers(1, 20))
    @settings(max_examples=100, deadline=None)
    def test_pieces_are_the_same(self, chosen: set[int], size: int) -> None:
        ascending = sorted(chosen)
        pieces = list(set_pieces(ascending, size))
        self.assertEqual(b"".join(pieces), format_set(ascending))
        self.assertLessEqual(max(map(len, pieces), default=0), 6 * size + 6)
