"""The embedded store passes the conformance suite."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance


class SQLiteStoreTests(StoreConformance, TestCase):
    """`SQLiteStore`, as any other store."""

    def make_store(self) -> IStore:
        return SQLiteStore(self.mktemp(), reactor=reactor)
