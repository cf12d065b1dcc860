"""Tools for your own tests: a conformance suite for stores, and dialogues for protocols.

A backend::

    from twisted.trial.unittest import TestCase
    from mailproto.testing import StoreConformance

    class MyStoreTests(StoreConformance, TestCase):
        def make_store(self):
            return MyStore(self.mktemp())

`StoreConformance` is the whole suite; its parts can also be run alone.

Test a server with your own parts, for example a delivery, with a `Dialogue`: lines of the client and the
server, in memory, without a network or a reactor.  `play_each_way` runs a dialogue once for each way in
which the octets may arrive.  `MemoryTransport` is the transport of dialogues.
"""

from mailproto.testing._account import AccountConformance
from mailproto.testing._changes import ChangesConformance
from mailproto.testing._delivery import DeliveryConformance
from mailproto.testing._dialogue import FEEDS, Dialogue, Feed, play_each_way
from mailproto.testing._directory import DirectoryConformance
from mailproto.testing._fixture import StoreFixture
from mailproto.testing._ids import ObjectIdConformance
from mailproto.testing._mailbox import MailboxConformance
from mailproto.testing._transcript import DialogueError
from mailproto.testing._transport import ELSEWHERE, LOOPBACK, MemoryTransport

__all__ = [
    "ELSEWHERE",
    "FEEDS",
    "LOOPBACK",
    "AccountConformance",
    "ChangesConformance",
    "DeliveryConformance",
    "Dialogue",
    "DialogueError",
    "DirectoryConformance",
    "Feed",
    "MailboxConformance",
    "MemoryTransport",
    "ObjectIdConformance",
    "StoreConformance",
    "StoreFixture",
    "play_each_way",
]


class StoreConformance(
    DirectoryConformance,
    AccountConformance,
    MailboxConformance,
    ChangesConformance,
    DeliveryConformance,
    ObjectIdConformance,
):
    """Tests the contracts `IStore`, `IDirectory`, `IAccount`, `IMailbox`, `IRecent` and `IObjectIds`."""
