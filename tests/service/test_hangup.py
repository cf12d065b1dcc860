"""SIGHUP, inside the process of the tests."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._hangup import HangupService


class Reactor:
    def callFromThread(self, work: Callable[[], Any]) -> None:
        work()


class HangupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.calls: list[str] = []
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))

    def service(self, name: str) -> HangupService:
        return HangupService(lambda: self.calls.append(name), reactor=Reactor())  # type: ignore[arg-type]

    def hang_up(self) -> list[str]:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0)
        calls, self.calls = self.calls, []
        return sorted(calls)

    def test_from_the_privileged_start_to_the_end(self) -> None:
        before = signal.getsignal(signal.SIGHUP)
        service = self.service("a")
        for _ in range(2):
            service.privilegedStartService()
            self.assertEqual(self.hang_up(), ["a"])
            service.startService()
            self.assertEqual(self.hang_up(), ["a"])
            service.stopService()
            self.assertEqual(signal.getsignal(signal.SIGHUP), before)
            service.stopService()

    def test_several_in_one_process(self) -> None:
        signal.signal(signal.SIGHUP, lambda *_: self.calls.append("own"))
        first, second = self.service("a"), self.service("b")
        first.startService()
        second.startService()
        self.assertEqual(self.hang_up(), ["a", "b", "own"])
        second.stopService()
        self.assertEqual(self.hang_up(), ["a", "own"])
        first.stopService()
        self.assertEqual(self.hang_up(), ["own"])

    def test_beside_the_main_thread(self) -> None:
        before = signal.getsignal(signal.SIGHUP)
        service = self.service("a")
        thread = threading.Thread(target=service.startService)
        thread.start()
        thread.join()
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)
        service.stopService()
