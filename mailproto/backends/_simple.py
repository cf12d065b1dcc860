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
thread.  A method makes its whole change in one step, so that changes never interleave.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message as ParsedMessage
from typing import Self

from zope.interface import implementer

from mailproto.awaiting import settle, turn
from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends._given import given_content, given_date, given_flags, given_name, given_uid_validity
from mailproto.backends._watch import ModSeqs, Watchers
from mailproto.content import Content
from mailproto.errors import NoSuchMailbox, ReadOnly
from mailproto.interfaces import IMailbox, IMetadata, IRecent
from mailproto.message import Working, summarise_steps
from mailproto.model import (
    DELETED,
    INBOX,
    PERMANENT_FLAGS,
    SEEN,
    AppendedMessage,
    Changes,
    FlagChange,
    FlagColumns,
    MailboxStatus,
    MessageFlags,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    StoreResult,
)

__all__ = ["MODSEQS", "Message", "SimpleMailbox"]

_SUMMARY = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS

_SUMMARIES_AT_ONCE = 20
"""How many are made before others have their turn."""


@dataclass(slots=True)
class Message:
    """One message; its summary is added to ``info`` when it is first read."""

    info: MessageInfo
    content: bytes
    flags: frozenset[str]
    modseq: int


@dataclass(slots=True)
class _State:
    """The state that all objects of one mailbox share; their names may differ after a rename."""

    modseqs: ModSeqs
    modseq: int
    messages: dict[int, Message] = field(default_factory=dict)  # by ascending UID
    vanished: dict[int, int] = field(default_factory=dict)  # UID: modseq
    uid_next: int = 1
    unclaimed: int = 1  # the first UID that no session has claimed as recent
    deleted: bool = False
    watchers: Watchers[None] = field(default_factory=Watchers)

    def next_modseq(self) -> int:
        """Return the modseq for a new change."""
        self.modseq = self.modseqs.next()
        return self.modseq

    def notify(self) -> None:
        """Call the listeners after a change."""
        self.watchers.notify(None, self.modseq)
        self.modseqs.notify()


MODSEQS = ModSeqs()
"""The modseqs of all mailboxes outside a `MemoryStore`, so that the changes of any such account are
ordered."""


@implementer(IMailbox, IMetadata, IRecent)
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
        self._state = self._new_state(MODSEQS)

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
        new = NewMessage(given_content(content), given_flags(flags), given_date(internal_date))
        [appended] = self._add([new])
        return appended

    def remove(self, uids: Iterable[int]) -> None:
        """Remove messages, whatever their flags."""
        self._remove([uid for uid in uids if uid in self._state.messages])

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
        state = self._state
        state.deleted = True
        self._left(state.messages.values())
        state.messages.clear()
        state.next_modseq()
        state.notify()

    # IMailbox

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        state = self._there()
        messages = state.messages.values()
        return MailboxStatus(
            messages=len(messages),
            unseen=sum(SEEN not in message.flags for message in messages),
            recent=sum(uid >= state.unclaimed for uid in state.messages),
            uid_next=state.uid_next,
            uid_validity=self.uid_validity,
            modseq=state.modseq,
            size=sum(message.info.size or 0 for message in messages),
            deleted=sum(DELETED in message.flags for message in messages),
        )

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        state = self._there()
        changed = FlagColumns.of(
            MessageFlags(uid, message.flags, message.modseq)
            for uid, message in state.messages.items()
            if message.modseq > modseq
        )
        vanished = [uid for uid, gone in state.vanished.items() if gone > modseq] if modseq > 0 else []
        return Changes(changed, sorted(vanished), state.modseq)

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        self._there()
        messages = list(self._of(uids))
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
        infos = [message.info for message in self._of(uids)]
        return Metadata(
            [info.uid for info in infos],
            [info.size or 0 for info in infos],
            [info.internal_date or 0 for info in infos],
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
        changed: list[tuple[Message, frozenset[str]]] = []
        refused: list[int] = []
        for message in self._of(uids):
            if unchanged_since is not None and message.modseq > unchanged_since:
                refused.append(message.info.uid)
            else:
                changed.append((message, check_keywords(change.apply(message.flags))))
        if any(message.flags != flags for message, flags in changed):
            state.next_modseq()
            for message, flags in changed:
                if message.flags != flags:
                    message.flags, message.modseq = flags, state.modseq
            state.notify()
        return StoreResult(
            FlagColumns.of(MessageFlags(m.info.uid, m.flags, m.modseq) for m, _ in changed), refused
        )

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`; the target may be an `IMailbox` of any class."""
        self._there()
        return await self._copy(uids, target)

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`; the target may be an `IMailbox` of any class."""
        self._changeable()
        moved = await self._copy(uids, target)
        self.remove(uid for uid, _ in moved)
        return moved

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        state = self._changeable()
        among = state.messages.values() if uids is None else self._of(uids)
        gone = [message.info.uid for message in among if DELETED in message.flags]
        self._remove(gone)
        return gone

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        return self._there().watchers.add(None, listener)

    # IRecent

    async def claim_recent(self) -> int:
        """See `IRecent.claim_recent`."""
        state = self._there()
        uids = list(state.messages)
        first = bisect_left(uids, state.unclaimed)
        state.unclaimed = state.uid_next
        return uids[first] if first < len(uids) else state.uid_next

    # Inside

    def _there(self) -> _State:
        if self._state.deleted:
            raise NoSuchMailbox
        return self._state

    def _changeable(self) -> _State:
        state = self._there()
        if not self.writable:
            raise ReadOnly
        return state

    def _of(self, uids: Iterable[int]) -> Iterator[Message]:
        messages = self._state.messages
        return (messages[uid] for uid in uids if uid in messages)

    async def _copy(self, uids: Sequence[int], target: IMailbox) -> list[tuple[int, int]]:
        copied = list(self._of(uids))
        appended = await settle(
            target.append(
                [NewMessage(message.content, message.flags, message.info.internal_date) for message in copied]
            )
        )
        return [(here.info.uid, there.uid) for here, there in zip(copied, appended, strict=True)]

    def _new_state(self, modseqs: ModSeqs) -> _State:
        return _State(modseqs, modseqs.next())

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
                check_keywords(kept_flags(message.flags)),
            )
            for message in messages
        ]
        # Nothing can fail from here on, so all messages are appended or none.
        return self._put(
            Message(self._identified(_info(octets, date)), octets, flags, 0) for octets, date, flags in new
        )

    def _put(self, messages: Iterable[Message]) -> list[AppendedMessage]:
        """Append messages; the mailbox owns the objects now."""
        state = self._state
        appended = []
        for message in messages:
            uid, state.uid_next = state.uid_next, state.uid_next + 1
            message.info, message.modseq = message.info._replace(uid=uid), state.next_modseq()
            state.messages[uid] = message
            appended.append(AppendedMessage(uid, message.modseq))
        if appended:
            state.notify()
        return appended

    def _remove(self, uids: Sequence[int]) -> None:
        state = self._there()
        if not uids:
            return
        state.next_modseq()
        self._left([state.messages[uid] for uid in uids])
        for uid in uids:
            del state.messages[uid]
            state.vanished[uid] = state.modseq
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


def _info(octets: bytes, date: int) -> MessageInfo:
    return MessageInfo(0, date, len(octets), content=Content(octets))
