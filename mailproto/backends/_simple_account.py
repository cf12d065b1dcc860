"""Accounts and stores with mailboxes that an application makes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.awaiting import settle
from mailproto.backends._memory import MemoryStore
from mailproto.backends._names import entries
from mailproto.backends._simple import MODSEQS, SimpleMailbox
from mailproto.backends._watch import Watchers
from mailproto.errors import NoSuchMailbox, ReadOnly
from mailproto.interfaces import IAccount, IMailbox, IObjectIds, IRecent
from mailproto.model import INBOX, MailboxEntry, MailboxStatus, canonical_mailbox_name

__all__ = ["SimpleAccount", "SingleStore"]


@implementer(IAccount)
class SimpleAccount:
    """An account with fixed mailboxes: clients cannot create or delete any.

    :param mailboxes: the mailboxes by name; if INBOX is missing, an empty one is added.
    """

    def __init__(self, name: str, mailboxes: Mapping[str, IMailbox]) -> None:
        self.name = name
        self._mailboxes = {canonical_mailbox_name(mailbox): kept for mailbox, kept in mailboxes.items()}
        self._mailboxes.setdefault(INBOX, SimpleMailbox())
        self._subscribed = set(self._mailboxes)
        self._watchers: Watchers[None] = Watchers()

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        return entries(dict.fromkeys(self._mailboxes), self._subscribed)

    async def open(self, name: str) -> IMailbox:
        """See `IAccount.open`."""
        try:
            return self._mailboxes[canonical_mailbox_name(name)]
        except KeyError:
            raise NoSuchMailbox from None

    async def create(self, name: str, special_use: str | None = None) -> None:
        """Not possible: :raises ReadOnly:"""
        raise ReadOnly

    async def delete(self, name: str) -> None:
        """Not possible: :raises ReadOnly:"""
        raise ReadOnly

    async def rename(self, old: str, new: str) -> None:
        """Not possible: :raises ReadOnly:"""
        raise ReadOnly

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        await self.open(name)
        if (name := canonical_mailbox_name(name)) not in self._subscribed:
            self._subscribed.add(name)
            self._watchers.notify(None, MODSEQS.next())

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        if (name := canonical_mailbox_name(name)) in self._subscribed:
            self._subscribed.discard(name)
            self._watchers.notify(None, MODSEQS.next())

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        here = {name: self._mailboxes.get(canonical_mailbox_name(name)) for name in names}
        return {name: await settle(mailbox.status()) for name, mailbox in here.items() if mailbox is not None}

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        ends = [self._watchers.add(None, listener)]
        for mailbox in self._mailboxes.values():
            with contextlib.suppress(NoSuchMailbox):  # the application has deleted it (`retire`)
                ends.append(mailbox.watch(listener))

        def end() -> None:
            for each in ends:
                each()

        return end


class SingleStore(MemoryStore):
    """A store with one account, one password and one mailbox.

    :param password_hash: the password's record (`mailproto.auth.hash_password`).
    """

    def __init__(self, name: str, password_hash: str, inbox: IMailbox) -> None:
        super().__init__()
        self._inbox = inbox
        self.directory.insert(name, password_hash)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: those that the mailbox provides."""
        return frozenset(add_on for add_on in (IRecent, IObjectIds) if add_on.providedBy(self._inbox))

    def make_account(self, name: str) -> IAccount:
        """Every account has the same INBOX."""
        return SimpleAccount(name, {INBOX: self._inbox})
