"""``mailproto mirror`` and ``migrate`` are killed and run again; `mirror_kills` has more."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.interop.mirror_kills import MIRRORS, kill_and_judge
from tests.interop.server import emptied, shared


class KillTests(TestCase):
    timeout = 240

    def test_nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        for seed, kind in enumerate(MIRRORS):
            kill_and_judge(emptied(shared()), kind, kills=3, seed=seed)
