"""A store in dictionaries without any add-on, written from `mailproto.interfaces` alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto.accounts import account_key, check_account_name
from mailproto.backends import (
    DEFAULT_MAILBOXES,
    check_keywords,
    check_name,
    check_rename,
    check_special_use,
    kept_flags,
)
from mailproto.content import Content, Octets
from mailproto.errors import (
    AccountExists,
    InvalidMailboxName,
    MailboxExists,
    MailError,
    NoSuchAccount,
    NoSuchMailbox,
)
from mailproto.interfaces import IAccount, IDirectory, IMailbox, IStore
from mailproto.message import summarise
from mailproto.model import (
    DELETED,
    DELIMITER,
    INBOX,
    PERMANENT_FLAGS,
    SEEN,
    AppendedMessage,
    Changes,
    FlagChange,
    FlagColumns,
    MailboxEntry,
    MailboxStatus,
    MessageFlags,
    MessageInfo,
    NewMessage,
    Part,
    Placement,
    StoreResult,
    canonical_mailbox_name,
)

Listener = Callable[[int], None]


class Listeners:
    """Those who watch one thing."""

    log = Logger()

    def __init__(self) -> None:
        self.all: dict[object, Listener] = {}

    def add(self, listener: Listener) -> Callable[[], None]:
        token = object()
        self.all[token] = listener
        return partial(self._end, token)

    def _end(self, token: object) -> None:
        self.all.pop(token, None)

    def notify(self, modseq: int) -> None:
        for listener in list(self.all.values()):
            try:
                listener(modseq)
            except Exception:
                self.log.failure("while a listener was told")


@dataclass
class Message:
    content: bytes
    flags: frozenset[str]
    date: int
    modseq: int


@dataclass
class Kept:
    """What all objects of a mailbox share."""

    account: DictAccount
    uid_validity: int
    modseq: int
    special_use: str | None = None
    messages: dict[int, Message] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    uid_next: int = 1
    is_deleted: bool = False
    listeners: Listeners = field(default_factory=Listeners)

    def changed(self) -> int:
        self.modseq = self.account.next_modseq()
        return self.modseq

    def notify(self) -> None:
        self.listeners.notify(self.modseq)
        self.account.listeners.notify(self.account.modseq)


@implementer(IMailbox)
class DictMailbox:
    writable = True
    permanent_flags = PERMANENT_FLAGS

    def __init__(self, name: str, kept: Kept) -> None:
        self.name, self.kept, self.uid_validity = name, kept, kept.uid_validity

    def there(self) -> Kept:
        if self.kept.is_deleted:
            raise NoSuchMailbox
        return self.kept

    async def status(self) -> MailboxStatus:
        kept = self.there()
        messages = kept.messages.values()
        return MailboxStatus(
            messages=len(messages),
            unseen=sum(SEEN not in message.flags for message in messages),
            recent=0,
            uid_next=kept.uid_next,
            uid_validity=kept.uid_validity,
            modseq=kept.modseq,
            size=sum(len(message.content) for message in messages),
            deleted=sum(DELETED in message.flags for message in messages),
        )

    async def changes_since(self, modseq: int) -> Changes:
        kept = self.there()
        changed = [
            MessageFlags(uid, message.flags, message.modseq)
            for uid, message in kept.messages.items()
            if message.modseq > modseq
        ]
        gone = [uid for uid, at in kept.gone.items() if at > modseq > 0]
        return Changes(FlagColumns.of(changed), sorted(gone), kept.modseq)

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        messages = self.there().messages
        infos = []
        for uid in uids:
            if (message := messages.get(uid)) is not None:
                content, summary = message.content, summarise(message.content)
                infos.append(
                    MessageInfo(
                        uid,
                        message.date,
                        len(content),
                        summary.envelope,
                        summary.body_structure,
                        summary.index,
                        Content(content),
                    )
                )
        return infos

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        kept = self.there()
        now = int(time.time())
        new = [
            Message(
                bytes(message.content),
                check_keywords(kept_flags(message.flags)),
                now if message.internal_date is None else message.internal_date,
                0,
            )
            for message in messages
        ]
        return self.put(kept, new)

    def put(self, kept: Kept, messages: Iterable[Message]) -> list[AppendedMessage]:
        appended = []
        for message in messages:
            message.modseq = kept.changed()
            uid, kept.uid_next = kept.uid_next, kept.uid_next + 1
            kept.messages[uid] = message
            appended.append(AppendedMessage(uid, message.modseq))
        if appended:
            kept.notify()
        return appended

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        kept = self.there()
        change = FlagChange(change.operation, kept_flags(change.flags))
        before = kept.modseq
        refused, changes = [], []
        for uid in uids:
            if (message := kept.messages.get(uid)) is None:
                continue
            if unchanged_since is not None and message.modseq > unchanged_since:
                refused.append(uid)
            else:
                changes.append((uid, message, check_keywords(change.apply(message.flags))))
        for _, message, flags in changes:
            if flags != message.flags:
                message.flags, message.modseq = flags, kept.changed()
        if kept.modseq != before:
            kept.notify()
        rows = (MessageFlags(uid, message.flags, message.modseq) for uid, message, _ in changes)
        return StoreResult(FlagColumns.of(rows), refused)

    async def copy(self, uids: Sequence[int], target: Any) -> Sequence[tuple[int, int]]:
        messages, there = self.there().messages, target.there()
        found = [uid for uid in uids if uid in messages]
        copies = [
            Message(each.content, each.flags, each.date, 0) for each in map(messages.__getitem__, found)
        ]
        return [(uid, copy.uid) for uid, copy in zip(found, self.put(there, copies), strict=True)]

    async def move(self, uids: Sequence[int], target: Any) -> Sequence[tuple[int, int]]:
        moved = await self.copy(uids, target)
        self.remove([uid for uid, _ in moved])
        return moved

    def remove(self, uids: Sequence[int]) -> None:
        kept = self.kept
        for uid in uids:
            del kept.messages[uid]
            kept.gone[uid] = kept.changed()
        if uids:
            kept.notify()

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        messages = self.there().messages
        among = list(messages) if uids is None else [uid for uid in uids if uid in messages]
        gone = [uid for uid in among if DELETED in messages[uid].flags]
        self.remove(gone)
        return gone

    def watch(self, listener: Listener) -> Callable[[], None]:
        return self.there().listeners.add(listener)


@implementer(IAccount)
class DictAccount:
    def __init__(self, store: DictStore, name: str, password_hash: str) -> None:
        self.store, self.name, self.password_hash = store, name, password_hash
        self.modseq = 0
        self.is_deleted = False
        self.listeners = Listeners()
        self.mailboxes: dict[str, Kept] = {}
        for mailbox, special_use in DEFAULT_MAILBOXES:
            self.mailboxes[mailbox] = self.new(special_use)
        self.subscribed = set(self.mailboxes)

    def next_modseq(self) -> int:
        self.modseq += 1
        return self.modseq

    def new(self, special_use: str | None = None) -> Kept:
        return Kept(self, self.store.next_uid_validity(), self.next_modseq(), special_use)

    def there(self) -> dict[str, Kept]:
        if self.is_deleted:
            raise NoSuchAccount
        return self.mailboxes

    def changed(self) -> None:
        self.listeners.notify(self.next_modseq())

    def names(self) -> set[str]:
        """Of mailboxes, and of what is above them."""
        names = set(self.there())
        for name in self.mailboxes:
            levels = name.split(DELIMITER)
            names.update(DELIMITER.join(levels[:depth]) for depth in range(1, len(levels)))
        return names

    def delete_all(self) -> None:
        self.is_deleted = True
        for kept in self.mailboxes.values():
            kept.is_deleted = True
            kept.changed()
            kept.notify()

    async def list(self) -> Sequence[MailboxEntry]:
        names = self.names()
        entries = []
        for name in sorted(names | self.subscribed):
            kept = self.mailboxes.get(name)
            use = frozenset({kept.special_use} if kept and kept.special_use else ())
            entries.append(MailboxEntry(name, kept is not None, name in self.subscribed, name in names, use))
        return entries

    async def open(self, name: str) -> DictMailbox:
        name = canonical_mailbox_name(name)
        try:
            return DictMailbox(name, self.there()[name])
        except KeyError:
            raise NoSuchMailbox from None

    async def create(self, name: str, special_use: str | None = None) -> None:
        self.there()
        name, special_use = canonical_mailbox_name(name), check_special_use(special_use)
        check_name(name)
        if name in self.mailboxes:
            raise MailboxExists
        self.create_superiors(name)
        self.mailboxes[name] = self.new(special_use)
        self.listeners.notify(self.modseq)

    def create_superiors(self, name: str) -> None:
        there = self.names()
        while name := name.rpartition(DELIMITER)[0]:
            if name not in there:
                self.mailboxes[name] = self.new()

    async def delete(self, name: str) -> None:
        name = canonical_mailbox_name(name)
        if name == INBOX:
            raise InvalidMailboxName
        try:
            kept = self.there().pop(name)
        except KeyError:
            raise NoSuchMailbox from None
        kept.is_deleted = True
        kept.changed()
        kept.notify()

    async def rename(self, old: str, new: str) -> None:
        old, new = canonical_mailbox_name(old), canonical_mailbox_name(new)
        there = self.names()
        if old not in there:
            raise NoSuchMailbox
        if old == INBOX:
            await self.create(new)
            inbox = await self.open(INBOX)
            await inbox.move(list(inbox.kept.messages), await self.open(new))
            return
        moving = [name for name in self.mailboxes if name == old or name.startswith(old + DELIMITER)]
        if new in there:
            raise MailboxExists
        moves = check_rename(old, new, moving)
        self.create_superiors(new)
        for before, after in moves.items():
            kept = self.mailboxes[after] = self.mailboxes.pop(before)
            kept.uid_validity = self.store.next_uid_validity()
        self.changed()

    async def subscribe(self, name: str) -> None:
        name = canonical_mailbox_name(name)
        if name not in self.names():
            raise NoSuchMailbox
        if name not in self.subscribed:
            self.subscribed.add(name)
            self.changed()

    async def unsubscribe(self, name: str) -> None:
        self.there()
        if (name := canonical_mailbox_name(name)) in self.subscribed:
            self.subscribed.discard(name)
            self.changed()

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        here = {name: self.there().get(canonical_mailbox_name(name)) for name in names}
        return {name: await DictMailbox(name, kept).status() for name, kept in here.items() if kept}

    def watch(self, listener: Listener) -> Callable[[], None]:
        self.there()
        return self.listeners.add(listener)


@implementer(IDirectory)
class DictDirectory:
    def __init__(self, store: DictStore) -> None:
        self.store = store
        self.accounts: dict[str, DictAccount] = {}

    def get(self, name: str) -> DictAccount:
        try:
            return self.accounts[account_key(name)]
        except KeyError:
            raise NoSuchAccount from None

    async def names(self) -> Sequence[str]:
        return sorted(account.name for account in self.accounts.values())

    async def find(self, name: str) -> str:
        return self.get(name).name

    async def password_hash(self, name: str) -> str:
        return self.get(name).password_hash

    async def add(self, name: str, password_hash: str) -> None:
        name = check_account_name(name)
        if (key := account_key(name)) in self.accounts:
            raise AccountExists
        self.accounts[key] = DictAccount(self.store, name, password_hash)

    async def set_password_hash(self, name: str, password_hash: str, *, replacing: str | None = None) -> None:
        account = self.get(name)
        if replacing in (None, account.password_hash):
            account.password_hash = password_hash

    async def delete(self, name: str) -> None:
        self.get(name).delete_all()
        del self.accounts[account_key(name)]


@implementer(IStore)
class DictStore:
    add_ons: frozenset[InterfaceClass] = frozenset()

    def __init__(self) -> None:
        self.directory = DictDirectory(self)
        self.uid_validity = int(time.time())

    def next_uid_validity(self) -> int:
        self.uid_validity += 1
        return self.uid_validity

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def account(self, name: str) -> DictAccount:
        return self.directory.get(name)

    async def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Sequence[AppendedMessage | MailError]:
        outcomes: list[AppendedMessage | MailError] = []
        for placement in placements:
            try:
                mailbox = await (await self.account(placement.account)).open(placement.mailbox)
                new = NewMessage(content, placement.flags, internal_date)
                outcomes += await mailbox.append([new])
            except MailError as error:
                outcomes.append(error)
        return outcomes
