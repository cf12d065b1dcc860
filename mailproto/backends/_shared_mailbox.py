"""A mailbox of another account, with the rights that an account has there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from typing import Any

from zope.interface import implementer

from mailproto.awaiting import settle
from mailproto.backends._flags import kept_flags
from mailproto.backends._rights import allowed, require
from mailproto.errors import NoPermission
from mailproto.interfaces import IBoundedReading, IMailbox, IMetadata, IObjectIds, IRecent
from mailproto.interfaces.add_ons import IFinding, INearWords, IReplacing, ISaveDates
from mailproto.model import (
    PERMANENT_FLAGS,
    AppendedMessage,
    Changes,
    ContentTest,
    FlagChange,
    FlagColumns,
    FlagOperation,
    Found,
    MailboxStatus,
    MessageFlags,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    SortOrder,
    StoreResult,
    ThreadAlgorithm,
    Threads,
)

__all__ = ["SharedMailbox"]


@implementer(
    IMailbox, IBoundedReading, IFinding, IMetadata, INearWords, IObjectIds, IRecent, IReplacing, ISaveDates
)
class SharedMailbox:
    """Passes on what is allowed; rights are looked at for each call, because they may be taken away.

    :param mailbox: one of our stores'.
    :param name: its name for this account.
    :param rights: tells the rights of this account; raises NoSuchMailbox if the mailbox is gone.
    """

    def __init__(self, mailbox: Any, name: str, rights: Callable[[], str]) -> None:
        self._mailbox = mailbox
        self._rights = rights
        self.name = name
        self.uid_validity: int = mailbox.uid_validity
        self.mailbox_id: str = mailbox.mailbox_id
        now = rights()
        self.writable = not _CHANGING.isdisjoint(now)
        self.permanent_flags = frozenset(flag for flag in PERMANENT_FLAGS if allowed(now, flag))

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        self._need("r")
        return await self._mailbox.status()  # type: ignore[no-any-return]

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        self._need("r")
        return await self._mailbox.changes_since(modseq)  # type: ignore[no-any-return]

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        self._need("r")
        return await self._mailbox.read(uids, parts)  # type: ignore[no-any-return]

    async def read_some(self, uids: Sequence[int], parts: Part, octets: int) -> Sequence[MessageInfo]:
        """See `IBoundedReading.read_some`."""
        self._need("r")
        if IBoundedReading.providedBy(self._mailbox):
            return await settle(self._mailbox.read_some(uids, parts, octets))
        return await self._mailbox.read(uids, parts)  # type: ignore[no-any-return]

    async def metadata(self, uids: Sequence[int]) -> Metadata:
        """See `IMetadata.metadata`."""
        self._need("r")
        return await self._mailbox.metadata(uids)  # type: ignore[no-any-return]

    async def find(self, uids: Sequence[int], tests: Sequence[ContentTest]) -> Sequence[Found]:
        """See `IFinding.find`."""
        self._need("r")
        return await self._mailbox.find(uids, tests)  # type: ignore[no-any-return]

    async def sort(self, uids: Sequence[int], orders: Sequence[SortOrder]) -> Sequence[int]:
        """See `IFinding.sort`."""
        self._need("r")
        return await self._mailbox.sort(uids, orders)  # type: ignore[no-any-return]

    async def thread(self, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Threads:
        """See `IFinding.thread`."""
        self._need("r")
        return await self._mailbox.thread(uids, algorithm)  # type: ignore[no-any-return]

    async def near_words(self, uids: Sequence[int], words: Sequence[str]) -> Sequence[Sequence[str]]:
        """See `INearWords.near_words`."""
        self._need("r")
        return await self._mailbox.near_words(uids, words)  # type: ignore[no-any-return]

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        """See `IMailbox.append`."""
        rights = self._need("i")
        return await self._mailbox.append([_kept(message, rights) for message in messages])  # type: ignore[no-any-return]

    async def replace(self, uid: int, message: NewMessage, target: IMailbox) -> AppendedMessage:
        """See `IReplacing.replace`."""
        self._need("rte")
        return await self._mailbox.replace(uid, message, target)  # type: ignore[no-any-return]

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        """See `IMailbox.store`; flags for which there is no right stay as they are."""
        rights = self._need("r")
        flags = kept_flags(change.flags)
        may = frozenset(flag for flag in flags if allowed(rights, flag))
        is_set, is_all = change.operation is FlagOperation.SET, set(_FLAGS).issubset(rights)
        if _FLAGS_SET.isdisjoint(rights) or not (is_set or may or not flags):
            raise NoPermission
        if is_all or not is_set:
            change = FlagChange(change.operation, may)
            return await self._mailbox.store(uids, change, unchanged_since)  # type: ignore[no-any-return]
        results: list[StoreResult] = [
            await self._mailbox.store(some, FlagChange(FlagOperation.SET, kept | may), unchanged_since)
            for kept, some in (await self._not_allowed(uids, rights)).items()
        ]
        changed = sorted(row for result in results for row in result.changed)
        return StoreResult(
            FlagColumns.of(changed), sorted(uid for result in results for uid in result.refused)
        )

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`."""
        self._need("r")
        return await self._mailbox.copy(uids, target)  # type: ignore[no-any-return]

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`."""
        self._need("rte")
        return await self._mailbox.move(uids, target)  # type: ignore[no-any-return]

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        self._need("re")
        return await self._mailbox.expunge(uids)  # type: ignore[no-any-return]

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        self._need("r")
        return self._mailbox.watch(listener)  # type: ignore[no-any-return]

    async def claim_recent(self) -> range:
        """See `IRecent.claim_recent`: who may only read leaves messages recent for the others."""
        if self.writable:
            return await self._mailbox.claim_recent()  # type: ignore[no-any-return]
        uid_next = (await self.status()).uid_next
        return range(uid_next, uid_next)

    def given(self, message: NewMessage) -> tuple[NewMessage, IMailbox]:
        """A new message with the flags that it may have here, and the mailbox itself."""
        return _kept(message, self._need("i")), self._mailbox

    async def take(
        self, put: Callable[[IMailbox], Awaitable[Sequence[tuple[int, int]]]]
    ) -> Sequence[tuple[int, int]]:
        """Call ``put`` with the mailbox itself, to copy or move messages there.

        Flags for which there is no right are not kept (RFC 4314 4).
        """
        rights = self._need("i")
        before = (await self._mailbox.status()).modseq
        pairs = await put(self._mailbox)
        if not set(_FLAGS).issubset(rights) and pairs:
            uids = {uid for _, uid in pairs}
            for flags, some in _by_flags((await self._mailbox.changes_since(before)).changed, uids):
                kept = frozenset(flag for flag in flags if allowed(rights, flag))
                if kept != flags:
                    await self._mailbox.store(some, FlagChange(FlagOperation.SET, kept))
        return pairs

    async def _not_allowed(self, uids: Sequence[int], rights: str) -> dict[frozenset[str], list[int]]:
        """The messages, by those of their flags that cannot be changed with these rights."""
        found: dict[frozenset[str], list[int]] = {}
        for flags, some in _by_flags((await self._mailbox.changes_since(0)).changed, set(uids)):
            kept = frozenset(flag for flag in flags if not allowed(rights, flag))
            found.setdefault(kept, []).extend(some)
        return {kept: sorted(some) for kept, some in found.items()}

    def _need(self, needed: str) -> str:
        """Check the rights, and return them.  :raises NoSuchMailbox, NoPermission:"""
        rights = self._rights()
        require(rights, needed)
        return rights


_CHANGING = frozenset("iestw")
_FLAGS = "stw"
_FLAGS_SET = frozenset(_FLAGS)


def _kept(message: NewMessage, rights: str) -> NewMessage:
    flags = frozenset(flag for flag in kept_flags(message.flags) if allowed(rights, flag))
    return NewMessage(message.content, flags, message.internal_date, message.zone)


def _by_flags(messages: Iterable[MessageFlags], uids: Set[int]) -> Iterable[tuple[frozenset[str], list[int]]]:
    """The messages with these UIDs, by their flags."""
    found: dict[frozenset[str], list[int]] = {}
    for message in messages:
        if message.uid in uids:
            found.setdefault(message.flags, []).append(message.uid)
    return found.items()
