"""The reference store: keeps everything in memory, and loses it at the end of the process.

It defines what the interfaces mean in doubtful cases; `mailproto.backends.sqlite` must behave in the same
way.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol, runtime_checkable

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.accounts import account_key, check_account_name
from mailproto.awaiting import settle, turn
from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._memory_mailbox import Delivered, MemoryMailbox, Numbers
from mailproto.backends._memory_queue import MemoryQueue, Placed
from mailproto.backends._names import (
    DEFAULT_MAILBOXES,
    MAX_RETIRED,
    SortedNames,
    check_name,
    check_names,
    check_rename,
    check_special_use,
    entry_steps,
    superiors,
)
from mailproto.backends._threading import AccountThreads
from mailproto.backends._watch import ModSeqs, Watchers
from mailproto.content import Octets
from mailproto.errors import (
    AccountExists,
    InvalidMailboxName,
    MailboxExists,
    MailError,
    NoSuchAccount,
    NoSuchMailbox,
)
from mailproto.interfaces import (
    IAccount,
    IAccountChanges,
    IDirectory,
    IMailbox,
    IObjectIds,
    IQueueStore,
    IRecent,
)
from mailproto.message import Working
from mailproto.model import (
    INBOX,
    AppendedMessage,
    MailboxEntry,
    MailboxStatus,
    NewMessage,
    NewQueued,
    Placement,
    canonical_mailbox_name,
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


@implementer(IAccount)
class MemoryAccount:
    """The mailboxes of one account, by name, and its subscribed names."""

    def __init__(self, name: str, numbers: Numbers) -> None:
        self.name = name
        self._numbers = numbers
        self._modseqs = ModSeqs()
        self._threads = AccountThreads(numbers.next_id)
        self._mailboxes: dict[str, MemoryMailbox] = {}
        self._names = SortedNames()  # of them
        self._special_uses: dict[str, str] = {}
        # For each name, the largest UIDVALIDITY of mailboxes that had it; and the largest that was forgotten.
        self._retired: dict[str, int] = {}
        self._forgotten = 0
        self._deleted = False
        for default, special_use in DEFAULT_MAILBOXES:
            self._make(default, special_use)
        self._subscribed = {default for default, _ in DEFAULT_MAILBOXES}
        self._subscribed_octets = sum(len(name.encode()) for name in self._subscribed)

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        self._there()
        uses = {name: self._special_uses.get(name) for name in self._names}
        work = Working(entry_steps(uses, self._subscribed))
        for _ in work:
            await turn()
        return work.result

    async def open(self, name: str) -> MemoryMailbox:
        """See `IAccount.open`."""
        self._there()
        try:
            return self._mailboxes[canonical_mailbox_name(name)]
        except KeyError:
            raise NoSuchMailbox from None

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        self._there()
        name, special_use = canonical_mailbox_name(name), check_special_use(special_use)
        check_name(name)
        if name in self._mailboxes:
            raise MailboxExists
        self._check_room([*superiors(name), name])
        self._make_superiors(name)
        self._make(name, special_use)
        self._modseqs.notify()

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        name = canonical_mailbox_name(name)
        if name == INBOX:
            raise InvalidMailboxName("INBOX cannot be deleted")
        mailbox = await self.open(name)
        self._leave(name)
        mailbox.retire()

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`."""
        self._there()
        old, new = canonical_mailbox_name(old), canonical_mailbox_name(new)
        if old == INBOX:
            await self._rename_inbox(new)
            return
        moving = [old] * (old in self._mailboxes) + self._names.below(old)
        if not moving:
            raise NoSuchMailbox
        if self._exists(new):
            raise MailboxExists
        moves = check_rename(old, new, moving)
        self._check_room([*superiors(new), *moves.values()], without=moving)
        left = {source: (self._special_uses.get(source), self._leave(source)) for source in moves}
        self._make_superiors(new)
        for source, target in moves.items():
            special_use, mailbox = left[source]
            is_reused = self._retired.get(target, self._forgotten) >= mailbox.uid_validity
            validity = self._numbers.next_validity() if is_reused else None
            self._make(target, special_use, mailbox.renamed(target, validity))
        self._modseqs.next()
        self._modseqs.notify()

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        self._there()
        name = canonical_mailbox_name(name)
        if not self._exists(name):
            raise NoSuchMailbox
        if name not in self._subscribed:
            octets = self._subscribed_octets + len(name.encode())
            check_names(len(self._subscribed) + 1, octets)
            self._subscribed.add(name)
            self._subscribed_octets = octets
            self._modseqs.next()
            self._modseqs.notify()

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        self._there()
        if (name := canonical_mailbox_name(name)) in self._subscribed:
            self._subscribed.discard(name)
            self._subscribed_octets -= len(name.encode())
            self._modseqs.next()
            self._modseqs.notify()

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        self._there()
        here = {name: self._mailboxes.get(canonical_mailbox_name(name)) for name in names}
        return {name: await mailbox.status() for name, mailbox in here.items() if mailbox is not None}

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        self._there()
        return self._modseqs.watch(listener)

    def retire(self) -> None:
        """Delete the account: from now on every method raises `NoSuchAccount`."""
        self._deleted = True
        for mailbox in self._mailboxes.values():
            mailbox.retire()

    def _there(self) -> None:
        if self._deleted:
            raise NoSuchAccount

    def _exists(self, name: str) -> bool:
        """Whether ``name`` is the name of a mailbox or of a mailbox's superior."""
        return name in self._mailboxes or bool(self._names.below(name))

    def _check_room(self, coming: Sequence[str], without: Sequence[str] = ()) -> None:
        """Check whether there may be mailboxes with the names ``coming``, and none of ``without``.

        :raises LimitReached:
        """
        new = [name for name in coming if name not in self._mailboxes]
        octets = self._names.octets + _octets(new) - _octets(without)
        check_names(len(self._names) + len(new) - len(without), octets)

    def _make(self, name: str, special_use: str | None, mailbox: MemoryMailbox | None = None) -> None:
        """Put a mailbox, by default a new one, under a free name."""
        self._mailboxes[name] = mailbox or MemoryMailbox(name, self._numbers, self._modseqs, self._threads)
        self._names.add(name)
        if special_use:
            self._special_uses[name] = special_use

    def _make_superiors(self, name: str) -> None:
        for superior in superiors(name):
            if superior not in self._mailboxes:
                self._make(superior, None)

    def _leave(self, name: str) -> MemoryMailbox:
        mailbox = self._mailboxes.pop(name)
        self._names.remove(name)
        self._special_uses.pop(name, None)
        self._retired[name] = max(self._retired.get(name, 0), mailbox.uid_validity)
        if len(self._retired) > MAX_RETIRED:
            oldest = self._retired.pop(next(iter(self._retired)))
            self._forgotten = max(self._forgotten, oldest)
        return mailbox

    async def _rename_inbox(self, new: str) -> None:
        if self._exists(new):
            raise MailboxExists
        check_name(new)
        self._check_room([*superiors(new), new])
        self._make_superiors(new)
        self._make(new, None)
        self._modseqs.notify()
        inbox = self._mailboxes[INBOX]
        uids = [message.uid for message in (await inbox.changes_since(0)).changed]
        await inbox.move(uids, self._mailboxes[new])


