"""A domain whose route was taken away: mail that waits may go when there is one again."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import MailError
from mailproto.relay import Routes
from mailproto.relay._found_ways import FoundWays


class FoundWaysTests(SynchronousTestCase):
    def test_no_route(self) -> None:
        nobody: Any = None
        ways = FoundWays(Routes("mx", {"a.example": "off"}), nobody, nobody)
        found = self.failureResultOf(Deferred.fromCoroutine(ways.find("a.example", None)), MailError).value
        self.assertEqual(
            (found.code, found.enhanced, found.text),
            (451, "4.4.4", "This server sends no mail to that domain now: it has no route"),
        )
