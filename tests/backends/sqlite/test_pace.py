"""The builder of the index works little while others use the store."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from mailproto.backends.sqlite._search import _pace
from mailproto.backends.sqlite._search._pace import Pace


class FakeTime:
    """A clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.worked = self.slept = 0.0

    def work(self, seconds: float) -> None:
        self.worked += seconds
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class PaceTests(TestCase):
    def setUp(self) -> None:
        self.time = FakeTime()
        self.patch(_pace, "time", self.time)
        self.is_stopped = False
        self.pace = Pace(lambda: self.is_stopped)

    def share(self, *, in_use: bool) -> float:
        """The part of some seconds in which the builder works."""
        began, worked = self.time.now, self.time.worked
        self.pace.begin()
        while self.time.now - began < 5:
            if in_use:
                self.pace.used()
            self.time.work(0.0004)
            self.pace.breathe()
        return (self.time.worked - worked) / (self.time.now - began)

    def test_nearly_always_while_the_store_is_not_in_use(self) -> None:
        self.assertAlmostEqual(self.share(in_use=False), _pace.IDLE_SHARE, 1)

    def test_little_while_it_is(self) -> None:
        self.assertAlmostEqual(self.share(in_use=True), _pace.BUSY_SHARE, 2)

    def test_all_while_somebody_waits(self) -> None:
        self.pace.in_hurry = True
        self.assertAlmostEqual(self.share(in_use=True), _pace.HURRY_SHARE, 1)

    def test_the_reactor_never_waits_long(self) -> None:
        self.pace.begin()
        for _ in range(100):
            slept = self.time.slept
            self.time.work(_pace.STRETCH)
            self.pace.breathe()
            self.assertGreater(self.time.slept, slept)

    def test_a_rest_ends_with_the_builder(self) -> None:
        self.pace.used()
        self.pace.begin()
        self.time.work(60)
        self.is_stopped = True
        self.pace.rest()
        self.assertEqual(self.time.slept, 0)
