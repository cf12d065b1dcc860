"""Marks on messages, and ranges of recent ones."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server._marks import Marks
from mailproto.imap.server._recent import RecentRanges
from mailproto.imap.server._runs import Runs

INDEXES = st.sets(st.integers(0, 19))


class MarksTests(SynchronousTestCase):
    @given(INDEXES, st.tuples(st.integers(0, 20), st.integers(0, 20)))
    def test_they_are_a_set(self, some: set[int], ends: tuple[int, int]) -> None:
        start, stop = sorted(ends)
        marks = Marks()
        marks.resize(10)
        marks.resize(20)
        marks.mark(sorted(some))
        marks.mark(range(start, stop))
        marked = some | set(range(start, stop))
        self.assertEqual([at for at in range(-1, 30) if at in marks], sorted(marked))
        self.assertEqual(marks.within(range(5, 15)), sorted(marked.intersection(range(5, 15))))
        self.assertEqual(list(marks.without(range(5, 15))), sorted(set(range(5, 15)) - marked))
        self.assertEqual(list(marks.without([1, 7, 19])), sorted({1, 7, 19} - marked))
        letters = "abcdefghijklmnopqrst"
        kept = "".join(marks.unmarked(letters[5:15], range(5, 15)))
        self.assertEqual(kept, "".join(letters[at] for at in range(5, 15) if at not in marked))

    def test_none_take_nothing(self) -> None:
        marks = Marks()
        marks.resize(1_000_000)
        self.assertFalse(marks)
        self.assertEqual(len(marks._marks), 0)
        marks.mark([5])
        self.assertTrue(marks)
        marks.clear()
        self.assertFalse(marks)


class RecentTests(SynchronousTestCase):
    @given(st.lists(st.booleans(), max_size=20))
    def test_ranges(self, recent: list[bool]) -> None:
        ranges = RecentRanges()
        expected = {uid for uid, is_recent in enumerate(recent, 1) if is_recent}
        for uid in sorted(expected):
            ranges.add(uid, uid, uid - 1)
        self.assertEqual({uid for uid in range(30) if uid in ranges}, expected)
        self.assertEqual(ranges.count(array("I", range(1, 30))), len(expected))
        self.assertEqual(len(ranges), sum(uid - 1 not in expected for uid in expected))
        self.assertEqual(ranges.first, min(expected, default=1 << 32))


class RunsTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=6),
        st.integers(-3, 30),
        st.integers(-3, 30),
    )
    def test_they_are_as_a_list(self, lengths: list[tuple[int, int]], start: int, stop: int) -> None:
        ranges, last = list[range](), 0
        for gap, length in lengths:
            ranges.append(range(last + gap, last + gap + length))
            last += gap + length
        listed = [number for some in ranges for number in some]
        runs = Runs(ranges)
        self.assertEqual(list(runs), listed)
        self.assertEqual(len(runs), len(listed))
        self.assertEqual(list(runs[start:stop]), listed[start:stop])
        self.assertEqual(list(runs[::2]), listed[::2])
        self.assertEqual([runs[at] for at in range(len(runs))], listed)
