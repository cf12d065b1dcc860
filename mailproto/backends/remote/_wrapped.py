"""A mailbox that stands for another one: the base of those that show it in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import alsoProvides, implementer

from mailproto.awaiting import settle
from mailproto.errors import ReadOnly
from mailproto.interfaces import IBoundedReading, IMailbox, IMetadata, IObjectIds, IRecent
from mailproto.interfaces.add_ons import IFinding, ISaveDates
from mailproto.model import (
    DELETED,
    AppendedMessage,
    Changes,
    FlagChange,
    FlagOperation,
    MailboxStatus,
    MessageInfo,
    NewMessage,
    Part,
    StoreResult,
)

__all__ = ["WrappedMailbox"]

_OPTIONAL = (IMetadata, IBoundedReading, IRecent, IObjectIds, ISaveDates, IFinding)
_AT_ONCE = 50
"""Messages that are read, and appended elsewhere, together."""


@implementer(IMailbox)
class WrappedMailbox:
    """Another mailbox, under another name, or read-only; see `IMailbox`.

    :param inner: the mailbox.
    :param name: its name here.
    """

    def __init__(self, inner: IMailbox, name: str, *, writable: bool = True) -> None:
        self.inner = inner
        self.name = name
        self.writable = writable and inner.writable
        alsoProvides(self, *[each for each in _OPTIONAL if each.providedBy(inner)])

    def __getattr__(self, name: str) -> Any:
        # The methods of the optional contracts that the other mailbox provides.
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def uid_validity(self) -> int:
        """See `IMailbox.uid_validity`."""
        return self.inner.uid_validity

    @property
    def permanent_flags(self) -> frozenset[str]:
        """See `IMailbox.permanent_flags`."""
        return self.inner.permanent_flags if self.writable else frozenset()

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        return await settle(self.inner.status())

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        return await settle(self.inner.changes_since(modseq))

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        return await settle(self.inner.read(uids, parts))

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        """See `IMailbox.append`."""
        self._check_writable()
        return await settle(self.inner.append(messages))

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        """See `IMailbox.store`."""
        self._check_writable()
        return await settle(self.inner.store(uids, change, unchanged_since))

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`; between two accounts, messages are read and appended, some at a time."""
        there = target.inner if isinstance(target, WrappedMailbox) else target
        if isinstance(target, WrappedMailbox):
            target._check_writable()
            if not self._is_near(target):
                return await self._carry(uids, there)
        return await settle(self.inner.copy(uids, there))

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`; between two accounts, what was copied is marked as deleted and expunged."""
        self._check_writable()
        there = target.inner if isinstance(target, WrappedMailbox) else target
        if isinstance(target, WrappedMailbox):
            target._check_writable()
            if not self._is_near(target):
                pairs = await self._carry(uids, there)
                moved = [source for source, _ in pairs]
                await settle(self.inner.store(moved, FlagChange(FlagOperation.ADD, frozenset({DELETED}))))
                await settle(self.inner.expunge(moved))
                return pairs
        return await settle(self.inner.move(uids, there))

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        self._check_writable()
        return await settle(self.inner.expunge(uids))

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        return self.inner.watch(listener)

    def _check_writable(self) -> None:
        if not self.writable:
            raise ReadOnly

    def _is_near(self, target: WrappedMailbox) -> bool:
        """Whether both are mailboxes of one account, which can copy by itself."""
        return True

    async def _carry(self, uids: Sequence[int], target: IMailbox) -> list[tuple[int, int]]:
        flags = {each.uid: each.flags for each in (await settle(self.inner.changes_since(0))).changed}
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(uids), _AT_ONCE):
            some = uids[start : start + _AT_ONCE]
            infos = await settle(self.inner.read(some, Part.CONTENT | Part.INTERNAL_DATE))
            there = [info for info in infos if info.content is not None and info.uid in flags]
            new = [
                NewMessage(info.content, flags[info.uid], info.internal_date, info.zone or 0)
                for info in there
                if info.content is not None
            ]
            appended = await settle(target.append(new)) if new else ()
            pairs += [(info.uid, each.uid) for info, each in zip(there, appended, strict=True)]
        return pairs
