"""The jobs that wait for a connection, and their time limits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from mailproto.client._job import MOST_AT_ONCE, Job
from mailproto.typing import ReactorTime

__all__ = ["Deadlines", "Queue"]


class Deadlines:
    """The time limits of waiting jobs, with one timer for all: 100,000 limits may end together.

    :param passed: called with a job and its waiting time in seconds.
    """

    def __init__(self, clock: ReactorTime, passed: Callable[[Job[Any], float], None]) -> None:
        self._clock = clock
        self._passed = passed
        self._number = count()
        self._waits: dict[Job[Any], float] = {}
        self._heap: list[tuple[float, int, Job[Any]]] = []  # includes jobs that no longer wait
        self._timer: IDelayedCall | None = None

    def add(self, job: Job[Any], wait: float) -> None:
        """Let the job wait for ``wait`` seconds from now on."""
        self._waits[job] = wait
        job.deadlines = self
        heappush(self._heap, (self._clock.seconds() + wait, next(self._number), job))
        self._watch()

    def discard(self, job: Job[Any]) -> None:
        """Remove the job's limit."""
        if self._waits.pop(job, None) is None:
            return
        if len(self._heap) > 2 * len(self._waits) + MOST_AT_ONCE:
            self._heap = [each for each in self._heap if each[2] in self._waits]
            heapify(self._heap)
        if not self._waits:
            self._watch()

    def _watch(self) -> None:
        while self._heap and self._heap[0][2] not in self._waits:
            heappop(self._heap)
        due = self._heap[0][0] if self._heap else None
        if self._timer is not None:
            if due is not None and self._timer.getTime() <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._clock.callLater(max(due - self._clock.seconds(), 0), self._fired)

    def _fired(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        try:
            for _ in range(MOST_AT_ONCE):
                if not (self._heap and self._heap[0][0] <= now):
                    break
                job = heappop(self._heap)[2]
                wait = self._waits.pop(job, None)
                if wait is not None:
                    self._passed(job, wait)
        finally:
            self._watch()


class Queue:
    """The waiting jobs in order; any job can be removed at once.

    :ivar new: the jobs that need a new connection.
    :ivar any: the other jobs.
    """

    def __init__(self) -> None:
        self.new: OrderedDict[Job[Any], None] = OrderedDict()
        self.any: OrderedDict[Job[Any], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.new) + len(self.any)

    def __iter__(self) -> Iterator[Job[Any]]:
        yield from [*self.new, *self.any]

    def pop(self) -> Job[Any]:
        """Remove and return the first job."""
        return (self.new or self.any).popitem(last=False)[0]

    def add(self, job: Job[Any]) -> None:
        """Add a job at the end."""
        self.any[job] = None

    def again(self, job: Job[Any]) -> None:
        """Add a job again, at the beginning."""
        jobs = self.new if job.needs_new else self.any
        jobs[job] = None
        jobs.move_to_end(job, last=False)

    def discard(self, job: Job[Any]) -> bool:
        """Remove a job.  :returns: whether it was waiting."""
        for jobs in (self.new, self.any):
            if job in jobs:
                del jobs[job]
                return True
        return False
