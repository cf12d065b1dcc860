"""The memory of a server's process."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailproto.service import _reporting

_KEPT = """
import sys
from mailproto.service._allocator import give_back_large_blocks

def kibibytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

if sys.argv[1] == "told":
    give_back_large_blocks()
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
        self.patch(_reporting, "give_back_large_blocks", lambda: told.append("process"))
        _reporting.Reporter().ready(Path("data"))
        self.assertEqual(told, [])
        _reporting.ProcessReporter(MemoryReactor()).ready(Path("data"))
        self.assertEqual(told, ["process"])
