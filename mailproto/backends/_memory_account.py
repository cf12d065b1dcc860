"""An account of a `MemoryStore`: its mailboxes, by name."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.awaiting import turn
from mailproto.backends._access_control import AccessControl
from mailproto.backends._annotations import (
    ANNOTATIONS_AT_ONCE,
    SERVER,
    Annotations,
    are_below,
    asked_entries,
    changed_entries,
)
from mailproto.backends._memory_mailbox import MemoryMailbox, Numbers
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
from mailproto.backends._rights import ANYONE, check_identifiers
from mailproto.backends._sharing import Shared
from mailproto.backends._threading import AccountThreads
from mailproto.backends._usage import ROOT, Usage
from mailproto.backends._watch import ModSeqs
from mailproto.errors import (
    InvalidMailboxName,
    MailboxExists,
    NoPermission,
    NoSuchAccount,
    NoSuchMailbox,
    NoSuchQuotaRoot,
    TooManyAnnotations,
)
from mailproto.interfaces import IAccount, IMailbox
from mailproto.interfaces.add_ons import IAccessControl, IAccessKeys, IAnnotations, IMailboxChanges, IQuota
from mailproto.message import Working
from mailproto.model import (
    DELIMITER,
    INBOX,
    AccountChanges,
    MailboxEntry,
    MailboxStatus,
    Quota,
    QuotaLimits,
    canonical_mailbox_name,
)

__all__ = ["MemoryAccount"]


class _OwnMailboxes:
    """The mailboxes of one account, by name, and its subscribed names.

    :param others: finds an account of the store by name, or (None) gives all.
    :ivar usage: what it stores, and what it may.
    """

    def __init__(
        self, name: str, numbers: Numbers, usage: Usage, others: Callable[[str | None], Sequence[IAccount]]
    ) -> None:
        self.name = name
        self.usage = usage
        self._others = others
        self._access_keys: dict[str, bytes] = {}  # by the mailbox's id
        self._acls: dict[str, dict[str, str]] = {}  # likewise
        self._numbers = numbers
        self._modseqs = ModSeqs()
        self._annotations = Annotations()
        self._threads = AccountThreads(numbers.next_id)
        self._mailboxes: dict[str, MemoryMailbox] = {}
        self._names = SortedNames()  # of them
        self._special_uses: dict[str, str] = {}
        # For each name, the largest UIDVALIDITY of mailboxes that had it; and the largest that was forgotten.
        self._retired: dict[str, int] = {}
        self._forgotten = 0
        self._deleted = False
        self._listed = 0  # the modseq of the last change of the list or of the subscriptions
        for default, special_use in DEFAULT_MAILBOXES:
            self._make(default, special_use)
        self._subscribed = {default for default, _ in DEFAULT_MAILBOXES}
        self._subscribed_octets = sum(len(name.encode()) for name in self._subscribed)
        self._listed = self._modseqs.last

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
        return self.own_mailbox(canonical_mailbox_name(name))

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        self._there()
        name, special_use = canonical_mailbox_name(name), check_special_use(special_use)
        check_name(name)
        if name in self._mailboxes:
            raise MailboxExists
        self._check_room([*superiors(name), name])
        self._check_identifiers(self._inherited(name))
        self._make_superiors(name)
        self._make(name, special_use)
        self._list_changed()
        self._tell_viewers([name])

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        name = canonical_mailbox_name(name)
        if name == INBOX:
            raise InvalidMailboxName("INBOX cannot be deleted")
        mailbox = self.own_mailbox(name)
        self._leave(name)
        self._annotations.forget(mailbox.mailbox_id)
        self._access_keys.pop(mailbox.mailbox_id, None)
        viewers = self._acls.pop(mailbox.mailbox_id)
        self._listed = self._modseqs.last + 1
        await mailbox.retire_in_turns()
        self._tell(viewers)

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
        above = new.rpartition(DELIMITER)[0]
        if above and above not in self._mailboxes:
            self._check_identifiers(self._inherited(above))
        left = {source: (self._special_uses.get(source), self._leave(source)) for source in moves}
        self._make_superiors(new)
        for source, target in moves.items():
            special_use, mailbox = left[source]
            is_reused = self._retired.get(target, self._forgotten) >= mailbox.uid_validity
            validity = self._numbers.next_validity() if is_reused else None
            self._make(target, special_use, mailbox.renamed(target, validity))
        self._modseqs.next()
        self._list_changed()
        self._tell_viewers([*superiors(new), *moves.values()])

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        self._there()
        name = canonical_mailbox_name(name)
        if not self._exists(name):
            raise NoSuchMailbox
        await self.subscribe_other(name)

    async def subscribe_other(self, name: str) -> None:
        """Subscribe to a mailbox that exists, and may be another account's."""
        if name not in self._subscribed:
            octets = self._subscribed_octets + len(name.encode())
            check_names(len(self._subscribed) + 1, octets)
            self._subscribed.add(name)
            self._subscribed_octets = octets
            self._modseqs.next()
            self._list_changed()

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        self._there()
        if (name := canonical_mailbox_name(name)) in self._subscribed:
            self._subscribed.discard(name)
            self._subscribed_octets -= len(name.encode())
            self._modseqs.next()
            self._list_changed()

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        self._there()
        here = {name: self._mailboxes.get(canonical_mailbox_name(name)) for name in names}
        return {name: await mailbox.status() for name, mailbox in here.items() if mailbox is not None}

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        self._there()
        return self._modseqs.watch(listener)

    # IQuota

    async def quota_roots(self, mailbox: str) -> Sequence[str]:
        """See `IQuota.quota_roots`."""
        self._there()
        return (ROOT,)

    async def quota(self, root: str) -> Quota:
        """See `IQuota.quota`."""
        self._there()
        if root != ROOT:
            raise NoSuchQuotaRoot
        return self.usage.quota(len(self._names))

    async def set_quota(self, root: str, limits: QuotaLimits) -> Quota:
        """See `IQuota.set_quota`."""
        raise NoPermission

    async def deleted_storage(self, mailbox: str) -> int:
        """See `IQuota.deleted_storage`."""
        return self.own_mailbox(canonical_mailbox_name(mailbox)).deleted_storage()

    # IAnnotations

    async def annotations_for(
        self, viewer: _OwnMailboxes, mailbox: str, entries: Sequence[str], depth: int | None
    ) -> Mapping[str, bytes]:
        """What an account sees: see `IAnnotations.annotations`."""
        values, asked = self._annotations.of(self._place(mailbox), viewer.name), asked_entries(entries)
        found: dict[str, bytes] = {}
        every = sorted(values)
        for start in range(0, len(every), ANNOTATIONS_AT_ONCE):
            if start:
                await turn()
            some = every[start : start + ANNOTATIONS_AT_ONCE]
            found.update((entry, values[entry]) for entry in are_below(some, asked, depth))
        return found

    async def annotate_for(
        self, viewer: _OwnMailboxes, mailbox: str, values: Mapping[str, bytes | None]
    ) -> None:
        """What an account changes: see `IAnnotations.annotate`."""
        where = self._place(mailbox)
        if changed := changed_entries(mailbox, values):
            self._annotations.change(where, viewer.name, changed, self._modseqs.last + 1)
            if mailbox:
                self.own_mailbox(mailbox).note_change()
            else:
                self._modseqs.next()
            self._modseqs.notify()

    def forget_viewer(self, name: str) -> None:
        """Forget the rights and the private annotations of an account that is gone."""
        self._annotations.forget_viewer(name)
        key = account_key(name)
        for acl in self._acls.values():
            acl.pop(key, None)
            acl.pop("-" + key, None)

    # IMailboxChanges

    async def mailbox_changes(self, modseq: int) -> AccountChanges:
        """See `IMailboxChanges.mailbox_changes`."""
        self._there()
        changed = [name for name, mailbox in self._mailboxes.items() if mailbox.has_changed_after(modseq)]
        annotated = self._annotations.since(modseq, self.name)
        names = {SERVER: SERVER}
        if annotated:
            names |= {mailbox.mailbox_id: name for name, mailbox in self._mailboxes.items()}
        return AccountChanges(
            await self.status(changed),
            self._listed > modseq,
            {names[id_]: entries for id_, entries in annotated.items()},
            self._modseqs.last,
        )

    # IAccessKeys

    async def access_key(self, mailbox: str) -> bytes:
        """See `IAccessKeys.access_key`."""
        return self._access_keys.setdefault(
            self.own_mailbox(canonical_mailbox_name(mailbox)).mailbox_id, secrets.token_bytes(32)
        )

    async def reset_access_keys(self, mailbox: str | None = None) -> None:
        """See `IAccessKeys.reset_access_keys`."""
        self._there()
        if mailbox is None:
            self._access_keys.clear()
        else:
            self._access_keys.pop(self.own_mailbox(canonical_mailbox_name(mailbox)).mailbox_id, None)

    async def shared_by_url(self, account: str, mailbox: str) -> tuple[bytes, IMailbox]:
        """See `IAccessKeys.shared_by_url`."""
        [owner] = self._others(account)
        if not isinstance(owner, MemoryAccount):
            raise NoSuchMailbox
        found = owner.own_mailbox(canonical_mailbox_name(mailbox))
        key = owner._access_keys.get(found.mailbox_id)
        if key is None:
            raise NoSuchMailbox
        return key, found

    def _place(self, mailbox: str) -> str:
        self._there()
        return SERVER if mailbox == SERVER else self.own_mailbox(mailbox).mailbox_id

    # What `AccessControl` needs

    def own_mailbox(self, name: str) -> MemoryMailbox:
        """See `Owner.own_mailbox`."""
        self._there()
        try:
            return self._mailboxes[name]
        except KeyError:
            raise NoSuchMailbox from None

    def acl_of(self, mailbox_id: str) -> dict[str, str]:
        """See `Owner.acl_of`."""
        if self._deleted or mailbox_id not in self._acls:
            raise NoSuchMailbox
        return dict(self._acls[mailbox_id])

    async def keep_acl(self, mailbox_id: str, identifier: str, rights: str) -> None:
        """See `Owner.keep_acl`."""
        acl = self._acls[mailbox_id]
        if rights and identifier not in acl:
            self._check_identifiers(1)
        acl.pop(identifier, None)
        if rights:
            acl[identifier] = rights
        self._modseqs.next()
        self._list_changed()
        self._tell([identifier])

    def _tell_viewers(self, names: Iterable[str]) -> None:
        """Names of mailboxes have come or gone: tell those who see them."""
        self._tell({each for name in names for each in self._acls[self._mailboxes[name].mailbox_id]})

    def _tell(self, identifiers: Iterable[str]) -> None:
        """The lists of mailboxes of the accounts with these identifiers may have changed."""
        keys = {identifier.removeprefix("-") for identifier in identifiers}
        viewers = self._others(None) if ANYONE in keys else list[IAccount]()
        for key in keys - {ANYONE}:
            with suppress(NoSuchAccount):
                viewers = [*viewers, self.find_account(key)]
        for viewer in dict.fromkeys(viewers):
            if isinstance(viewer, MemoryAccount) and viewer is not self:
                viewer._modseqs.next()
                viewer._list_changed()

    def find_account(self, name: str) -> MemoryAccount:
        """An account of the store.  :raises NoSuchAccount:"""
        found = self._others(name)[0]
        if not isinstance(found, MemoryAccount):
            raise NoSuchAccount
        return found

    def shared_with(self, identifier: str, after: int) -> Sequence[Shared]:
        """See `Owner.shared_with`: all at once."""
        found = [
            Shared(int(mailbox.mailbox_id[1:]), account.name, name, account._acls[mailbox.mailbox_id])
            for account in self._others(None)
            if isinstance(account, MemoryAccount)
            for name, mailbox in account._mailboxes.items()
            if identifier in account._acls[mailbox.mailbox_id]
        ]
        return sorted([each for each in found if each.number > after], key=lambda each: each.number)

    def retire(self) -> None:
        """Delete the account: from now on every method raises `NoSuchAccount`."""
        self._deleted = True
        self._tell({identifier for acl in self._acls.values() for identifier in acl})
        for mailbox in self._mailboxes.values():
            mailbox.retire()

    def _list_changed(self) -> None:
        """Note that the latest change was one of the list or of the subscriptions."""
        self._listed = self._modseqs.last
        self._modseqs.notify()

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

    def _inherited(self, name: str) -> int:
        """How many identifiers a new mailbox, and its superiors that are missing, will have together."""
        missing = 1
        while (name := name.rpartition(DELIMITER)[0]) and name not in self._mailboxes:
            missing += 1
        return missing * len(self._acls[self._mailboxes[name].mailbox_id]) if name else 0

    def _check_identifiers(self, coming: int) -> None:
        """:raises LimitReached:"""
        if coming:
            check_identifiers(sum(map(len, self._acls.values())) + coming)

    def _make(self, name: str, special_use: str | None, mailbox: MemoryMailbox | None = None) -> None:
        """Put a mailbox, by default a new one, under a free name."""
        if mailbox is None:
            mailbox = MemoryMailbox(name, self._numbers, self._modseqs, self._threads, self.usage)
            above = self._mailboxes.get(name.rpartition(DELIMITER)[0])
            self._acls[mailbox.mailbox_id] = {} if above is None else dict(self._acls[above.mailbox_id])
        self._mailboxes[name] = mailbox
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
        self._check_identifiers(self._inherited(new))
        self._make_superiors(new)
        self._make(new, None)
        inbox = self._mailboxes[INBOX]
        with suppress(TooManyAnnotations):  # mail is more important
            self._annotations.copy(inbox.mailbox_id, self._mailboxes[new].mailbox_id, self._modseqs.last)
        self._list_changed()
        self._tell_viewers([new])
        uids = (await inbox.changes_since(0)).changed.uids
        await inbox.move(uids, self._mailboxes[new])


def _octets(names: Sequence[str]) -> int:
    return sum(len(name.encode()) for name in names)


@implementer(IAccount, IAccessControl, IAccessKeys, IAnnotations, IMailboxChanges, IQuota)
class MemoryAccount(AccessControl, _OwnMailboxes):
    """An account whose mailboxes others may use, and that may use theirs."""
