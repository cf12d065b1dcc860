"""What the reporter of a server's process does when the server is ready."""

from __future__ import annotations

import gc
from pathlib import Path

from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._reporting import ProcessReporter


class ProcessReporterTests(SynchronousTestCase):
    def test_the_garbage_collector_leaves_out_what_stays(self) -> None:
        """A server's own objects would take it 30 ms each time."""
        self.addCleanup(gc.unfreeze)
        ProcessReporter(MemoryReactor()).ready(Path("data"))  # type: ignore[no-untyped-call]
        self.assertGreater(gc.get_freeze_count(), 50_000)
