"""The embedded store passes the conformance suite."""

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _changes, _long_changes, _reading
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance

reactor: Any = installed


class SQLiteStoreTests(StoreConformance, TestCase):
    """`SQLiteStore`, as any other store."""

    def make_store(self) -> IStore:
        return SQLiteStore(self.mktemp(), reactor=reactor)


class SlicedStoreTests(StoreConformance, TestCase):
    """The same where every few messages are many."""

    def make_store(self) -> IStore:
        for module, name, few in (
            (_long_changes, "SLICE", 2),
            (_long_changes, "BODIES", 1),
            (_changes, "FEW", 1),
            (_reading, "_PIECE", 2),
            (_changes, "PIECE", 2),
        ):
            self.patch(module, name, few)
        return SQLiteStore(self.mktemp(), reactor=reactor)
