"""Jobs that wait for a connection, and when they have waited for too long."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mailproto.client._job import MOST_AT_ONCE, Job

__all__ = ["Deadlines", "Queue"]


class Deadlines:
    """The end of each job's wait, with one timer for all: there may be 100,000 that end together.

    :param passed: called with a job, and how many seconds it has waited.
    """

    def __init__(self, clock: IReactorTime, passed: Callable[[Job[Any], float], None]) -> None:
        self._clock = clock
        self._passed = passed
        self._number = count()
        self._waits: dict[Job[Any], float] = {}
        self._heap: list[tuple[float, int, Job[Any]]] = []  # with some that wait no more
        self._timer: IDelayedCall | None = None

    def add(self, job: Job[Any], wait: float) -> None:
        """The job may wait for so many seconds from now on."""
        self._waits[job] = wait
        job.deadlines = self
        heappush(self._heap, (self._clock.seconds() + wait, next(self._number), job))
        self._watch()

    def discard(self, job: Job[Any]) -> None:
        """The job waits no more."""
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
    """In order; what is taken out leaves at once, wherever it stands.

    :ivar new: those that only a new connection will do for.
    :ivar any: the others.
    """

    def __init__(self) -> None:
        self.new: OrderedDict[Job[Any], None] = OrderedDict()
        self.any: OrderedDict[Job[Any], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.new) + len(self.any)

    def __iter__(self) -> Iterator[Job[Any]]:
        yield from [*self.new, *self.any]

    def pop(self) -> Job[Any]:
        """The first one waits no more."""
        return (self.new or self.any).popitem(last=False)[0]

    def add(self, job: Job[Any]) -> None:
        """Wait after all others."""
        self.any[job] = None

    def again(self, job: Job[Any]) -> None:
        """Wait again, before all others."""
        jobs = self.new if job.needs_new else self.any
        jobs[job] = None
        jobs.move_to_end(job, last=False)

    def discard(self, job: Job[Any]) -> bool:
        """Wait no more.  :returns: whether it did."""
        for jobs in (self.new, self.any):
            if job in jobs:
                del jobs[job]
                return True
        return False
