"""One account's mailboxes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.backends._access_control import AccessControl
from mailproto.backends._annotations import (
    ANNOTATIONS_AT_ONCE,
    SERVER,
    are_below,
    asked_entries,
    changed_entries,
)
from mailproto.backends._names import Entries, entry_steps
from mailproto.backends._sharing import Shared
from mailproto.backends._usage import ROOT
from mailproto.backends.sqlite import (
    _access_keys,
    _account_changes,
    _acl,
    _annotations,
    _quotas,
    _reading,
    _tree,
)
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._long_changes import moving
from mailproto.backends.sqlite._mailbox import SQLiteMailbox
from mailproto.backends.sqlite._requests import REQUEST
from mailproto.errors import NoPermission, NoSuchAccount, NoSuchMailbox, NoSuchQuotaRoot
from mailproto.interfaces import IAccount
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

__all__ = ["SQLiteAccount"]

T = TypeVar("T")


_MANY = 1000
"""Reading so many names takes a millisecond, and making the list of them another one."""

_STATUSES_AT_ONCE = 100

_RENAME = 500
"""The weight of a rename for the writer: usually less, and for 10,000 mailboxes ten times as much."""

_NAMES = "SELECT group_concat(name, char(10)) FROM (SELECT name FROM TABLE WHERE account = ? ORDER BY name)"


class _OwnMailboxes:
    """An account by its id: a new account under the same name is another one."""

    def __init__(self, database: Database, id_: int, name: str) -> None:
        self.name = name
        self._database = database
        self._id = id_

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        database = self._database
        while self._id in database.lists_in_the_making:  # by another session, which takes some milliseconds
            await database.pause()
        source = database.read(_list, self._id)
        known = database.lists.get(self._id)
        if known is not None and known.source == source:
            return known
        database.lists_in_the_making.add(self._id)
        try:
            made = await self._list_of(*source)
        finally:
            database.lists_in_the_making.discard(self._id)
        made.source = source
        database.lists[self._id] = made
        return made

    async def _list_of(self, names: str, subscribed: str | None, uses: Sequence[tuple[str, str]]) -> Entries:
        mailboxes: dict[str, str | None] = dict.fromkeys(names.split("\n"))
        mailboxes.update(uses)
        if len(mailboxes) > _MANY:
            await self._database.pause()
        work = Working(entry_steps(mailboxes, set(subscribed.split("\n")) if subscribed else set()))
        for _ in work:
            await self._database.pause()
        return work.result

    async def open(self, name: str) -> SQLiteMailbox:
        """See `IAccount.open`."""
        name = canonical_mailbox_name(name)
        id_, uid_validity = self._database.known.mailbox(self._id, name)
        return SQLiteMailbox(self._database, self._id, id_, name, uid_validity)

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        levels = name.count(DELIMITER) + 1
        await self._change(_tree.create, name, special_use, weight=REQUEST * levels)

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        await self._change(_tree.delete, name)

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`."""
        if canonical_mailbox_name(old) == INBOX:
            await self._database.underway(Deferred.fromCoroutine(self._rename_inbox(new)))
        else:
            await self._change(_tree.rename, old, new, weight=_RENAME)

    async def _rename_inbox(self, new: str) -> None:
        database = self._database
        inbox, target = await self._change(_tree.create_beside_inbox, new)
        changes = await database.changes.changes_since(inbox, 0)
        await database.long_changes.do(moving(inbox, target), changes.changed.uids, self._id)

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        await self._change(_tree.subscribe, name)

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        await self._change(_tree.unsubscribe, name)

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        database = self._database
        found: dict[str, MailboxStatus] = {}
        for start in range(0, len(names), _STATUSES_AT_ONCE):
            if start:
                await database.pause()
            found |= database.read(_statuses, self._id, names[start : start + _STATUSES_AT_ONCE])
        return found

    def _change(self, work: Callable[..., T], *arguments: Any, weight: int = REQUEST) -> Deferred[T]:
        return self._database.writer.run(work, self._id, *arguments, share=self._id, weight=weight)

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        return self._database.hints.watch_account(self._id, listener)

    # IQuota

    async def quota_roots(self, mailbox: str) -> Sequence[str]:
        """See `IQuota.quota_roots`."""
        self._database.read(_reading.check_account, self._id)
        return (ROOT,)

    async def quota(self, root: str) -> Quota:
        """See `IQuota.quota`."""
        if root != ROOT:
            raise NoSuchQuotaRoot
        return self._database.read(_quotas.quota_of, self._id)

    async def set_quota(self, root: str, limits: QuotaLimits) -> Quota:
        """See `IQuota.set_quota`."""
        raise NoPermission

    async def deleted_storage(self, mailbox: str) -> int:
        """See `IQuota.deleted_storage`."""
        id_, _ = self._database.known.mailbox(self._id, canonical_mailbox_name(mailbox))
        return self._database.read(_quotas.deleted_storage, id_)

    # IAnnotations

    async def annotations_for(
        self, viewer: _OwnMailboxes, mailbox: str, entries: Sequence[str], depth: int | None
    ) -> Mapping[str, bytes]:
        """What an account sees: see `IAnnotations.annotations`."""
        read, pause = self._database.read, self._database.pause
        where, asked = (self._id, self._place(mailbox), viewer._id), asked_entries(entries)
        every, found = read(_annotations.entries_of, *where) if depth != 0 else asked, list[str]()
        for start in range(0, len(every), ANNOTATIONS_AT_ONCE):
            if start:
                await pause()
            found += are_below(every[start : start + ANNOTATIONS_AT_ONCE], asked, depth)
        values: dict[str, bytes] = {}
        for start in range(0, len(found), ANNOTATIONS_AT_ONCE):
            if start:
                await pause()
            some = found[start : start + ANNOTATIONS_AT_ONCE]
            values |= read(_annotations.values_of, *where, entries=some)
        return values

    async def annotate_for(
        self, viewer: _OwnMailboxes, mailbox: str, values: Mapping[str, bytes | None]
    ) -> None:
        """What an account changes: see `IAnnotations.annotate`."""
        where = self._place(mailbox)
        changed = changed_entries(mailbox, values)
        if changed:
            weight = REQUEST * (1 + len(changed))
            await self._change(_annotations.annotate, where, viewer._id, changed, weight=weight)

    # IMailboxChanges

    async def mailbox_changes(self, modseq: int) -> AccountChanges:
        """See `IMailboxChanges.mailbox_changes`."""
        database = self._database
        return await _account_changes.changes_since(database.read, database.pause, self._id, modseq)

    # IAccessKeys

    async def access_key(self, mailbox: str) -> bytes:
        """See `IAccessKeys.access_key`."""
        read = self._database.read
        id_, _ = self._database.known.mailbox(self._id, canonical_mailbox_name(mailbox))
        key = read(_access_keys.key_of, id_)
        if key is None:
            key = await self._database.writer.run(_access_keys.make_key, id_, share=self._id)
        return key

    async def reset_access_keys(self, mailbox: str | None = None) -> None:
        """See `IAccessKeys.reset_access_keys`."""
        database = self._database
        database.read(_reading.check_account, self._id)
        id_ = None
        if mailbox is not None:
            id_, _ = database.known.mailbox(self._id, canonical_mailbox_name(mailbox))
        await self._change(_access_keys.forget_keys, id_, weight=_RENAME if id_ is None else REQUEST)

    async def shared_by_url(self, account: str, mailbox: str) -> tuple[bytes, SQLiteMailbox]:
        """See `IAccessKeys.shared_by_url`."""
        read, name = self._database.read, canonical_mailbox_name(mailbox)
        owner, _ = read(_named, account)
        id_, uid_validity = self._database.known.mailbox(owner, name)
        key = read(_access_keys.key_of, id_)
        if key is None:
            raise NoSuchMailbox
        return key, SQLiteMailbox(self._database, owner, id_, name, uid_validity)

    def _place(self, mailbox: str) -> int:
        if mailbox != SERVER:
            return self._database.known.mailbox(self._id, mailbox)[0]
        self._database.read(_reading.check_account, self._id)
        return _annotations.SERVER_ID

    # What `AccessControl` needs

    def own_mailbox(self, name: str) -> SQLiteMailbox:
        """See `Owner.own_mailbox`."""
        id_, uid_validity = self._database.known.mailbox(self._id, name)
        return SQLiteMailbox(self._database, self._id, id_, name, uid_validity)

    def acl_of(self, mailbox_id: str) -> dict[str, str]:
        """See `Owner.acl_of`."""
        return self._database.read(_acl.acl_of, int(mailbox_id[1:]))

    async def keep_acl(self, mailbox_id: str, identifier: str, rights: str) -> None:
        """See `Owner.keep_acl`."""
        await self._change(_acl.keep_acl, int(mailbox_id[1:]), identifier, rights)

    def find_account(self, name: str) -> SQLiteAccount:
        """An account of the store.  :raises NoSuchAccount:"""
        id_, kept = self._database.read(_named, name)
        return SQLiteAccount(self._database, id_, kept)

    def shared_with(self, identifier: str, after: int) -> Sequence[Shared]:
        """See `Owner.shared_with`."""
        return self._database.read(_acl.shared_with, identifier, after)

    async def subscribe_other(self, name: str) -> None:
        """Subscribe to a mailbox of somebody else, which exists."""
        await self._change(_tree.subscribe_other, name)


