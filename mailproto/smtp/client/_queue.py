"""Messages that wait for a connection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from mailproto.smtp.client._job import Job

__all__ = ["Queue"]


class Queue:
    """In order; who is taken out leaves at once, wherever it stands.

    :ivar new: those that only a new connection will do for.
    :ivar any: the others.
    """

    def __init__(self) -> None:
        self.new: OrderedDict[Job, None] = OrderedDict()
        self.any: OrderedDict[Job, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.new) + len(self.any)

    def __iter__(self) -> Iterator[Job]:
        yield from [*self.new, *self.any]

    def pop(self) -> Job:
        """The first one waits no more."""
        return (self.new or self.any).popitem(last=False)[0]

    def add(self, job: Job) -> None:
        """Wait after all others."""
        self.any[job] = None

    def again(self, job: Job) -> None:
        """Wait again, before all others."""
        jobs = self.new if job.needs_new else self.any
        jobs[job] = None
        jobs.move_to_end(job, last=False)

    def discard(self, job: Job) -> bool:
        """Wait no more.  :returns: whether it did."""
        for jobs in (self.new, self.any):
            if job in jobs:
                del jobs[job]
                return True
        return False
