"""The reference store: keeps everything in memory, and loses it at the end of the process.

It defines what the interfaces mean in doubtful cases; `mailproto.backends.sqlite` must behave in the same
way.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol, runtime_checkable

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.accounts import account_key, check_account_name
from mailproto.awaiting import settle
from mailproto.backends._add_ons import ADD_ONS
from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._memory_account import MemoryAccount
from mailproto.backends._memory_mailbox import Delivered, MemoryMailbox, Numbers
from mailproto.backends._memory_queue import MemoryQueue, Placed
from mailproto.backends._usage import ROOT, Limits, Usage, full
from mailproto.backends._watch import Watchers
from mailproto.content import Octets
from mailproto.errors import (
    AccountExists,
    MailError,
    NoPermission,
    NoSuchAccount,
)
from mailproto.interfaces import (
    IAccount,
    IAccountChanges,
    IDirectory,
    IMailbox,
    IQueueStore,
)
from mailproto.interfaces.add_ons import (
    IQuota,
    IQuotas,
)
from mailproto.model import (
    NULL_PATH,
    AppendedMessage,
    NewMessage,
    NewQueued,
    Placement,
    Quota,
    QuotaLimits,
)

__all__ = ["MemoryAccount", "MemoryDirectory", "MemoryStore"]


@dataclass(slots=True)
class _Entry:
    """An account in the directory."""

    name: str
    password_hash: str
    account: IAccount
    revision: int


@runtime_checkable
class RetiringAccount(Protocol):
    """An account that is told of its deletion."""

    def retire(self) -> None:
        """The account was deleted: from now on every method raises `NoSuchAccount`."""


@implementer(IDirectory, IAccountChanges)
class MemoryDirectory:
    """The directory: accounts by the key of their name."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._entries: dict[str, _Entry] = {}
        self._revisions = count(1)
        self._watchers: Watchers[None] = Watchers()

    def entry(self, name: str) -> _Entry:
        """:raises NoSuchAccount:"""
        try:
            return self._entries[account_key(name)]
        except KeyError:
            raise NoSuchAccount from None

    def accounts(self, name: str | None) -> Sequence[IAccount]:
        """The account of that name, or all.  :raises NoSuchAccount:"""
        if name is None:
            return [entry.account for entry in self._entries.values()]
        return [self.entry(name).account]

    async def names(self) -> Sequence[str]:
        """See `IDirectory.names`."""
        return sorted(entry.name for entry in self._entries.values())

    async def find(self, name: str) -> str:
        """See `IDirectory.find`."""
        return self.entry(name).name

    async def password_hash(self, name: str) -> str:
        """See `IDirectory.password_hash`."""
        return self.entry(name).password_hash

    async def add(self, name: str, password_hash: str) -> None:
        """See `IDirectory.add`."""
        self.insert(name, password_hash)

    def insert(self, name: str, password_hash: str) -> None:
        """Like `add`, but synchronous.  :raises AccountExists, InvalidAccountName:"""
        name = check_account_name(name)
        key = account_key(name)
        if key in self._entries:
            raise AccountExists
        account = self._store.make_account(name)
        self._entries[key] = _Entry(name, password_hash, account, next(self._revisions))

    async def set_password_hash(self, name: str, password_hash: str, *, replacing: str | None = None) -> None:
        """See `IDirectory.set_password_hash`."""
        entry = self.entry(name)
        if replacing in (None, entry.password_hash):
            entry.password_hash = password_hash
        if replacing is None:
            entry.revision = next(self._revisions)
            self._watchers.notify(None, entry.revision)

    async def delete(self, name: str) -> None:
        """See `IDirectory.delete`."""
        account = self.entry(name).account
        del self._entries[account_key(name)]
        if isinstance(account, RetiringAccount):
            account.retire()
        for other in self.accounts(None):
            if isinstance(other, MemoryAccount):
                other.forget_viewer(account.name)
        self._watchers.notify(None, next(self._revisions))

    async def revisions(self, names: Sequence[str]) -> Mapping[str, Hashable]:
        """See `IAccountChanges.revisions`."""
        found = ((name, self._entries.get(account_key(name))) for name in names)
        return {name: entry.revision for name, entry in found if entry is not None}

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        return self._watchers.add(None, lambda revision: listener())


