"""Mailboxes for an application's own messages: the application only provides their octets.

A complete one, over a Python list::

    class ListMailbox(SimpleMailbox):
        writable = False

        def __init__(self, messages: list[bytes]) -> None:
            super().__init__()
            for message in messages:
                self.add(message)

    store = SingleStore("alice@example.org", password_hash, ListMailbox(messages))

Flags, UIDs, changes, hints and summaries are kept in memory.  All methods must be called in the reactor's
thread.  Long changes are made in slices of `AT_ONCE` messages, between which others have their turn.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from email.message import Message as ParsedMessage
from itertools import chain
from typing import Self

from zope.interface import implementer

from mailproto.awaiting import settle, turn
from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._given import (
    given_content,
    given_date,
    given_flags,
    given_name,
    given_uid_validity,
    given_zone,
)
from mailproto.backends._simple_state import AT_ONCE, Message, State
from mailproto.backends._watch import ModSeqs
from mailproto.content import Content
from mailproto.errors import NoSuchMailbox, ReadOnly
from mailproto.interfaces import IMailbox, IMetadata, IRecent
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.message import Working, summarise_steps
from mailproto.model import (
    DELETED,
    INBOX,
    PERMANENT_FLAGS,
    AppendedMessage,
    Changes,
    FlagChange,
    FlagColumns,
    MailboxStatus,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    StoreResult,
)

__all__ = ["AT_ONCE", "MODSEQS", "SimpleMailbox"]

_SUMMARY = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS

_MOVED_AT_ONCE = AT_ONCE // 4
"""Messages that are moved, which is to be copied, threaded and removed, before others have their turn."""

_SUMMARIES_AT_ONCE = 20
"""How many are made before others have their turn."""


MODSEQS = ModSeqs()
"""The modseqs of all mailboxes outside a `MemoryStore`, so that the changes of any such account are
ordered."""


@implementer(IMailbox, IMetadata, IRecent, ISaveDates)
class SimpleMailbox:
    """A mailbox in memory; also a base class for an application's own mailboxes.

    Add messages with `add` at any time: open sessions see them.  Clients may change flags, append and
    expunge, unless ``writable`` is False.  To forbid only one of these, override its method to raise
    `mailproto.errors.ReadOnly`.

    :param name: the full name, levels separated by ``/``; in an account, the account's name for the mailbox
        counts.
    :param uid_validity: 1 to 2**32 - 1; must be larger for another mailbox, or another order of messages,
        under the same name.  None for the present time.
    :raises TypeError, ValueError: a parameter cannot be used; the text names it.
    :raises InvalidMailboxName: no mailbox can have that name.
    """

    writable: bool = True
    permanent_flags: frozenset[str] = PERMANENT_FLAGS

    def __init__(self, name: str = INBOX, uid_validity: int | None = None) -> None:
        self.name = given_name(name)
        self.uid_validity = given_uid_validity(uid_validity)
        self._state = State(MODSEQS)

    # For the application

    def add(
        self,
        content: bytes | Content | ParsedMessage,
        flags: Iterable[str] = (),
        internal_date: float | datetime | None = None,
    ) -> AppendedMessage:
        """Append a message, even if clients may not write.

        :param content: octets, or an ``EmailMessage``; bare LFs become CRLF.
        :param flags: such as ``{"\\Seen"}``.
        :param internal_date: seconds since the epoch, or a ``datetime`` with a time zone; None for now.
        :raises TypeError, ValueError: a parameter cannot be used; the text names it.
        :raises OverQuota: the message has too many keywords.
        """
        new = NewMessage(
            given_content(content), given_flags(flags), given_date(internal_date), given_zone(internal_date)
        )
        [appended] = self._add([new])
        return appended

    def remove(self, uids: Iterable[int]) -> None:
        """Remove messages, whatever their flags."""
        self._remove(sorted({uid for uid in uids if uid in self._state.messages}))

    def renamed(self, name: str, uid_validity: int | None = None) -> Self:
        """An object for the same mailbox under another name."""
        other = type(self).__new__(type(self))
        validity = self.uid_validity if uid_validity is None else given_uid_validity(uid_validity)
        other.__dict__.update(self.__dict__, name=given_name(name), uid_validity=validity)
        return other

    @property
    def is_retired(self) -> bool:
        """Whether the mailbox was deleted with `retire`."""
        return self._state.deleted

    def retire(self) -> None:
        """Delete the mailbox: from now on every method raises `NoSuchMailbox`."""
        for messages in self._retire():
            self._left(messages)

    # IMailbox

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        return self._there().status(self.uid_validity)

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        work = Working(self._there().change_steps(modseq))
        for _ in work:
            await turn()
            self._there()
        return work.result

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        self._there()
        messages = self._state.of(uids)
        if parts & _SUMMARY:
            made = 0
            for message in messages:
                if message.info.envelope is None:
                    await _summarise(message)
                    made += 1
                    if not made % _SUMMARIES_AT_ONCE:
                        await turn()
        return [message.info for message in messages]

    async def metadata(self, uids: Sequence[int]) -> Metadata:
        """See `IMetadata.metadata`."""
        self._there()
        infos = [message.info for message in self._state.of(uids)]
        return Metadata(
            [info.uid for info in infos],
            [info.size or 0 for info in infos],
            [info.internal_date or 0 for info in infos],
            [info.zone or 0 for info in infos],
        )

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        """See `IMailbox.append`; a content in a file is read into memory."""
        self._changeable()
        return self._add(messages)

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        """See `IMailbox.store`."""
        state = self._changeable()
        change = FlagChange(change.operation, kept_flags(change.flags))
        before = await self._flag_sets(uids)
        becomes = {flags: check_keywords(change.apply(flags)) for flags in before}
        state.check_keywords({after for flags, after in becomes.items() if after != flags})
        results = []
        for start in range(0, len(uids), AT_ONCE):
            if start:
                await turn()
                state = self._changeable()
            results.append(state.store(uids[start : start + AT_ONCE], change, becomes, unchanged_since))
        if len(results) == 1:
            return results[0]
        refused = chain.from_iterable(result.refused for result in results)
        return StoreResult(FlagColumns.join([result.changed for result in results]), list(refused))

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`; the target may be an `IMailbox` of any class."""
        self._there()
        return await self._copy(uids, target)

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`; the target may be an `IMailbox` of any class."""
        self._changeable()
        moved: list[tuple[int, int]] = []
        for start in range(0, len(uids), _MOVED_AT_ONCE):
            if start:
                await turn()
                self._changeable()
            some = await self._copy(uids[start : start + _MOVED_AT_ONCE], target)
            self.remove(uid for uid, _ in some)
            moved += some
        return moved

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        state = self._changeable()
        asked = array("I", state.messages) if uids is None else uids
        gone: list[int] = []
        for start in range(0, len(asked), AT_ONCE):
            if start:
                await turn()
                state = self._changeable()
            messages = state.of(asked[start : start + AT_ONCE])
            some = [message.info.uid for message in messages if DELETED in message.flags]
            self._remove(some)
            gone += some
        return gone

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        return self._there().watchers.add(None, listener)

    # IRecent

    async def claim_recent(self) -> range:
        """See `IRecent.claim_recent`."""
        return self._there().claim_recent()

    # Inside

    def _there(self) -> State:
        if self._state.deleted:
            raise NoSuchMailbox
        return self._state

    def _changeable(self) -> State:
        state = self._there()
        if not self.writable:
            raise ReadOnly
        return state

    def _retire(self) -> Iterator[Sequence[Message]]:
        """Delete the mailbox; the result gives its messages, some at a time, for `_left`."""
        left = self._state.clear()
        self._state.notify()
        return left

    async def _flag_sets(self, uids: Sequence[int]) -> set[frozenset[str]]:
        """The different sets of flags that these messages have."""
        found: set[frozenset[str]] = set()
        for start in range(0, len(uids), AT_ONCE):
            if start:
                await turn()
                self._there()
            found |= {message.flags for message in self._state.of(uids[start : start + AT_ONCE])}
        return found

    async def _copy(self, uids: Sequence[int], target: IMailbox) -> list[tuple[int, int]]:
        # All are copied, or none: what is in another class of mailbox cannot be taken back.
        at_once = AT_ONCE if isinstance(target, SimpleMailbox) else max(len(uids), 1)
        pairs: list[tuple[int, int]] = []
        try:
            for start in range(0, max(len(uids), 1), at_once):
                if start:
                    await turn()
                    self._there()
                copied = self._state.of(uids[start : start + at_once])
                new = [
                    NewMessage(each.content, each.flags, each.info.internal_date, each.info.zone or 0)
                    for each in copied
                ]
                appended = await settle(target.append(new))
                pairs += [(here.info.uid, there.uid) for here, there in zip(copied, appended, strict=True)]
        except BaseException:
            if isinstance(target, SimpleMailbox) and not target.is_retired:
                target.remove(there for _, there in pairs)
            raise
        return pairs

    def _check_room(self, octets: int, messages: int) -> None:
        """Check whether the account may get so much more.

        :raises OverQuota: this mailbox has a quota, and there is no room.
        """

    def _identified(self, info: MessageInfo) -> MessageInfo:
        """A new message's ``info``, with ids if this mailbox has them."""
        return info

    def _left(self, messages: Iterable[Message]) -> None:
        """Called when messages are removed."""

    def _add(self, messages: Sequence[NewMessage]) -> list[AppendedMessage]:
        self._there()
        now = int(time.time())
        new = [
            (
                bytes(message.content),
                now if message.internal_date is None else message.internal_date,
                message.zone,
                check_keywords(kept_flags(message.flags)),
            )
            for message in messages
        ]
        self._state.check_keywords({flags for *_, flags in new})
        self._check_room(sum(len(octets) for octets, *_ in new), len(new))
        # Nothing can fail from here on, so all messages are appended or none.
        return self._put(
            Message(self._identified(_info(octets, date, zone)), octets, flags, 0)
            for octets, date, zone, flags in new
        )

    def _put(self, messages: Iterable[Message]) -> list[AppendedMessage]:
        """Append messages; the mailbox owns the objects now."""
        state = self._state
        appended = []
        now = int(time.time())
        for message in messages:
            message.info = message.info._replace(save_date=now)
            state.add(message)
            appended.append(AppendedMessage(message.info.uid, message.modseq))
        if appended:
            state.notify()
        return appended

    def _remove(self, uids: Sequence[int]) -> None:
        state = self._there()
        if uids:
            self._left(state.remove(uids))
            state.notify()


async def _summarise(message: Message) -> None:
    """Add the summary; others have their turn if that takes long."""
    work = Working(summarise_steps(message.content))
    for _ in work:
        await turn()
    summary = work.result
    message.info = message.info._replace(
        envelope=summary.envelope, body_structure=summary.body_structure, offsets=summary.index
    )


def _info(octets: bytes, date: int, zone: int) -> MessageInfo:
    return MessageInfo(0, date, len(octets), content=Content(octets), zone=zone)
