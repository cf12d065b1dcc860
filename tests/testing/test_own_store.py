"""A store of one's own, with nothing of the backends here but the public rules, passes the suite."""

from __future__ import annotations

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.auth import StoreRealm
from mailproto.content import Content
from mailproto.imap import IMAPServerFactory
from mailproto.model import Placement
from mailproto.testing import Dialogue, StoreConformance, play_each_way
from tests.testing.dict_store import DictStore

ALICE = "alice@example.org"


class DictStoreTests(StoreConformance, TestCase):
    def make_store(self) -> DictStore:
        return DictStore()


class ServedTests(SynchronousTestCase):
    """By IMAP: what needs an add-on is not offered, and the rest works."""

    def dialogue(self) -> Dialogue:
        clock, store = Clock(), DictStore()

        async def begin() -> None:
            await store.directory.add(ALICE, "")
            await store.deliver(
                Content(b"Subject: x\r\n\r\ny\r\n"), [Placement(ALICE), Placement(ALICE, "Sent")]
            )

        self.successResultOf(Deferred.fromCoroutine(begin()))
        checker = InMemoryUsernamePasswordDatabaseDontUse(**{ALICE: b"secret"})
        portal = Portal(StoreRealm(store, clock), [checker])
        factory = IMAPServerFactory(portal, clock=clock, hostname="dict.example")
        return Dialogue(factory, clock=clock)

    def test_imap(self) -> None:
        play_each_way(
            self.dialogue,
            r"""
            S: * OK ...
            C: a LOGIN alice@example.org secret
            S: a OK [CAPABILITY ...
            C: b STATUS INBOX (MESSAGES UNSEEN)
            S: * STATUS INBOX (MESSAGES 1 UNSEEN 1)
            S: b OK ...
            C: c SELECT INBOX
            S*: * ...
            S: c OK ...
            C: d FETCH 1 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])
            S: * 1 FETCH (FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {14}
            S: Subject: x
            S:
            S: )
            S: d OK ...
            C: e COPY 1:* Sent
            S: e OK [COPYUID ...
            C: f STORE 1 FLAGS (\Deleted)
            S*: * ...
            S: f OK ...
            C: g EXPUNGE
            S: * 1 EXPUNGE
            S: g OK ...
            C: h STATUS Sent (MESSAGES)
            S: * STATUS Sent (MESSAGES 2)
            S: h OK ...
            C: i LOGOUT
            S: * BYE ...
            S: i OK ...
            S closes
            """,
        )
