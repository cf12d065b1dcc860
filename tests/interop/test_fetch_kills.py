"""``mailproto fetch`` is killed and run again, with each source and each target; `fetch_kills` has more."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.interop.fetch_kills import KINDS, kill_and_judge
from tests.interop.server import emptied, shared


class KillTests(TestCase):
    timeout = 120

    def test_nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        for seed, (scheme, kind) in enumerate(zip(("pop3", "imap", "pop3"), KINDS, strict=True)):
            kill_and_judge(emptied(shared()), scheme, kind, kills=3, seed=seed)
