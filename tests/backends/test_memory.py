"""The reference store passes the conformance suite."""

from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance


class MemoryStoreTests(StoreConformance, TestCase):
    """`MemoryStore`, as any other store."""

    def make_store(self) -> IStore:
        return MemoryStore()
