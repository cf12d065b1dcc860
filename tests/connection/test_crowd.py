"""Many connections that have something small to do at the same time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection._crowd import Crowd
from mailproto.connection._line import BUSY_TURN, TURN, line_of


class CrowdTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.clock.advance(1)
        self.crowd = Crowd(self.clock)
        self.done: list[int] = []
        self.slices: list[int] = []  # how many were done when each turn was asked for
        call_later = self.clock.callLater

        def noted(delay: float, *call: Any) -> Any:
            self.slices.append(len(self.done))
            return call_later(delay, *call)

        self.clock.callLater = noted

    def add(self, count: int, seconds: float) -> None:
        """So many calls, each of which takes so long."""

        def work(number: int) -> None:
            self.clock.rightNow += seconds
            self.done.append(number)

        for number in range(count):
            self.crowd.add(lambda number=number: work(number))

    def test_those_for_whom_there_is_time_are_called_at_once(self) -> None:
        self.add(3, 0.0001)
        self.assertEqual(self.done, [0, 1, 2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_others_in_slices_and_in_their_order(self) -> None:
        self.add(1000, 0.0001)
        self.assertLess(len(self.done), 2 * TURN / 0.0001)
        self.clock.advance(0)
        self.assertEqual(self.done, list(range(1000)))
        longest = max(after - before for before, after in pairwise(self.slices))
        self.assertLess(longest * 0.0001, 2 * TURN, "nobody waits for longer")
        self.assertLess(len(self.slices), 50, "not one for each")

    def test_new_input_comes_between_shorter_slices(self) -> None:
        line_of(self.clock).input_waits = True
        self.add(100, 0.0001)
        self.assertEqual(self.done, [])
        self.clock.advance(0)
        longest = max(after - before for before, after in pairwise(self.slices))
        self.assertLess(longest * 0.0001, 2 * BUSY_TURN)

    def test_others_of_the_line_have_their_turn(self) -> None:
        self.add(1000, 0.0001)
        others: list[int] = []
        line_of(self.clock).wait(lambda: others.append(len(self.done)), is_stranger=False)
        self.clock.advance(0)
        self.assertLess(others[0], 200)

    def test_one_that_fails_stops_nobody_else(self) -> None:
        self.crowd.add(lambda: 1 / 0)
        self.add(100, 0.0001)
        self.crowd.add(lambda: 1 / 0)
        self.add(3, 0.0001)
        for _ in range(20):
            self.clock.advance(0)
        self.assertEqual(len(self.done), 103)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
