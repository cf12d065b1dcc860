"""The garbage collector of a server's process."""

from __future__ import annotations

import gc
from pathlib import Path

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.service import Reporter
from mailproto.service._reporting import ProcessReporter


class Loop:
    """A cycle, which only the collector frees."""

    def __init__(self) -> None:
        self.me = self


class CollectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.assertEqual(gc.get_freeze_count(), 0)
        self.thresholds = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *self.thresholds)
        self.addCleanup(gc.unfreeze)

    def test_leaves_out_what_was_there_when_the_server_was_ready(self) -> None:
        stays, garbage = Loop(), Loop()
        number = id(garbage)
        del garbage
        ProcessReporter(MemoryReactorClock()).ready(Path("data"))
        self.assertGreater(gc.get_freeze_count(), 10_000)
        self.assertGreater(gc.get_threshold(), self.thresholds)
        looked_at = list(map(id, gc.get_objects()))
        self.assertNotIn(id(stays), looked_at)
        gc.unfreeze()
        self.assertNotIn(number, [id(one) for one in gc.get_objects() if isinstance(one, Loop)], "it stays")

    def test_a_service_in_a_program_leaves_the_collector_alone(self) -> None:
        Reporter().ready(Path("data"))
        self.assertEqual((gc.get_freeze_count(), gc.get_threshold()), (0, self.thresholds))

    def test_nothing_is_changed_where_the_collector_is_off(self) -> None:
        gc.disable()
        self.addCleanup(gc.enable)
        ProcessReporter(MemoryReactorClock()).ready(Path("data"))
        self.assertEqual(gc.get_freeze_count(), 0)
