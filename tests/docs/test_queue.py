"""The numbers of ``docs/queue.md`` are true."""

from __future__ import annotations

import re
from dataclasses import fields

from twisted.trial.unittest import SynchronousTestCase

from mailproto.relay._carrier import TURN, TURN_SECONDS
from mailproto.relay.limits import RelayLimits, Schedule
from tests.docs.pages import FOLDER

TEXT = (FOLDER / "queue.md").read_text()


class QueuePageTests(SynchronousTestCase):
    def test_the_limits(self) -> None:
        limits = RelayLimits()
        shown: set[str] = set()
        for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*)[^|]* \| ([\d, ]+) \|$", TEXT, re.M):
            for name, value in zip(re.findall(r"\w+", names), re.findall(r"\d+", values), strict=True):
                self.assertEqual(getattr(limits, name), int(value), name)
                shown.add(name)
        self.assertIn("| `lease`: seconds", TEXT)
        left = {field.name for field in fields(limits)} - shown
        self.assertEqual(left, {"first_connections", "rate", "rates", "stop_within"})
        self.assertEqual((limits.first_connections, limits.stop_within), (5, 20))

    def test_the_schedule(self) -> None:
        schedule = Schedule()
        self.assertEqual((schedule.retry, schedule.longest_wait), (60, 3600))
        self.assertEqual((schedule.delay_notice, schedule.lifetime), (4 * 3600, 5 * 86400))

    def test_the_turns(self) -> None:
        self.assertIn(f"after {TURN} messages or {TURN_SECONDS:g} seconds", TEXT)
