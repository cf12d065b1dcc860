"""`SimpleMailbox` and `SimpleAccount` pass the suite for what they offer; the suite finds that out itself."""

from __future__ import annotations

from email.message import EmailMessage

from twisted.trial.unittest import TestCase
from zope.interface.interface import InterfaceClass

from mailproto.backends import MemoryStore, SimpleAccount, SimpleMailbox, SingleStore
from mailproto.interfaces import IRecent
from mailproto.testing import ReadingConformance, StoreConformance


class Store(MemoryStore):
    """Each account has a mailbox of its own."""

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        return frozenset({IRecent})

    def make_account(self, name: str) -> SimpleAccount:
        return SimpleAccount(name)


class SimpleAccountTests(StoreConformance, TestCase):
    def make_store(self) -> Store:
        return Store()


class ApplicationsTests(SimpleAccountTests):
    """The same, where the application makes the further mailboxes."""

    def make_store(self) -> Store:
        self.own_store = Store()
        return self.own_store

    async def make_mailbox(self, name: str) -> None:
        account = await self.own_store.account(self.account.name)
        assert isinstance(account, SimpleAccount)
        account.add_mailbox(name)


class ReadOnlyMailbox(SimpleMailbox):
    writable = False


def tickets() -> ReadOnlyMailbox:
    mailbox = ReadOnlyMailbox(uid_validity=1)
    for number in range(3):
        message = EmailMessage()
        message["Subject"] = f"Ticket {number}"
        message.set_content("It is on fire.\n")
        mailbox.add(message, {"\\Seen"} if number else ())
    return mailbox


class ReadOnlyTests(StoreConformance, TestCase):
    """A `SingleStore`, as the README has it."""

    def make_store(self) -> SingleStore:
        return SingleStore("support@example.org", "", tickets())


class EmptyReadOnlyTests(ReadingConformance, TestCase):
    """One without messages."""

    def make_store(self) -> SingleStore:
        return SingleStore("support@example.org", "", ReadOnlyMailbox())
