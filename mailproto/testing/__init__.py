"""Tools for your own tests: servers that run, parts joined in memory, dialogues, and conformance suites.

A server on a free port, for tests with real clients: with ``async with`` in the running reactor (trial), with
``with`` in a thread of its own (smtplib, imaplib, anything that blocks)::

    inbox = RecordingDelivery()
    with running_server(SMTPServerFactory(inbox)) as server, smtplib.SMTP(*server.address) as client:
        client.sendmail("a@x.example", ["b@y.example"], "Subject: Hello\\n\\nIt works.")
    assert inbox.messages[0].message["Subject"] == "Hello"

With pytest, the fixtures ``mailproto_server`` and ``mailproto_inbox`` do the same.  `wait_for_message` waits
until mail is in such an inbox, or in a store's mailbox.

Without a network: `connected` joins a server and a client in memory, with a ``Clock``.  A `Dialogue` tests
one side with the lines of both, as text; `play_each_way` runs it once for each way in which the octets may
arrive. `make_envelope` makes what a delivery is given.

For your own parts: `DeliveryConformance` tests an `IDelivery`, `StoreConformance` an `IStore`, and
`QueueConformance` the queue of an `IQueueStore`::

    class MyStoreTests(StoreConformance, twisted.trial.unittest.TestCase):
        def make_store(self):
            return MyStore(self.mktemp())

docs/testing.md has an example of each.
"""

# Names are imported when they are first used: pytest imports this package whenever it starts, because of its
# plugin, and must not load Twisted for people who do not test mail.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailproto.testing._account import AccountConformance
    from mailproto.testing._changes import ChangesConformance
    from mailproto.testing._connected import Connected, connected
    from mailproto.testing._delivery import DeliveryConformance
    from mailproto.testing._dialogue import FEEDS, Dialogue, Feed, play_each_way
    from mailproto.testing._directory import DirectoryConformance
    from mailproto.testing._fixture import StoreFixture
    from mailproto.testing._ids import ObjectIdConformance
    from mailproto.testing._mailbox import MailboxConformance
    from mailproto.testing._queue import QueueConformance
    from mailproto.testing._reading import ReadingConformance
    from mailproto.testing._recording import ReceivedMessage, RecordingDelivery, make_envelope
    from mailproto.testing._running import RunningServer, running_server
    from mailproto.testing._store import StoreConformance
    from mailproto.testing._store_delivery import StoreDeliveryConformance
    from mailproto.testing._transcript import DialogueError
    from mailproto.testing._transport import ELSEWHERE, LOOPBACK, MemoryTransport
    from mailproto.testing._waiting import wait_for_message

_HOMES = {
    "_account": "AccountConformance",
    "_changes": "ChangesConformance",
    "_connected": "Connected connected",
    "_delivery": "DeliveryConformance",
    "_dialogue": "FEEDS Dialogue Feed play_each_way",
    "_directory": "DirectoryConformance",
    "_fixture": "StoreFixture",
    "_ids": "ObjectIdConformance",
    "_mailbox": "MailboxConformance",
    "_queue": "QueueConformance",
    "_reading": "ReadingConformance",
    "_recording": "ReceivedMessage RecordingDelivery make_envelope",
    "_running": "RunningServer running_server",
    "_store": "StoreConformance",
    "_store_delivery": "StoreDeliveryConformance",
    "_transcript": "DialogueError",
    "_transport": "ELSEWHERE LOOPBACK MemoryTransport",
    "_waiting": "wait_for_message",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "ELSEWHERE",
    "FEEDS",
    "LOOPBACK",
    "AccountConformance",
    "ChangesConformance",
    "Connected",
    "DeliveryConformance",
    "Dialogue",
    "DialogueError",
    "DirectoryConformance",
    "Feed",
    "MailboxConformance",
    "MemoryTransport",
    "ObjectIdConformance",
    "QueueConformance",
    "ReadingConformance",
    "ReceivedMessage",
    "RecordingDelivery",
    "RunningServer",
    "StoreConformance",
    "StoreDeliveryConformance",
    "StoreFixture",
    "connected",
    "make_envelope",
    "play_each_way",
    "running_server",
    "wait_for_message",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
