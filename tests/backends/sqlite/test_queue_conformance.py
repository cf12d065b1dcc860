"""The embedded queue passes the conformance suite."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _queue, _queue_leasing, _queue_reading
from mailproto.interfaces import IQueueStore
from mailproto.testing import QueueConformance
from mailproto.testing._queue_leasing import QueueLeasingConformance
from mailproto.testing._queue_operating import QueueOperatingConformance

reactor: Any = installed


class SQLiteQueueTests(QueueConformance, TestCase):
    """`SQLiteStore`'s queue, as any other."""

    def make_store(self) -> IQueueStore:
        return SQLiteStore(self.mktemp(), reactor=reactor)

    def make_second_store(self, store: Any) -> IQueueStore:
        return SQLiteStore(store.path, reactor=reactor)


class SlicedQueueTests(QueueLeasingConformance, QueueOperatingConformance, TestCase):
    """The same where every few messages are many."""

    def make_store(self) -> IQueueStore:
        for module, name, few in (
            (_queue, "CHANGED", 2),
            (_queue, "REGROUPED", 2),
            (_queue, "READ", 1),
            (_queue, "STEPS", 2),
            (_queue_reading, "IDS", 2),
            (_queue_reading, "ENVELOPES", 1),
            (_queue_leasing, "_STEP", 1),
        ):
            self.patch(module, name, few)
        return SQLiteStore(self.mktemp(), reactor=reactor)

    def make_second_store(self, store: Any) -> IQueueStore:
        return SQLiteStore(store.path, reactor=reactor)
