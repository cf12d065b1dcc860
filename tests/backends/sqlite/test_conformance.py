"""The embedded store passes the conformance suite."""

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance

reactor: Any = installed


class SQLiteStoreTests(StoreConformance, TestCase):
    """`SQLiteStore`, as any other store."""

    def make_store(self) -> IStore:
        return SQLiteStore(self.mktemp(), reactor=reactor)
