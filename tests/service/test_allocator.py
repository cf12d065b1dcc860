"""The memory of a server's process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailproto.service import _allocator, _reporting

_KEPT = """
import sys
from mailproto.service._allocator import give_memory_back
from twisted.internet.task import Clock

def kibibytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

if sys.argv[1] == "told":
    give_memory_back(Clock())
block = bytes([1]) * (20 << 20)
del block  # glibc learns from this
before = kibibytes()
block = bytes([1]) * (19 << 20)
others = [bytes(5000) for _ in range(20)]
del block
print(kibibytes() - before)
"""


def kept(argument: str) -> int:
    """The KiB that a program keeps of a block that is free."""
    return int(subprocess.check_output([sys.executable, "-c", _KEPT, argument], timeout=60))


class AllocatorTests(SynchronousTestCase):
    def test_large_blocks_are_given_back(self) -> None:
        if platform.libc_ver()[0] != "glibc":
            raise SkipTest("only glibc is told")
        self.assertGreater(kept("not told"), 15 << 10)
        self.assertLess(kept("told"), 2 << 10)

    def test_by_a_server_with_a_process_of_its_own(self) -> None:
        told: list[str] = []
        self.patch(_reporting, "leave_out_what_stays", lambda: None)
        self.patch(_reporting, "give_memory_back", lambda _: told.append("process"))
        self.patch(_reporting, "keep_large_blocks_apart", lambda: told.append("at the start"))
        _reporting.Reporter().ready(Path("data"))
        self.assertEqual(told, [])
        reporter = _reporting.ProcessReporter(MemoryReactorClock())
        self.assertEqual(told, ["at the start"], "before passwords are hashed")
        reporter.ready(Path("data"))
        self.assertEqual(told, ["at the start", "process"])

    def test_nothing_is_done_if_the_operator_has_decided(self) -> None:
        self.patch(os, "environ", {"MALLOC_TRIM_THRESHOLD_": "131072"})
        clock = Clock()
        _allocator.give_memory_back(clock)
        self.assertEqual(clock.getDelayedCalls(), [])


class HeapTests(SynchronousTestCase):
    """A heap that is trimmed when that is worthwhile."""

    MEGABYTE = 1 << 20

    def setUp(self) -> None:
        self.clock = Clock()
        self.size, self.free, self.trimmed = 70, 5, 0
        self.used = 3.0
        self.patch(_allocator, "process_time", lambda: self.used)
        self.patch(_allocator, "resident", lambda: self.size * self.MEGABYTE)
        _allocator._Heap(self.clock, self.look, self.trim).begin()

    def look(self) -> SimpleNamespace:
        return SimpleNamespace(fordblks=self.free * self.MEGABYTE)

    def trim(self, pad: int) -> None:
        self.trimmed += 1
        self.size = 80

    def look_again(self, *, size: int, free: int, used: float = 0.0) -> int:
        self.size, self.free, self.trimmed = size, free, 0
        self.used += used
        self.clock.advance(_allocator.EVERY)
        return self.trimmed

    def test_what_is_free_after_it_has_grown(self) -> None:
        self.assertEqual(self.look_again(size=130, free=60), 1)

    def test_not_what_is_in_use(self) -> None:
        self.assertEqual(self.look_again(size=130, free=10), 0)
        self.assertEqual(self.look_again(size=130, free=60), 1)

    def test_not_again_what_was_given_back_already(self) -> None:
        self.look_again(size=130, free=60)
        self.assertEqual(self.look_again(size=81, free=60), 0)
        self.assertEqual(self.look_again(size=97, free=60), 1)

    def test_not_while_there_is_much_to_do(self) -> None:
        busy = _allocator.QUIET + 0.1
        self.assertEqual(self.look_again(size=130, free=60, used=busy), 0)
        self.assertEqual(self.look_again(size=130, free=60, used=_allocator.QUIET), 1)

    def test_but_in_the_end(self) -> None:
        looks = [self.look_again(size=130, free=60, used=5) for _ in range(130)]
        waited = int(_allocator.LATEST / _allocator.EVERY)
        self.assertEqual([at for at, trimmed in enumerate(looks) if trimmed], [waited, 2 * waited + 1])
