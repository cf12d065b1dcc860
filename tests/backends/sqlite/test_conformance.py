"""The embedded store passes the conformance suite."""

from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _changes, _long_changes, _reading
from mailproto.backends.sqlite._search import _builder, _finding, _late, _numbers, _ordering, _texts, _words
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance
from tests.backends.sqlite.indexing import all_indexed

reactor: Any = installed


class SQLiteStoreTests(StoreConformance, TestCase):
    """`SQLiteStore`, as any other store."""

    def make_store(self) -> IStore:
        self.patch(_builder, "BEGIN_AFTER", 0)
        return SQLiteStore(self.mktemp(), reactor=reactor)

    async def indexed(self) -> None:
        await all_indexed(self.store)


class SlicedStoreTests(StoreConformance, TestCase):
    """The same where every few messages are many."""

    def make_store(self) -> IStore:
        for module, name, few in (
            (_long_changes, "SLICE", 2),
            (_long_changes, "BODIES", 1),
            (_changes, "FEW", 1),
            (_reading, "_PIECE", 2),
            (_changes, "PIECE", 2),
            (_builder, "BEGIN_AFTER", 0),
            (_builder, "AT_ONCE", 2),
            (_builder, "HEADERS_AT_ONCE", 2),
            (_finding, "AT_ONCE", 2),
            (_numbers, "AT_ONCE", 2),
            (_texts, "_AT_ONCE", 2),
            (_texts, "_TERMS", 2),
            (_texts, "TOGETHER", 2),
            (_words, "MESSAGES", 2),
            (_ordering, "_ROWS", 2),
            (_late, "_ROWS", 2),
            (_late, "_OCTETS", 100),
            (_late, "_FULLY", 2),
        ):
            self.patch(module, name, few)
        return SQLiteStore(self.mktemp(), reactor=reactor)

    async def indexed(self) -> None:
        await all_indexed(self.store)
