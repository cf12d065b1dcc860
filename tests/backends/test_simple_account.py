"""`SimpleAccount` while it is served: the application adds, removes and renames mailboxes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from mailproto.backends import MemoryStore, SimpleAccount, SimpleMailbox
from mailproto.errors import InvalidMailboxName, MailboxExists, NoSuchAccount, NoSuchMailbox
from mailproto.interfaces import IMailbox
from mailproto.model import MailboxEntry


class SimpleAccountTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.account = SimpleAccount("alice", {"queues/printers": SimpleMailbox()})
        self.told: list[int] = []

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def names(self) -> list[str]:
        return [entry.name for entry in self.result(self.account.list())]

    def open(self, name: str) -> Any:
        return self.result(self.account.open(name))


class AddingTests(SimpleAccountTestCase):
    def test_it_is_there_and_subscribed(self) -> None:
        given = SimpleMailbox("queues/Büros")
        self.assertIs(self.account.add_mailbox("queues/Bu\u0308ros", given), given)
        self.assertEqual(self.names(), ["INBOX", "queues", "queues/Büros", "queues/printers"])
        self.assertIn(MailboxEntry("queues/Büros", subscribed=True), self.result(self.account.list()))
        self.account.add_mailbox("new").add(b"x")  # type: ignore[attr-defined]
        self.assertEqual(self.result(self.open("new").status()).messages, 1)

    def test_it_knows_its_name(self) -> None:
        """Most people do not name a mailbox twice."""
        self.assertEqual(self.open("queues/printers").name, "queues/printers")
        given = SimpleMailbox(uid_validity=9)
        added = self.account.add_mailbox("other", given)
        self.assertEqual((added.name, added.uid_validity), ("other", 9))
        given.add(b"")
        self.assertEqual(self.result(added.status()).messages, 1)

    def test_what_cannot_be(self) -> None:
        error = self.assertRaises(MailboxExists, self.account.add_mailbox, "inbox")
        self.assertIn("INBOX exists already: write SimpleAccount(name, {'INBOX': mailbox})", error.text)
        self.assertRaises(MailboxExists, self.account.add_mailbox, "queues/printers")
        self.assertRaises(InvalidMailboxName, self.account.add_mailbox, "a//b")
        self.assertRaises(TypeError, self.account.add_mailbox, "x", SimpleMailbox)
        retired = SimpleMailbox()
        retired.retire()
        self.assertRaises(ValueError, self.account.add_mailbox, "x", retired)
        self.assertNotIn("x", self.names())

    def test_a_name_of_before_gets_a_larger_uid_validity(self) -> None:
        before = self.open("queues/printers").uid_validity
        for _ in range(3):
            self.account.remove_mailbox("queues/printers")
            after = self.account.add_mailbox("queues/printers").uid_validity
            self.assertGreater(after, before)
            before = after
        self.account.remove_mailbox("queues/printers")
        self.account.add_mailbox("queues/printers", SimpleMailbox(uid_validity=1))
        self.assertGreater(self.open("queues/printers").uid_validity, before)

    def test_a_mailbox_of_another_class_must_see_to_that_itself(self) -> None:
        store = MemoryStore()
        store.directory.insert("bob", "")
        foreign = self.result(self.result(store.account("bob")).open("INBOX"))
        self.account.add_mailbox("x", SimpleMailbox(uid_validity=foreign.uid_validity))
        self.account.remove_mailbox("x")
        # MemoryMailbox is a SimpleMailbox; one that only looks like one is not.
        plain = type("Plain", (), {"__getattr__": lambda _, name: getattr(foreign, name)})()
        directlyProvides(plain, IMailbox)
        error = self.assertRaises(ValueError, self.account.add_mailbox, "x", plain)
        self.assertIn("UIDVALIDITY", str(error))
        self.assertIs(self.account.add_mailbox("y", plain), plain)
        # A rename that cannot be done changes nothing.
        self.assertRaises(ValueError, self.account.rename_mailbox, "y", "x")
        self.assertIs(self.open("y"), plain)


class RemovingTests(SimpleAccountTestCase):
    def test_it_is_gone_for_who_has_it_open(self) -> None:
        mailbox = self.open("queues/printers")
        mailbox.watch(self.told.append)
        self.account.remove_mailbox("queues/printers")
        self.assertEqual(self.names(), ["INBOX"])
        self.failureResultOf(Deferred.fromCoroutine(mailbox.status()), NoSuchMailbox)
        self.assertEqual(len(self.told), 1)

    def test_what_cannot_be(self) -> None:
        self.assertRaises(NoSuchMailbox, self.account.remove_mailbox, "none")
        self.assertRaises(NoSuchMailbox, self.account.remove_mailbox, "queues")
        self.assertRaises(InvalidMailboxName, self.account.remove_mailbox, "Inbox")

    def test_one_that_was_only_retired_is_left_out_of_the_status(self) -> None:
        self.open("queues/printers").retire()
        self.assertEqual(list(self.result(self.account.status(["queues/printers", "INBOX"]))), ["INBOX"])


class RenamingTests(SimpleAccountTestCase):
    def test_inferiors_and_subscriptions_go_along(self) -> None:
        mailbox = self.open("queues/printers")
        self.account.add_mailbox("queues/phones")
        self.result(self.account.unsubscribe("queues/phones"))
        self.account.rename_mailbox("queues", "Closed/2026")
        entries = {entry.name: entry.subscribed for entry in self.result(self.account.list())}
        self.assertEqual(
            entries,
            {
                "INBOX": True,
                "Closed": False,
                "Closed/2026": False,
                "Closed/2026/phones": False,
                "Closed/2026/printers": True,
            },
        )
        mailbox.add(b"")
        renamed = self.open("Closed/2026/printers")
        self.assertEqual((renamed.name, self.result(renamed.status()).messages), ("Closed/2026/printers", 1))

    def test_what_cannot_be(self) -> None:
        self.account.add_mailbox("other")
        self.assertRaises(NoSuchMailbox, self.account.rename_mailbox, "none", "x")
        self.assertRaises(MailboxExists, self.account.rename_mailbox, "other", "queues")
        self.assertRaises(MailboxExists, self.account.rename_mailbox, "other", "inbox")
        self.assertRaises(InvalidMailboxName, self.account.rename_mailbox, "INBOX", "x")
        self.assertRaises(InvalidMailboxName, self.account.rename_mailbox, "other", "other/below")
        self.assertEqual(self.names(), ["INBOX", "other", "queues", "queues/printers"])

    def test_there_and_back_is_another_uid_validity(self) -> None:
        before = self.open("queues/printers").uid_validity
        self.account.rename_mailbox("queues/printers", "x")
        self.assertEqual(self.open("x").uid_validity, before)
        self.account.rename_mailbox("x", "queues/printers")
        self.assertGreater(self.open("queues/printers").uid_validity, before)


class HintTests(SimpleAccountTestCase):
    def test_every_change_is_told_once(self) -> None:
        end = self.account.watch(self.told.append)
        for number, change in enumerate(
            (
                lambda: self.account.add_mailbox("new"),
                lambda: self.open("new").add(b""),
                lambda: self.account.rename_mailbox("new", "newer"),
                lambda: self.open("newer").add(b""),
                lambda: self.account.remove_mailbox("newer"),
                lambda: self.open("INBOX").add(b""),
            ),
            start=1,
        ):
            change()
            self.assertEqual(len(set(self.told)), number)
        self.assertEqual(self.told, sorted(self.told))
        end()
        self.account.add_mailbox("unheard").add(b"")  # type: ignore[attr-defined]
        self.assertEqual(len(set(self.told)), 6)

    def test_nobody_watches_when_nobody_listens(self) -> None:
        """An account that is made for each login must not be kept by its mailboxes."""
        mailbox = self.open("queues/printers")
        first, second = self.account.watch(self.told.append), self.account.watch(self.told.append)
        self.assertTrue(mailbox._state.watchers)
        first()
        first()
        self.assertTrue(mailbox._state.watchers)
        second()
        self.assertFalse(mailbox._state.watchers)

    def test_an_account_that_is_deleted(self) -> None:
        class Store(MemoryStore):
            def make_account(self, name: str) -> Any:
                return SimpleAccount(name)

        store = Store()
        store.directory.insert("alice", "")
        account = self.result(store.account("alice"))
        account.watch(self.told.append)
        self.result(store.directory.delete("alice"))
        self.assertEqual(len(self.told), 1)
        for asked in (account.list(), account.open("INBOX"), account.create("x"), account.status([])):
            self.failureResultOf(Deferred.fromCoroutine(asked), NoSuchAccount)
        self.assertRaises(NoSuchAccount, account.watch, self.told.append)
