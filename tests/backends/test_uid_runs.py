"""Long sequences of UIDs that take little memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends._uid_runs import UidPairs, UidRuns

RUNS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=6)
"""Of each run, how far it is from the one before, and its length."""


class UidRunsTests(SynchronousTestCase):
    @given(RUNS, st.integers(-3, 30), st.integers(-3, 30))
    def test_they_are_as_a_list(self, runs: list[tuple[int, int]], start: int, stop: int) -> None:
        uids, listed, last = UidRuns(), list[int](), 0
        for gap, length in runs:
            first = last + gap
            last = first + length - 1
            uids.add(first, last)
            listed += range(first, last + 1)
        self.assertEqual(list(uids), listed)
        self.assertEqual(len(uids), len(listed))
        self.assertEqual(list(uids[start:stop]), listed[start:stop])
        self.assertEqual(list(uids[::2]), listed[::2])
        if listed:
            self.assertEqual(uids[-1], listed[-1])
        self.assertRaises(IndexError, lambda: uids[len(listed)])

    def test_many_are_a_range(self) -> None:
        uids = UidRuns()
        uids.add(1, 1 << 30)
        self.assertEqual(uids[5000:7000], range(5001, 7001))

    def test_pairs(self) -> None:
        pairs = UidPairs.join([UidPairs([1, 3], [7, 8]), UidPairs([4], [9])])
        self.assertEqual(pairs, [(1, 7), (3, 8), (4, 9)])
        self.assertEqual(pairs[1:], [(3, 8), (4, 9)])
        self.assertEqual((pairs[-1], len(pairs)), ((4, 9), 3))
        self.assertNotEqual(pairs, 1)
