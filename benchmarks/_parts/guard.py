"""Ends a process, and all that it has started, when nobody holds the other end of stdin any more: PID.

The kernel's way (PR_SET_PDEATHSIG) ends where a process changes its user, as Postfix does; and Postfix leaves
the process group in which it was started.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["PATIENCE", "below"]

PATIENCE = 5
"""Seconds for which processes may take to end."""


def below(pid: int) -> set[int]:
    """A process, and all that it has started."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _end(pid: int) -> None:
    processes = below(pid)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for each in processes:
            with suppress(ProcessLookupError):
                os.kill(each, kind)
        time.sleep(PATIENCE)


if __name__ == "__main__":
    sys.stdin.read()
    _end(int(sys.argv[1]))
