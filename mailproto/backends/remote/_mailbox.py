"""One mailbox on the other server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, TypeVar

from zope.interface import alsoProvides, implementer

from mailproto.backends._flags import check_keywords, kept_flags
from mailproto.backends.remote._checked import (
    ascending,
    check_count,
    modseq_of,
    object_id,
    uid_validity_of,
    within_uids,
)
from mailproto.backends.remote._connections import Link
from mailproto.backends.remote._derived import DerivedModSeqs
from mailproto.backends.remote._finding import NEEDED, Finding
from mailproto.backends.remote._modseqs import ServersModSeqs
from mailproto.backends.remote._reading import items_for, metadata_of, read_infos
from mailproto.backends.remote._uids import in_parts, uid_set
from mailproto.errors import LimitReached, NoSuchMailbox, OverQuota, ReadOnly, Unavailable
from mailproto.imap.values import Copied, MailboxCounts, SelectedMailbox, Stored, UidSet
from mailproto.interfaces import IBoundedReading, IMailbox, IMetadata, IObjectIds
from mailproto.interfaces.add_ons import IFinding, ISaveDates
from mailproto.model import (
    PERMANENT_FLAGS,
    AppendedMessage,
    Changes,
    FlagChange,
    FlagColumns,
    FlagOperation,
    MailboxStatus,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    StoreResult,
)

if TYPE_CHECKING:
    from mailproto.backends.remote._account import RemoteAccount

__all__ = ["RemoteMailbox"]

T = TypeVar("T")


@implementer(IMailbox, IMetadata, IBoundedReading)
class RemoteMailbox(Finding):
    """A mailbox of a `RemoteAccount`, made by its ``open``; see `mailproto.interfaces.IMailbox`.

    Its modseqs are the other server's if that has QRESYNC; else they are made by comparing, and last as long
    as this object.  It is `IObjectIds`, `ISaveDates` and `IFinding` as far as server and account allow.
    """

    def __init__(
        self, account: RemoteAccount, name: str, remote_name: str, selected: SelectedMailbox
    ) -> None:
        self._account = account
        self._connections = account.connections
        self.name = name
        self._remote_name = remote_name
        self.uid_validity = uid_validity_of(selected.uid_validity)
        self.writable = not selected.is_read_only
        self.permanent_flags = selected.permanent_flags & PERMANENT_FLAGS
        self._origin: RemoteMailbox | None = None
        self._is_gone = False
        self.last_modseq = 0  # that was told to those who watch
        self.highest = 0  # that anybody has seen
        self.mailbox_id = object_id(selected.mailbox_id) or ""
        has = self._connections.capabilities
        self._has_ids, self._has_dates = "OBJECTID" in has and bool(self.mailbox_id), "SAVEDATE" in has
        if self._has_ids:
            alsoProvides(self, IObjectIds)
        if self._has_dates:
            alsoProvides(self, ISaveDates)
        if account.finds_there and has >= NEEDED:
            alsoProvides(self, IFinding)
        direct = self._connections.has_qresync and has & {"STATUS=SIZE", "IMAP4REV2"}
        self.tracking: ServersModSeqs | DerivedModSeqs = (
            ServersModSeqs() if direct else DerivedModSeqs(account.modseqs)
        )

    # -- IMailbox

    async def status(self) -> MailboxStatus:
        """See `IMailbox.status`."""
        status = await self._run(self._status, again=True)
        self._seen(status.modseq)
        return status

    async def changes_since(self, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        changes = await self._run(
            lambda link: self.tracking.changes(link, self.remote_name, modseq), again=True
        )
        self._seen(changes.modseq)
        return changes

    async def read(self, uids: Sequence[int], parts: Part) -> Sequence[MessageInfo]:
        """See `IMailbox.read`."""
        return await self._read(uids, parts, None)

    async def read_some(self, uids: Sequence[int], parts: Part, octets: int) -> Sequence[MessageInfo]:
        """See `IBoundedReading.read_some`."""
        return await self._read(uids, parts, octets)

    async def metadata(self, uids: Sequence[int]) -> Metadata:
        """See `IMetadata.metadata`."""
        if not uids:
            return Metadata()
        return await self._run(lambda link: metadata_of(link.client, uids), again=True)

    async def append(self, messages: Sequence[NewMessage]) -> Sequence[AppendedMessage]:
        """See `IMailbox.append`; all or none only if the other server has MULTIAPPEND."""
        self._writable()
        kept = [
            NewMessage(each.content, check_keywords(kept_flags(each.flags)), each.internal_date, each.zone)
            for each in messages
        ]
        if not kept:
            return ()

        async def work(link: Link) -> Sequence[AppendedMessage]:
            before = self._next_of(await self._counts(link))
            told = await link.client.append(self.remote_name, *kept)
            self.tracking.forget(link)
            await link.client.noop()
            uids = UidSet(told.uids)
            if len(uids) != len(kept):  # the server does not say: the last ones, that were not there before
                found = (await link.client.search(f"UID {before}:*")).uids
                uids = UidSet([uid for uid in found[-len(kept) :] if uid >= before])
            flags = await self.tracking.flags(link, self.remote_name, uids)
            if len(flags) != len(kept):
                raise Unavailable(detail="The other server does not say what has become of an APPEND")
            return [AppendedMessage(each.uid, each.modseq) for each in flags]

        return await self._changing(work)

    async def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> StoreResult:
        """See `IMailbox.store`; without QRESYNC, others may change something between the look and ours."""
        self._writable()
        if change.operation is FlagOperation.REMOVE:
            flags = kept_flags(change.flags)
        else:
            flags = check_keywords(kept_flags(change.flags))
        if not uids:
            return StoreResult(FlagColumns())

        async def work(link: Link) -> StoreResult:
            wanted, refused = await uid_set(uids), UidSet()
            since = unchanged_since
            if since is not None and isinstance(self.tracking, DerivedModSeqs):
                refused = await self.tracking.changed_since(link, self.remote_name, wanted, since)
                wanted, since = wanted - refused, None
            if flags or change.operation is FlagOperation.SET:
                for some in in_parts(wanted):
                    stored = await self._store(link, UidSet(some), change.operation, flags, since)
                    if stored.refused:
                        refused |= UidSet(uid for uid in some if uid in stored.refused)
            self.tracking.forget(link)
            left = wanted - refused
            changed = await self.tracking.flags(link, self.remote_name, left) if left else FlagColumns()
            return StoreResult(changed, refused)

        return await self._changing(work)

    async def copy(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.copy`."""
        return await self._transfer(uids, target, lambda some, link, name: link.client.copy(some, name))

    async def move(self, uids: Sequence[int], target: IMailbox) -> Sequence[tuple[int, int]]:
        """See `IMailbox.move`."""
        self._writable()
        return await self._transfer(uids, target, lambda some, link, name: link.client.move(some, name))

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """See `IMailbox.expunge`."""
        self._writable()

        async def work(link: Link) -> Sequence[int]:
            await link.client.noop()
            marked = (await link.client.search("DELETED")).uids
            if uids is not None:
                marked = await uid_set(uids, among=marked)
            check_count(len(marked))
            if not marked:
                return ()
            await link.client.expunge(marked)
            self.tracking.forget(link)
            text = str(marked)
            left = (await link.client.search(f"UID {text}" if len(text) < 4000 else "ALL")).uids
            return marked - left

        return await self._changing(work)

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`; a connection stays with the mailbox meanwhile, if there are enough."""
        if self.is_gone:
            raise NoSuchMailbox
        return self._account.watching.watch(self, listener)

    # -- for the account

    def under(self, name: str) -> RemoteMailbox:
        """The same mailbox for somebody who has opened it by this name."""
        if name == self.name:
            return self
        other = copy(self)
        other.name, other._origin = name, self.origin
        return other

    @property
    def origin(self) -> RemoteMailbox:
        """The first object of this mailbox, which knows what may change: others stand for it."""
        return self._origin or self

    @property
    def remote_name(self) -> str:
        """The other server's name of the mailbox."""
        return self.origin._remote_name

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the mailbox is not there any more."""
        return self.origin._is_gone

    def go(self) -> None:
        """The mailbox is not there any more."""
        self.origin._is_gone = True

    def is_renamed(self, remote_name: str) -> None:
        """The other server has another name for the mailbox now."""
        self.origin._remote_name = remote_name

    # -- inside

    def _seen(self, modseq: int) -> None:
        self.origin.highest = max(self.origin.highest, modseq)

    def _writable(self) -> None:
        if not self.writable:
            raise ReadOnly

    async def _run(self, work: Callable[[Link], Awaitable[T]], *, again: bool = False) -> T:
        if self.is_gone:
            raise NoSuchMailbox

        async def checked(link: Link) -> T:
            if uid_validity_of(link.selected.uid_validity) != self.uid_validity:
                raise NoSuchMailbox(detail=f"{self.name} has another UIDVALIDITY now")
            return await work(link)

        try:
            return await self._connections.run(checked, self.remote_name, again=again)
        except NoSuchMailbox:
            if await self._account.validity(self.remote_name) != self.uid_validity:
                self.go()
            raise

    async def _changing(self, work: Callable[[Link], Awaitable[T]]) -> T:
        try:
            return await self._run(work)
        except LimitReached as error:  # of a mailbox or a message, which is told with this one here
            raise OverQuota(error.text, detail=error.detail) from error
        finally:
            self._account.watching.look_soon(self)

    async def _counts(self, link: Link) -> MailboxCounts:
        counts = await self.tracking.counts(link, self.remote_name)
        if counts.uid_validity and counts.uid_validity != self.uid_validity:
            raise NoSuchMailbox(detail=f"{self.name} has another UIDVALIDITY now")
        return counts

    async def _status(self, link: Link) -> MailboxStatus:
        counts = await self._counts(link)
        deleted = counts.deleted
        if deleted is None:
            deleted = len(await link.client.search("DELETED"))
        return MailboxStatus(
            messages=within_uids(counts.messages),
            unseen=within_uids(counts.unseen),
            recent=0,
            uid_next=self._next_of(counts),
            uid_validity=self.uid_validity,
            modseq=modseq_of(counts.modseq),
            size=min(counts.size or 0, (1 << 63) - 1),
            deleted=within_uids(deleted),
            mailbox_id=self.mailbox_id if self._has_ids else None,
        )

    def _next_of(self, counts: MailboxCounts) -> int:
        return within_uids(counts.uid_next) or 1

    async def _read(self, uids: Sequence[int], parts: Part, octets: int | None) -> Sequence[MessageInfo]:
        items = items_for(parts, ids=self._has_ids, dates=self._has_dates)
        if not uids:
            return ()
        return await self._run(lambda link: read_infos(link.client, uids, parts, items, octets), again=True)

    async def _store(
        self, link: Link, uids: UidSet, operation: FlagOperation, flags: frozenset[str], since: int | None
    ) -> Stored:
        store = link.client.store
        if operation is FlagOperation.ADD:
            return await store(uids, add=flags, unchanged_since=since)
        if operation is FlagOperation.REMOVE:
            return await store(uids, remove=flags, unchanged_since=since)
        return await store(uids, replace=flags, unchanged_since=since)

    async def _transfer(
        self,
        uids: Sequence[int],
        target: IMailbox,
        transfer: Callable[[UidSet, Link, str], Awaitable[Copied]],
    ) -> Sequence[tuple[int, int]]:
        if not isinstance(target, RemoteMailbox) or target._account is not self._account:
            raise TypeError(f"target must be a mailbox of the same account, not {target!r}")
        if target.is_gone:
            raise NoSuchMailbox
        if not uids:
            await self._run(lambda link: link.client.noop())
            return ()

        async def work(link: Link) -> Sequence[tuple[int, int]]:
            await link.client.noop()
            self.tracking.forget(link)
            pairs = sorted(await transfer(await uid_set(uids), link, target.remote_name))
            sources, targets = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            # A server need not say it, and what cannot be true is as good as nothing.
            is_right = set(uids).issuperset(sources) and ascending(sources) and ascending(targets)
            return pairs if is_right else ()

        try:
            return await self._changing(work)
        finally:
            target.tracking.forget(None)
            self._account.watching.look_soon(target)
