"""Whatever a power cut leaves of what was not synced: what was answered is there, once and whole."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from twisted.trial.unittest import SkipTest, TestCase

from tests.durability.power_cut import fast_folder, record, verify
from tests.durability.recorder import can_trace

OPERATIONS, CUTS = 250, 60


class PowerCutTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        if not can_trace():
            raise SkipTest("needs strace, and leave to use it: install the Debian package strace")

    async def cut(self, seed: int) -> None:
        with tempfile.TemporaryDirectory(prefix="mailproto-test-", dir=fast_folder()) as name:
            folder = Path(name)
            recording = record(folder, seed, OPERATIONS)
            choose = Random(seed)
            moments = recording.moments(choose, CUTS)
            for moment, chance, left in recording.cut(moments, folder, choose):
                try:
                    await verify(left, recording.answers(moment))
                except Exception as error:
                    raise AssertionError(
                        f"seed {seed}, cut after {moment} calls, {chance}: {error}"
                    ) from error

    async def test_power_cuts_lose_nothing(self) -> None:
        for seed in (1, 2):
            await self.cut(seed)
