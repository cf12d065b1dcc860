"""``mailproto fetch`` is killed and run again, with each source and each target; `fetch_kills` has more."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.interop.fetch_kills import KINDS, kill_and_judge
from tests.interop.server import emptied, shared


class KillTests(TestCase):
    timeout = 120

    def test_nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        for seed, kind in enumerate(KINDS):
            for scheme in ("pop3", "imap")[: 1 if kind == "mbox" else 2]:
                kill_and_judge(emptied(shared()), scheme, kind, kills=4, seed=seed)
