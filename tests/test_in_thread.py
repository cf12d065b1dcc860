"""Work in threads that is cancelled."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto import _in_thread
from mailproto._in_thread import in_thread


class Threads(Clock):
    def getThreadPool(self) -> None:
        """There is one."""


class InThreadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.working: Deferred[int] = Deferred()
        self.patch(_in_thread, "deferToThreadPool", lambda *_: self.working)
        self.released = False

    async def use(self) -> int:
        reactor: Any = Threads()
        try:
            return await in_thread(reactor, int)
        finally:
            self.released = True

    def test_it_ends_when_the_thread_has_ended(self) -> None:
        """Otherwise the thread would go on to write to a file that is closed, or to another one by then."""
        for fails in (False, True):
            self.setUp()
            using = Deferred.fromCoroutine(self.use())
            for _ in range(2):
                using.cancel()
                self.assertFalse(self.released)
            self.working.errback(OSError()) if fails else self.working.callback(5)
            self.failureResultOf(using, CancelledError)
            self.assertTrue(self.released)

    def test_results_and_errors(self) -> None:
        using = Deferred.fromCoroutine(self.use())
        self.working.callback(5)
        self.assertEqual(self.successResultOf(using), 5)
        self.setUp()
        using = Deferred.fromCoroutine(self.use())
        self.working.errback(OSError())
        self.failureResultOf(using, OSError)
