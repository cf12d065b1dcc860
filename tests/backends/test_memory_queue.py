"""The reference queue passes the conformance suite."""

from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.interfaces import IStore
from mailproto.testing import QueueConformance


class MemoryQueueTests(QueueConformance, TestCase):
    """`MemoryStore`'s queue, as any other."""

    def make_store(self) -> IStore:
        return MemoryStore()
