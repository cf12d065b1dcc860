"""Somebody else, in a process of its own, who asks again and again: how long each answer took."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from _parts.program import WrongAnswer

__all__ = ["Probe", "Waits"]

PAUSE = 0.003
"""Seconds from one answer to the next question."""


@dataclass(frozen=True)
class Waits:
    """How long each answer took, in milliseconds.

    :ivar busy: how much of the longest the server, or the one who asked, waited for a processor: on a
        machine without other work, next to nothing.
    """

    each: Sequence[float]
    busy: float

    @property
    def longest(self) -> float:
        return max(self.each, default=0.0)

    @property
    def most(self) -> float:
        """99 of 100 were not longer."""
        ordered = sorted(self.each)
        return ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)] if ordered else 0.0


class Probe:
    """Asks a server again and again.

    :param make: makes, in the process, the function that asks once.
    :param pid: of the server, if its waits for a processor are to be known.
    """

    def __init__(self, make: Callable[[], Callable[[], object]], pid: int | None = None) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_run, args=(make, pid, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    def begin(self) -> None:
        """Forget what was."""
        self._pipe.send("begin")
        self._answer()

    def waits(self) -> Waits:
        """All since `begin`."""
        self._pipe.send("look")
        found: Waits = self._answer()
        return found

    def end(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()

    def _answer(self) -> Any:
        try:
            return self._pipe.recv()
        except EOFError:
            raise WrongAnswer("a session beside was refused something") from None


def _run(make: Callable[[], Callable[[], object]], pid: int | None, pipe: Any) -> None:
    with suppress(OSError, AttributeError):  # as root: whoever else works does not make us late
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    act = make()
    gc.disable()
    waiting = [_waiting(os.getpid())] + ([] if pid is None else [_waiting(pid)])
    each: list[tuple[float, float]] = []
    pipe.send("ready")
    while True:
        before = sum(read() for read in waiting)
        began = time.perf_counter()
        act()
        seconds = time.perf_counter() - began
        each.append((seconds, sum(read() for read in waiting) - before))
        if pipe.poll():
            if pipe.recv() == "begin":
                each.clear()
                pipe.send("begun")
            else:
                seconds, waited = max(each, default=(0.0, 0.0))
                pipe.send(Waits([one * 1000 for one, _ in each], min(waited, seconds) * 1000))
        time.sleep(PAUSE)


def _waiting(pid: int) -> Callable[[], float]:
    """A function that tells for how many seconds the process's main thread has waited for a processor."""
    try:
        file = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)  # kept open, and read again and again
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(file, 100, 0).split()[1]) / 1e9