@implementer(IQueueStore, IQuotas)
class MemoryStore:
    """A store in memory.

    If you override `make_account`, a placement of the queue that your own mailbox refuses does not undo those
    before it.
    """

    def __init__(self) -> None:
        self.directory = MemoryDirectory(self)
        self.queue = MemoryQueue(self._find_places)
        self._numbers = Numbers()
        self._limits = Limits()

    def make_account(self, name: str) -> IAccount:
        """Make the mailboxes of a new account; override it to serve your own."""
        return MemoryAccount(name, self._numbers, Usage(self._limits), self.directory.accounts)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`; if you override `make_account`, it is empty unless you override this,
        too."""
        is_mine = type(self).make_account is MemoryStore.make_account
        return ADD_ONS if is_mine else frozenset()

    async def start(self) -> None:
        """See `IStore.start`: there is nothing to open."""

    async def stop(self) -> None:
        """See `IStore.stop`: there is nothing to close."""

    async def account(self, name: str) -> IAccount:
        """See `IStore.account`."""
        return self.directory.entry(name).account

    async def quota_of(self, name: str) -> Quota:
        """See `IQuotas.quota_of`; accounts of your own have none, unless they are `IQuota`."""
        account = self.directory.entry(name).account
        return await settle(account.quota(ROOT)) if IQuota.providedBy(account) else Quota()

    async def limits_of(self, name: str) -> QuotaLimits:
        """See `IQuotas.limits_of`."""
        account = self.directory.entry(name).account
        return account.usage.own if isinstance(account, MemoryAccount) else QuotaLimits()

    async def set_limits(self, name: str, limits: QuotaLimits) -> None:
        """See `IQuotas.set_limits`.  :raises NoPermission: the account is one of your own."""
        account = self.directory.entry(name).account
        if not isinstance(account, MemoryAccount):
            raise NoPermission
        account.usage.own = limits

    async def set_default_limits(self, limits: QuotaLimits) -> None:
        """See `IQuotas.set_default_limits`; accounts of your own do not obey them."""
        self._limits.limits = limits

    async def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Sequence[AppendedMessage | MailError]:
        """See `IStore.deliver`."""
        date = int(time.time()) if internal_date is None else internal_date
        delivered = Delivered(self._numbers)
        return [await self._deliver(bytes(content), placement, date, delivered) for placement in placements]

    async def _find_places(self, messages: Sequence[NewQueued]) -> Callable[[], Awaitable[Placed]]:
        """See `MemoryQueue`.  :raises MailError: a placement is not possible."""
        places: list[list[tuple[IMailbox, NewMessage]]] = []
        counted: list[tuple[IMailbox, NewMessage, str]] = []
        for message in messages:
            there = []
            for placement in message.placements:
                account = self.directory.entry(placement.account).account
                mailbox: IMailbox = await settle(account.open(placement.mailbox))
                flags = check_keywords(kept_flags(placement.flags))
                there.append((mailbox, NewMessage(bytes(message.content), flags, int(message.arrived))))
            places.append(there)
            if message.envelope.sender != NULL_PATH:  # a notification, which nobody would send again
                accounts = [placement.account for placement in message.placements]
                counted += [(*each, account) for each, account in zip(there, accounts, strict=True)]
        _check_room(counted)

        async def put() -> Placed:
            placed = []
            for there in places:
                delivered = Delivered(self._numbers)
                placed.append(
                    [await self._put(mailbox, new, delivered, checked=True) for mailbox, new in there]
                )
            return placed

        return put

    async def _put(
        self, mailbox: IMailbox, message: NewMessage, delivered: Delivered, *, checked: bool = False
    ) -> AppendedMessage:
        if isinstance(mailbox, MemoryMailbox):
            if not checked:
                mailbox.usage.check(len(message.content), 1)
            return mailbox.deliver(message, delivered)
        [appended] = await settle(mailbox.append([message]))
        return appended

    async def _deliver(
        self, content: bytes, placement: Placement, date: int, delivered: Delivered
    ) -> AppendedMessage | MailError:
        message = NewMessage(content, placement.flags, date)
        try:
            mailbox: IMailbox = await settle(
                self.directory.entry(placement.account).account.open(placement.mailbox)
            )
            return await self._put(mailbox, message, delivered)
        except MailError as error:
            return error


def _check_room(places: Iterable[tuple[IMailbox, NewMessage, str]]) -> None:
    """Check whether accounts, given by name, have room for all that comes together.

    :raises OverQuota: one has none.
    """
    coming: defaultdict[int, list[int]] = defaultdict(list)
    for mailbox, message, account in places:
        if isinstance(mailbox, MemoryMailbox):
            sizes = coming[id(mailbox.usage)]
            sizes.append(len(message.content))
            if not mailbox.usage.has_room(sum(sizes), len(sizes)):
                raise full(account)
