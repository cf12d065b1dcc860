"""Whatever a power cut leaves of what was not synced: what was answered is there, once and whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from twisted.trial.unittest import SkipTest, TestCase

from tests.durability.power_cut import fast_folder, record, verify_cuts
from tests.durability.recorder import can_trace

OPERATIONS, CUTS = 200, 50


class PowerCutTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        if not can_trace():
            raise SkipTest("needs strace, and leave to use it: install the Debian package strace")

    async def test_power_cuts_lose_nothing(self) -> None:
        for seed in (1, 2):
            with tempfile.TemporaryDirectory(prefix="mailproto-test-", dir=fast_folder()) as name:
                recording = record(Path(name), seed, OPERATIONS)
                answers = recording.answers(len(recording.calls))
                self.assertGreater(answers.answered, 2 * OPERATIONS)
                await verify_cuts(recording, Path(name), Random(seed), CUTS)
