"""How an account of our stores uses the mailboxes of others, and lets them use its own (RFC 4314)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mailproto.accounts import account_key
from mailproto.awaiting import turn
from mailproto.backends._rights import (
    ALL,
    ANYONE,
    MAX_IDENTIFIERS,
    NamesOfOthers,
    changed,
    effective,
    identifier_key,
    require,
)
from mailproto.backends._shared_mailbox import SharedMailbox
from mailproto.errors import LimitReached, NoPermission, NoSuchAccount, NoSuchMailbox
from mailproto.model import DELIMITER, FlagOperation, MailboxStatus

__all__ = ["Owner", "Shared", "Sharing"]


class Shared(NamedTuple):
    """A mailbox that gives rights to other accounts.

    :ivar number: that of its id.
    :ivar owner: the name of its account.
    """

    number: int
    owner: str
    name: str
    acl: dict[str, str]


class Owner(Protocol):
    """An account whose mailboxes others may use: what stores provide for `Sharing`."""

    name: str

    def own_mailbox(self, name: str) -> Any:
        """The account's own mailbox of that name.  :raises NoSuchMailbox:"""

    def acl_of(self, mailbox_id: str) -> dict[str, str]:
        """The rights by identifier.  :raises NoSuchMailbox: it is gone."""

    def keep_acl(self, mailbox_id: str, identifier: str, rights: str) -> Awaitable[None]:
        """Set the rights of an identifier; "" removes it."""


class Sharing:
    """What one account may do in the mailboxes of others.

    :ivar names: what it calls them.
    :param viewer: the account.
    :param find: finds any account of the store by name.
    :param shared_with: the mailboxes that give rights to an identifier, those after a number; some at a time.
    """

    def __init__(
        self,
        viewer: Owner,
        find: Callable[[str], Owner],
        shared_with: Callable[[str, int], Sequence[Shared]],
    ) -> None:
        self._viewer = viewer
        self._find = find
        self._shared_with = shared_with
        self._key = account_key(viewer.name)
        self.names = NamesOfOthers(viewer.name)

    async def visible(self) -> Mapping[str, bool]:
        """The names of others' mailboxes that the account sees, and whether it may read them."""
        found: dict[str, bool] = {}
        for identifier in (self._key, ANYONE):
            last = 0
            while some := self._shared_with(identifier, last):
                if last:
                    await turn()
                for each in some:
                    rights = effective(each.acl, self._key)
                    if "l" in rights and account_key(each.owner) != self._key:
                        found[self.names.name_of(each.owner, each.name)] = "r" in rights
                last = some[-1].number
        return found

    def resolve(self, name: str) -> tuple[Owner, Any, str, str] | None:
        """The account, the mailbox, its name there, and the rights, for a name.

        It is None if that is no name of others' mailboxes.

        :raises NoSuchMailbox: there is none, or this account has no right to it.
        """
        there = self.names.split(name)
        if there is None:
            return None
        owner, mailbox = there
        try:
            account = self._find(owner)
        except NoSuchAccount:
            raise NoSuchMailbox from None
        found = account.own_mailbox(mailbox)
        rights = self._rights(account, found.mailbox_id)
        if not rights:
            raise NoSuchMailbox
        return account, found, mailbox, rights

    def open(self, name: str) -> SharedMailbox:
        """See `IAccount.open`.  :raises NoSuchMailbox, NoPermission:"""
        resolved = self.resolve(name)
        if resolved is None:
            raise NoSuchMailbox
        account, found, mailbox, rights = resolved
        require(rights, "i" if "i" in rights else "r")  # who may only put messages there opens it, too
        return SharedMailbox(
            found, self.names.name_of(account.name, mailbox), lambda: self._rights(account, found.mailbox_id)
        )

    async def statuses(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """The status of those of ``names`` that this account may read."""
        found = {}
        for name in names:
            if self.names.split(name) is not None:
                try:
                    found[name] = await self.open(name).status()
                except (NoSuchMailbox, NoPermission):
                    continue
        return found

    def for_child(self, name: str) -> tuple[Owner, str] | None:
        """Where a new mailbox of that name goes, which needs ``k`` above it; None if it is the account's own.

        :raises NoPermission: it may not be made.
        """
        there = self.names.split(name)
        if there is None:
            return None
        owner, mailbox = there
        while mailbox := mailbox.rpartition(DELIMITER)[0]:
            try:
                resolved = self.resolve(self.names.name_of(owner, mailbox))
            except NoSuchMailbox:
                continue
            if resolved is not None and "k" in resolved[3]:
                return resolved[0], there[1]
            break
        raise NoPermission

    # -- lists

    def _named(self, name: str) -> tuple[Owner, Any, str]:
        """The account, the mailbox and the rights for any name."""
        try:
            return self._viewer, self._viewer.own_mailbox(name), ALL
        except NoSuchMailbox:
            resolved = self.resolve(name)
            if resolved is None:
                raise
            account, found, _, rights = resolved
            return account, found, rights

    def my_rights(self, name: str) -> str:
        """See `IAccessControl.my_rights`."""
        return self._named(name)[2]

    def acl(self, name: str) -> Mapping[str, str]:
        """See `IAccessControl.acl`."""
        account, found, rights = self._named(name)
        require(rights, "a")
        return {account.name: ALL, **account.acl_of(found.mailbox_id)}

    async def set_acl(self, name: str, identifier: str, rights: str, operation: FlagOperation) -> None:
        """See `IAccessControl.set_acl`."""
        account, found, mine = self._named(name)
        require(mine, "a")
        key, present = self._identified(identifier, account), account.acl_of(found.mailbox_id)
        new = changed(present.get(key, ""), rights, operation)
        if key.removeprefix("-") == account_key(account.name):
            raise NoPermission("The owner of a mailbox keeps all rights")
        if new and key not in present and len(present) >= MAX_IDENTIFIERS:
            raise LimitReached("Too many identifiers")
        if new != present.get(key, ""):
            await account.keep_acl(found.mailbox_id, key, new)

    def list_rights(self, name: str, identifier: str) -> tuple[str, Sequence[str]]:
        """See `IAccessControl.list_rights`."""
        account, _, mine = self._named(name)
        require(mine, "a")
        if self._identified(identifier, account) == account_key(account.name):
            return ALL, ()
        return "", tuple(ALL)

    def _identified(self, identifier: str, account: Owner) -> str:
        """The key of an identifier; a name without a domain may be one of the domain of the owner.

        :raises InvalidRights: it cannot be one.
        """
        key = identifier_key(identifier)
        domain = account.name.rpartition("@")[2]
        if "@" in key or "@" not in account.name or key.removeprefix("-") == ANYONE:
            return key
        try:
            self._find(key.removeprefix("-"))
        except NoSuchAccount:
            return identifier_key(f"{identifier}@{domain}")
        return key

    def _rights(self, account: Owner, mailbox_id: str) -> str:
        if account_key(account.name) == self._key:
            return ALL
        return effective(account.acl_of(mailbox_id), self._key)
