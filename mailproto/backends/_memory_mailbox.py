"""The mailboxes of a `MemoryStore`: `SimpleMailbox` with ids and threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count

from zope.interface import implementer

from mailproto.awaiting import turn
from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._memory_finding import Values, find, near_words, sorted_uids, threads
from mailproto.backends._shared_mailbox import SharedMailbox
from mailproto.backends._simple import AT_ONCE, SimpleMailbox
from mailproto.backends._simple_state import Message, State
from mailproto.backends._threading import AccountThreads, thread_keys
from mailproto.backends._usage import Usage
from mailproto.backends._watch import ModSeqs
from mailproto.content import unwrapped
from mailproto.errors import InvalidMailboxName, NoSuchMailbox, NoSuchMessage
from mailproto.interfaces import IMailbox, IObjectIds
from mailproto.interfaces.add_ons import IFinding, INearWords, IReplacing
from mailproto.message import HeaderValues, relations
from mailproto.model import (
    AppendedMessage,
    ContentTest,
    Found,
    MailboxStatus,
    MessageInfo,
    NewMessage,
    SortOrder,
    ThreadAlgorithm,
    Threads,
)

__all__ = ["Delivered", "MemoryMailbox", "Numbers"]


class Numbers:
    """The counters that the accounts of one store share."""

    def __init__(self) -> None:
        self._validity = 0
        self.next_id = count(1).__next__  # of a mailbox, a message or a thread

    def next_validity(self) -> int:
        """A new UIDVALIDITY: larger than all before, also than those of an earlier process."""
        self._validity = max(self._validity + 1, int(time.time()))
        return self._validity


class Delivered:
    """The ids of one delivered message, in all its mailboxes.

    :ivar threads: its threads, by account.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._email = 0
        self.threads: dict[AccountThreads, int] = {}

    @property
    def email(self) -> int:
        """The email id; made when the first mailbox takes the message."""
        self._email = self._email or self._numbers.next_id()
        return self._email


