"""The builder of the index works in the time that others leave free."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from mailproto.backends.sqlite._search import _pace
from mailproto.backends.sqlite._search._pace import Pace


class FakeTime:
    """A clock, with the processor time of the builder and of all other threads."""

    def __init__(self) -> None:
        self.now = 100.0
        self.own = self.others = 0.0
        self.load = 0.0
        self.slept = 0.0
        self.delay = 0.0

    def work(self, seconds: float) -> None:
        self.own += seconds
        self._pass(seconds)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self._pass(seconds + self.delay)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.others += seconds * self.load

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.own + self.others

    def thread_time(self) -> float:
        return self.own


class PaceTests(TestCase):
    def setUp(self) -> None:
        self.time = FakeTime()
        self.patch(_pace, "time", self.time)
        self.is_stopped = False
        self.pace = Pace(lambda: self.is_stopped)

    def share(self, *, in_use: bool, written: bool = False) -> float:
        """The part of some seconds in which the builder works."""
        began, own = self.time.now, self.time.own
        self.pace.begin()
        while self.time.now - began < 5:
            if in_use:
                self.pace.used()
            if written:
                self.pace.awaited()
            self.time.work(0.0004)
            self.pace.breathe()
        return (self.time.own - own) / (self.time.now - began)

    def test_nearly_always_while_the_store_is_not_in_use(self) -> None:
        self.assertAlmostEqual(self.share(in_use=False), _pace.IDLE_SHARE, 1)

    def test_half_of_what_others_leave_free(self) -> None:
        self.time.load = 0.4
        self.assertAlmostEqual(self.share(in_use=True), 0.3, 1)

    def test_a_quarter_while_mail_comes(self) -> None:
        self.time.load = 0.4
        self.assertAlmostEqual(self.share(in_use=True, written=True), 0.15, 2)

    def test_less_where_it_waits_for_a_processor(self) -> None:
        self.time.delay = 0.01
        self.assertLess(self.share(in_use=True), 0.12)

    def test_little_while_others_need_all(self) -> None:
        self.time.load = 1.5
        self.assertAlmostEqual(self.share(in_use=True), _pace.LEAST_SHARE, 1)

    def test_all_while_somebody_waits(self) -> None:
        self.time.load = 1.0
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
