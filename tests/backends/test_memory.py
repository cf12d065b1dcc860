"""The reference store passes the conformance suite."""

from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.backends import MemoryStore, check_special_use
from mailproto.errors import InvalidMailboxName
from mailproto.interfaces import IStore
from mailproto.testing import StoreConformance


class MemoryStoreTests(StoreConformance, TestCase):
    """`MemoryStore`, as any other store."""

    def make_store(self) -> IStore:
        return MemoryStore()


class SpecialUseTests(SynchronousTestCase):
    def test_those_of_virtual_mailboxes_cannot_be_had(self) -> None:
        """Other stores may have such (RFC 6154 2)."""
        for special_use in ("\\All", "\\Flagged"):
            self.assertRaises(InvalidMailboxName, check_special_use, special_use)