def _octets(names: Sequence[str]) -> int:
    return sum(len(name.encode()) for name in names)


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
        self._watchers.notify(None, next(self._revisions))

    async def revisions(self, names: Sequence[str]) -> Mapping[str, Hashable]:
        """See `IAccountChanges.revisions`."""
        found = ((name, self._entries.get(account_key(name))) for name in names)
        return {name: entry.revision for name, entry in found if entry is not None}

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `IAccountChanges.watch`."""
        return self._watchers.add(None, lambda revision: listener())


@implementer(IQueueStore)
class MemoryStore:
    """A store in memory.

    If you override `make_account`, a placement of the queue that your own mailbox refuses does not undo those
    before it.
    """

    def __init__(self) -> None:
        self.directory = MemoryDirectory(self)
        self.queue = MemoryQueue(self._find_places)
        self._numbers = Numbers()

    def make_account(self, name: str) -> IAccount:
        """Make the mailboxes of a new account; override it to serve your own."""
        return MemoryAccount(name, self._numbers)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`; if you override `make_account`, it is empty unless you override this,
        too."""
        is_mine = type(self).make_account is MemoryStore.make_account
        return frozenset({IRecent, IObjectIds}) if is_mine else frozenset()

    async def start(self) -> None:
        """See `IStore.start`: there is nothing to open."""

    async def stop(self) -> None:
        """See `IStore.stop`: there is nothing to close."""

    async def account(self, name: str) -> IAccount:
        """See `IStore.account`."""
        return self.directory.entry(name).account

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
        for message in messages:
            there = []
            for placement in message.placements:
                account = self.directory.entry(placement.account).account
                mailbox: IMailbox = await settle(account.open(placement.mailbox))
                flags = check_keywords(kept_flags(placement.flags))
                there.append((mailbox, NewMessage(bytes(message.content), flags, int(message.arrived))))
            places.append(there)

        async def put() -> Placed:
            placed = []
            for there in places:
                delivered = Delivered(self._numbers)
                placed.append([await self._put(mailbox, new, delivered) for mailbox, new in there])
            return placed

        return put

    async def _put(self, mailbox: IMailbox, message: NewMessage, delivered: Delivered) -> AppendedMessage:
        if isinstance(mailbox, MemoryMailbox):
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