@implementer(IFinding, INearWords, IObjectIds, IReplacing)
class MemoryMailbox(SimpleMailbox):
    """A mailbox of an account of a `MemoryStore`."""

    def __init__(
        self, name: str, numbers: Numbers, modseqs: ModSeqs, threads: AccountThreads, usage: Usage
    ) -> None:
        super().__init__(name, numbers.next_validity())
        self._state = State(modseqs, usage)
        self._usage = usage
        self._numbers = numbers
        self._threads = threads
        self._delivered: Delivered | None = None
        self._values = Values()
        self.mailbox_id = f"F{numbers.next_id()}"

    def note_change(self) -> None:
        """Something about it has changed that is neither a message nor a flag."""
        self._state.next_modseq()

    def has_changed_after(self, modseq: int) -> bool:
        """Whether its latest change has a greater modseq."""
        return self._state.modseq > modseq

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        return (await super().status())._replace(mailbox_id=self.mailbox_id)

    async def find(self, uids: Sequence[int], tests: Sequence[ContentTest]) -> Sequence[Found]:
        """See `IFinding.find`."""
        messages, values = await self._with_values(uids)
        return await find(uids, messages, values, tests)

    async def sort(self, uids: Sequence[int], orders: Sequence[SortOrder]) -> Sequence[int]:
        """See `IFinding.sort`."""
        return await sorted_uids(*await self._with_values(uids), orders)

    async def thread(self, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Threads:
        """See `IFinding.thread`."""
        return await threads(*await self._with_values(uids), algorithm)

    async def near_words(self, uids: Sequence[int], words: Sequence[str]) -> Sequence[Sequence[str]]:
        """See `INearWords.near_words`."""
        return await near_words(self._there().of(uids), words)

    async def _with_values(self, uids: Sequence[int]) -> tuple[list[Message], list[HeaderValues]]:
        messages = self._there().of(uids)
        values = await self._values.of(messages)
        self._there()
        return messages, values

    def deliver(self, message: NewMessage, delivered: Delivered) -> AppendedMessage:
        """Append a message that may also be delivered to other mailboxes; there is room for it."""
        self._delivered = delivered
        try:
            [appended] = self._add([message])
        finally:
            self._delivered = None
        return appended

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`."""
        if isinstance(target, SharedMailbox):
            return await target.take(lambda mailbox: self.copy(uids, mailbox))
        if isinstance(target, MemoryMailbox):
            copied = self._there().of(uids)
            target._check_room(sum(message.info.size or 0 for message in copied), len(copied))
        return await super().copy(uids, target)

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`."""
        if isinstance(target, SharedMailbox):
            return await target.take(lambda mailbox: self.move(uids, mailbox))
        if isinstance(target, MemoryMailbox) and target.usage is not self._usage:
            moved = self._there().of(uids)
            target._check_room(sum(message.info.size or 0 for message in moved), len(moved))
        return await super().move(uids, target)

    async def replace(self, uid: int, message: NewMessage, target: IMailbox) -> AppendedMessage:
        """See `IReplacing.replace`."""
        if isinstance(target, SharedMailbox):
            message, target = target.given(message)
        replaced = self._changeable().of([uid])
        if not isinstance(target, MemoryMailbox):
            raise InvalidMailboxName("Messages cannot be put there")
        if not replaced:
            raise NoSuchMessage
        target._changeable()
        octets = len(message.content)
        if target.usage is self._usage:
            self._usage.check_growth(octets - (replaced[0].info.size or 0))
        else:
            target.usage.check(octets, 1)
        target._state.check_keywords({check_keywords(kept_flags(message.flags))})
        self.remove([uid])
        return target.deliver(message, Delivered(self._numbers))

    async def retire_in_turns(self) -> None:
        """Delete the mailbox, as `retire` does; others have their turn while its messages are forgotten."""
        left = self._retire()
        try:
            for messages in left:
                self._left(messages)
                await turn()
        finally:
            for messages in left:
                self._left(messages)

    @property
    def usage(self) -> Usage:
        """What its account stores."""
        return self._usage

    def deleted_storage(self) -> int:
        """See `IQuota.deleted_storage`."""
        return self._there().deleted_storage()

    def _check_room(self, octets: int, messages: int) -> None:
        if self._delivered is None:
            self._usage.check(octets, messages)

    def _identified(self, info: MessageInfo) -> MessageInfo:
        delivered = self._delivered or Delivered(self._numbers)
        email = delivered.email
        keys = thread_keys(relations(unwrapped(info.content)))
        thread = self._threads.add(keys, delivered.threads.get(self._threads))
        delivered.threads[self._threads] = thread
        return info._replace(email_id=f"M{email}", thread_id=f"T{thread}")

    def _copied(self, message: Message, target: MemoryMailbox) -> Message:
        """A copy for another mailbox; in another account, it gets a thread there."""
        if target._threads is self._threads:
            self._threads.count(int((message.info.thread_id or "T0")[1:]), 1)
            return replace(message)
        thread = target._threads.add(thread_keys(relations(unwrapped(message.info.content))), None)
        return replace(message, info=message.info._replace(thread_id=f"T{thread}"))

    def _left(self, messages: Iterable[Message]) -> None:
        messages = list(messages)
        self._values.forget(message.info.uid for message in messages)
        for message in messages:
            self._threads.count(int((message.info.thread_id or "T0")[1:]), -1)

    async def _copy(self, uids: Sequence[int], target: IMailbox) -> list[tuple[int, int]]:
        if not isinstance(target, MemoryMailbox):
            return await super()._copy(uids, target)
        target._there()
        target._state.check_keywords(await self._flag_sets(uids))
        target._there()
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(uids), AT_ONCE):
            if start:
                await turn()
            if self.is_retired or target.is_retired:
                target.remove(there for _, there in pairs)  # all are copied, or none
                raise NoSuchMailbox
            copied = self._state.of(uids[start : start + AT_ONCE])
            appended = target._put([self._copied(message, target) for message in copied])
            pairs += [(here.info.uid, there.uid) for here, there in zip(copied, appended, strict=True)]
        return pairs
