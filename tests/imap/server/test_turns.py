"""Sessions with much to do go on one after another."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server._turns import Turns


class TurnsTests(SynchronousTestCase):
    def test_one_in_each_iteration(self) -> None:
        clock = Clock()
        calls: list[Callable[[], None]] = []
        clock.callLater = lambda delay, call: calls.append(call)
        turns, order = Turns(clock), list[str]()

        def go_on(name: str, times: int) -> None:
            def had(_: None) -> None:
                order.append(name)
                go_on(name, times - 1)

            if times:
                turns.wait().addCallback(had)

        for name in "abc":
            go_on(name, 2)
        for count in range(1, 7):
            [call] = calls
            calls.clear()
            call()
            self.assertEqual(len(order), count)
        self.assertEqual("".join(order), "abcabc")
        self.assertEqual(calls, [])
