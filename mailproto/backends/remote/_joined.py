"""Several accounts as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from zope.interface import implementer

from mailproto._arguments import check_mapping, check_type
from mailproto._twisted_arguments import check_contract
from mailproto.awaiting import settle
from mailproto.backends._names import check_name
from mailproto.backends.remote._wrapped import WrappedMailbox
from mailproto.errors import InvalidMailboxName, MailboxExists
from mailproto.interfaces import IAccount, IMailbox
from mailproto.model import DELIMITER, INBOX, MailboxEntry, MailboxStatus, canonical_mailbox_name

__all__ = ["JoinedAccount"]


class _JoinedMailbox(WrappedMailbox):
    """A mailbox of one of the accounts."""

    def __init__(self, inner: IMailbox, name: str, account: IAccount) -> None:
        super().__init__(inner, name)
        self.account = account

    def _is_near(self, target: WrappedMailbox) -> bool:
        return isinstance(target, _JoinedMailbox) and target.account is self.account


@implementer(IAccount)
class JoinedAccount:
    """Several accounts as one: the mailboxes of the first as they are, those of others in folders.

    ``JoinedAccount("me", work, {"Home": home})`` has ``INBOX`` of ``work`` and ``Home/INBOX`` of ``home``.
    Messages are copied between them by reading and appending.  It provides no optional contracts, and has no
    modseq of its own: those of different accounts are in no order.

    :param name: the account's name.
    :param first: the account whose mailboxes keep their names; those that begin with a folder's name are
        hidden.
    :param folders: other accounts, by the name of their folder.
    :raises TypeError: an argument is none of these.
    :raises InvalidMailboxName: of a folder.
    """

    def __init__(self, name: str, first: IAccount, folders: Mapping[str, IAccount]) -> None:
        check_type("name", name, str, "the account's name, a str")
        check_contract("first", first, IAccount)
        check_mapping("folders", folders)
        self.name = name
        self._first = first
        self._folders: dict[str, IAccount] = {}
        for folder, account in folders.items():
            check_type("folders", folder, str, "accounts by the names of folders")
            check_contract(f"the account of {folder!r}", account, IAccount)
            check_name(folder)
            if DELIMITER in folder or folder.upper() == INBOX:
                raise InvalidMailboxName(
                    f"A folder has a name of one level, and not INBOX, unlike {folder!r}"
                )
            self._folders[canonical_mailbox_name(folder)] = account

    def _place(self, name: str) -> tuple[IAccount, str]:
        """The account of a mailbox, and its name there; ``""`` for the folder itself."""
        name = canonical_mailbox_name(name)
        folder, _, rest = name.partition(DELIMITER)
        if folder in self._folders:
            return self._folders[folder], canonical_mailbox_name(rest)
        return self._first, name

    def _inside(self, name: str) -> tuple[IAccount, str]:
        account, inner = self._place(name)
        if not inner:
            raise InvalidMailboxName("That folder is another account's")
        return account, inner

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        entries = [
            each for each in await settle(self._first.list()) if self._place(each.name)[0] is self._first
        ]
        for folder, account in self._folders.items():
            entries.append(MailboxEntry(folder, selectable=False))
            # Special uses are those of the first account: clients look for one of each.
            entries += [
                replace(each, name=folder + DELIMITER + each.name, special_use=frozenset())
                for each in await settle(account.list())
            ]
        return sorted(entries, key=lambda each: each.name)

    async def open(self, name: str) -> IMailbox:
        """See `IAccount.open`."""
        account, inner = self._place(name)
        return _JoinedMailbox(await settle(account.open(inner)), canonical_mailbox_name(name), account)

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        account, inner = self._place(name)
        if not inner:
            raise MailboxExists
        await settle(account.create(inner, special_use))

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        account, inner = self._inside(name)
        await settle(account.delete(inner))

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`; not from one account into another."""
        account, inner = self._inside(old)
        target, new_inner = self._inside(new)
        if target is not account:
            raise InvalidMailboxName("That folder is another account's")
        await settle(account.rename(inner, new_inner))

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        account, inner = self._place(name)
        if inner:
            await settle(account.subscribe(inner))

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        account, inner = self._place(name)
        if inner:
            await settle(account.unsubscribe(inner))

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        found: dict[str, MailboxStatus] = {}
        for account in (self._first, *self._folders.values()):
            here = {
                inner: name for name in names for at, inner in [self._place(name)] if at is account and inner
            }
            if here:
                told = await settle(account.status(list(here)))
                found.update((here[inner], status) for inner, status in told.items())
        return found

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        ends = [account.watch(listener) for account in (self._first, *self._folders.values())]

        def end() -> None:
            for each in ends:
                each()

        return end