@implementer(IAccount, IAccessControl, IAccessKeys, IAnnotations, IMailboxChanges, IQuota)
class SQLiteAccount(AccessControl, _OwnMailboxes):
    """An account whose mailboxes others may use, and that may use theirs."""


def _list(connection: sqlite3.Connection, account: int) -> tuple[str, str | None, Sequence[tuple[str, str]]]:
    """The names of the mailboxes, sorted, the subscribed names, and the special uses by name.

    Names are read as one text (no name has a line end), because a row for each takes twice the time.
    """
    with _reading.snapshot(connection):
        names, subscribed = (
            connection.execute(_NAMES.replace("TABLE", table), (account,)).fetchone()[0]
            for table in ("mailboxes", "subscriptions")
        )
        uses = connection.execute(
            "SELECT name, special_use FROM mailboxes WHERE account = ? AND special_use IS NOT NULL",
            (account,),
        ).fetchall()
    if names is None:  # every account has an INBOX
        raise NoSuchAccount
    return names, subscribed, uses


def _statuses(connection: sqlite3.Connection, account: int, names: Sequence[str]) -> dict[str, MailboxStatus]:
    with _reading.snapshot(connection):
        _reading.check_account(connection, account)
        found: dict[str, MailboxStatus] = {}
        for name in names:
            which = " WHERE account = ? AND name = ?"
            for status in _reading.statuses(
                connection, which, (account, canonical_mailbox_name(name))
            ).values():
                found[name] = status
    return found


def _named(connection: sqlite3.Connection, name: str) -> tuple[int, str]:
    row = connection.execute(
        "SELECT id, name FROM accounts WHERE folded = ?", (account_key(name),)
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    return row[0], row[1]
