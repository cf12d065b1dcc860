"""What a store has is known to its servers before anybody signs in."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import StoreRealm, store_portal
from mailproto.auth.signing_in import add_ons_of
from mailproto.backends import MemoryStore, SimpleMailbox, SingleStore
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IAddOns, IRecent
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.pop3 import POP3ServerFactory

CHECKER = InMemoryUsernamePasswordDatabaseDontUse()


class AddOnTests(SynchronousTestCase):
    """`IAddOns`, from a store to the factories."""

    def factories(self, portal: Any) -> list[Any]:
        return [
            factory(portal, clock=Clock(), hostname="mail.example.org")
            for factory in (IMAPServerFactory, POP3ServerFactory)
        ]

    def test_a_store_tells_its_servers(self) -> None:
        for store, expected in (
            (MemoryStore(), MemoryStore().add_ons),
            (SingleStore("alice", "", SimpleMailbox()), {IRecent, ISaveDates}),
        ):
            self.assertLessEqual({IRecent, ISaveDates}, expected)
            reactor: Any = Clock()
            portal = store_portal(store, reactor)
            self.assertTrue(IAddOns.providedBy(portal.realm))
            self.assertEqual(add_ons_of(portal), expected)
            self.assertEqual([factory.add_ons for factory in self.factories(portal)], [expected] * 2)

    def test_a_portal_of_ones_own_has_none_unless_its_realm_says_so(self) -> None:
        class Realm:
            def requestAvatar(self, avatar_id: Any, mind: Any, *interfaces: Any) -> Any:
                """Not called here."""

        for factory in self.factories(Portal(Realm(), [CHECKER])):  # type: ignore[arg-type]
            self.assertEqual(factory.add_ons, frozenset())

    def test_it_is_asked_each_time(self) -> None:
        """A store may learn only while it starts what it has."""

        class Store(MemoryStore):
            has: frozenset[Any] = frozenset()

            @property
            def add_ons(self) -> frozenset[Any]:
                return self.has

        store = Store()
        [factory, _] = self.factories(Portal(StoreRealm(store), [CHECKER]))
        self.assertEqual(factory.add_ons, frozenset())
        store.has = frozenset({IRecent})
        self.assertEqual(factory.add_ons, {IRecent})
