"""What makes an account of our stores one of several that share mailboxes: `IAccessControl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from mailproto.awaiting import turn
from mailproto.backends._names import Entries, entry_steps
from mailproto.backends._rights import OTHER_USERS, SHARED, NamesOfOthers, require
from mailproto.backends._sharing import Sharing
from mailproto.errors import InvalidMailboxName, NoPermission, NoSuchMailbox
from mailproto.message import Working
from mailproto.model import DELIMITER, FlagOperation, MailboxEntry, MailboxStatus, canonical_mailbox_name

if TYPE_CHECKING:
    Own = Any  # an account that only knows its own mailboxes
else:
    Own = object

__all__ = ["AccessControl"]

_AT_ONCE = 500
"""Entries that are looked at in less than a millisecond."""


def _is_of_others(name: str) -> bool:
    return name.startswith((OTHER_USERS, SHARED))


async def _joined(own: Entries, visible: Mapping[str, bool]) -> Entries:
    """The list of an account's own mailboxes and of the visible ones of others."""
    mailboxes: dict[str, str | None] = dict.fromkeys(visible)
    subscribed: set[str] = set()
    for start in range(0, len(own), _AT_ONCE):
        for entry in own[start : start + _AT_ONCE]:
            if entry.selectable:
                mailboxes[entry.name] = next(iter(entry.special_use), None)
            if entry.subscribed:
                subscribed.add(entry.name)
        await turn()
    closed = frozenset(name for name, is_readable in visible.items() if not is_readable)
    work = Working(entry_steps(mailboxes, subscribed, closed))
    for _ in work:
        await turn()
    return work.result


class AccessControl(Own):  # type: ignore[misc]  # which class it is, is not known here
    """A mixin before the class of an account that only knows its own mailboxes: those come first.

    It calls the other class for all names that are not those of others' mailboxes.
    """

    other_users = OTHER_USERS
    shared = SHARED

    @property
    def sharing(self) -> Sharing:
        """What this account may do in others' mailboxes."""
        return Sharing(self, self.find_account, self.shared_with)

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        own: Entries = await super().list()
        visible = await self.sharing.visible()
        if not visible:
            return own
        while own.is_joining:  # for another session that has the same list
            await turn()
        known = own.joined() if own.joined is not None else None
        if known is not None and known.source == (own, visible):
            return known
        own.is_joining = True
        try:
            joined = await _joined(own, visible)
        finally:
            own.is_joining = False
        joined.source = own, visible
        own.joined = ref(joined)
        return joined

    async def open(self, name: str) -> Any:
        """See `IAccount.open`."""
        try:
            return await super().open(name)
        except NoSuchMailbox:
            return self.sharing.open(canonical_mailbox_name(name))

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        found: dict[str, MailboxStatus] = dict(await super().status(names))
        others = [name for name in names if name.startswith((OTHER_USERS, SHARED)) and name not in found]
        return {**found, **await self.sharing.statuses(others)} if others else found

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        there = self._elsewhere(name)
        if there is None:
            await super().create(name, special_use)
        else:
            account, mailbox = there
            await account.create(mailbox, special_use)

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        try:
            await super().delete(name)
        except NoSuchMailbox:
            account, mailbox = self._existing(name, "x")
            await account.delete(mailbox)

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`."""
        try:
            account, mailbox = self._existing(old, "x")
        except NoSuchMailbox:
            if self._elsewhere(new) is not None:
                raise NoPermission from None
            await super().rename(old, new)
            return
        target = self._elsewhere(new)
        if target is None or target[0].name != account.name:
            raise NoPermission
        await account.rename(mailbox, target[1])

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        try:
            await super().subscribe(name)
        except NoSuchMailbox:
            account, mailbox = self._existing(name, "l")
            await self.subscribe_other(NamesOfOthers(self.name).name_of(account.name, mailbox))

    # IQuota

    async def quota_roots(self, mailbox: str) -> Sequence[str]:
        """See `IQuota.quota_roots`."""
        name = canonical_mailbox_name(mailbox)
        if _is_of_others(name) and not self._owns(name):
            return ()
        found: Sequence[str] = await super().quota_roots(mailbox)
        return found

    async def deleted_storage(self, mailbox: str) -> int:
        """See `IQuota.deleted_storage`."""
        try:
            return int(await super().deleted_storage(mailbox))
        except NoSuchMailbox:
            account, there = self._existing(mailbox, "r")
            return int(await account.deleted_storage(there))

    # IAnnotations

    async def annotations(
        self, mailbox: str, entries: Sequence[str], depth: int | None = 0
    ) -> Mapping[str, bytes]:
        """See `IAnnotations.annotations`."""
        account, there = self._annotated(mailbox)
        found: Mapping[str, bytes] = await account.annotations_for(self, there, entries, depth)
        return found

    async def annotate(self, mailbox: str, values: Mapping[str, bytes | None]) -> None:
        """See `IAnnotations.annotate`."""
        account, there = self._annotated(mailbox)
        await account.annotate_for(self, there, values)

    # IAccessControl

    async def my_rights(self, mailbox: str) -> str:
        """See `IAccessControl.my_rights`."""
        return self.sharing.my_rights(canonical_mailbox_name(mailbox))

    async def acl(self, mailbox: str) -> Mapping[str, str]:
        """See `IAccessControl.acl`."""
        return self.sharing.acl(canonical_mailbox_name(mailbox))

    async def set_acl(
        self, mailbox: str, identifier: str, rights: str, operation: FlagOperation = FlagOperation.SET
    ) -> None:
        """See `IAccessControl.set_acl`."""
        await self.sharing.set_acl(canonical_mailbox_name(mailbox), identifier, rights, operation)

    async def list_rights(self, mailbox: str, identifier: str) -> tuple[str, Sequence[str]]:
        """See `IAccessControl.list_rights`."""
        return self.sharing.list_rights(canonical_mailbox_name(mailbox), identifier)

    # Inside

    def _owns(self, name: str) -> bool:
        """Whether the account has a mailbox of that name itself."""
        try:
            self.own_mailbox(name)
        except NoSuchMailbox:
            return False
        return True

    def _elsewhere(self, name: str) -> tuple[Any, str] | None:
        """The account and the mailbox there for a new name; None if it is one of this account's own.

        :raises NoPermission: this account may not make it.
        :raises InvalidMailboxName: no account may, because it would hold the mailboxes of others.
        """
        name = canonical_mailbox_name(name)
        if name + DELIMITER in (OTHER_USERS, SHARED):
            raise InvalidMailboxName("The names below it are those of others' mailboxes")
        # Earlier versions let accounts have mailboxes with such names, which stay their own.
        if not _is_of_others(name) or self._owns(name.partition(DELIMITER)[0]):
            return None
        return self.sharing.for_child(name)

    def _existing(self, name: str, needed: str) -> tuple[Any, str]:
        """The account of another user, and the mailbox there.

        :raises NoSuchMailbox, NoPermission:
        """
        name = canonical_mailbox_name(name)
        resolved = None if self._owns(name) else self.sharing.resolve(name)
        if resolved is None:
            raise NoSuchMailbox
        account, _, mailbox, rights = resolved
        require(rights, needed)
        return account, mailbox

    def _annotated(self, mailbox: str) -> tuple[Any, str]:
        name = canonical_mailbox_name(mailbox)
        if not _is_of_others(name) or self._owns(name):
            return self, name
        account, there = self._existing(name, "l")
        if not set("rswip") & set(self.sharing.my_rights(name)):
            raise NoPermission
        return account, there
