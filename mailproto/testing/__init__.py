"""For tests of your own backend: the conformance suite that every store here passes.

::

    from twisted.trial.unittest import TestCase
    from mailproto.testing import StoreConformance

    class MyStoreTests(StoreConformance, TestCase):
        def make_store(self):
            return MyStore(self.mktemp())

`StoreConformance` is all of it; its parts can be run alone.
"""

from mailproto.testing._account import AccountConformance
from mailproto.testing._changes import ChangesConformance
from mailproto.testing._delivery import DeliveryConformance
from mailproto.testing._directory import DirectoryConformance
from mailproto.testing._fixture import StoreFixture
from mailproto.testing._ids import ObjectIdConformance
from mailproto.testing._mailbox import MailboxConformance

__all__ = [
    "AccountConformance",
    "ChangesConformance",
    "DeliveryConformance",
    "DirectoryConformance",
    "MailboxConformance",
    "ObjectIdConformance",
    "StoreConformance",
    "StoreFixture",
]


class StoreConformance(
    DirectoryConformance,
    AccountConformance,
    MailboxConformance,
    ChangesConformance,
    DeliveryConformance,
    ObjectIdConformance,
):
    """Every sentence of `IStore`, `IDirectory`, `IAccount`, `IMailbox`, `IRecent` and `IObjectIds` that can
    be tested."""
