"""An account that shows only some of the mailboxes of another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from zope.interface import implementer

from mailproto._arguments import check_bool, check_call
from mailproto._twisted_arguments import check_contract
from mailproto.awaiting import settle
from mailproto.backends.remote._wrapped import WrappedMailbox
from mailproto.errors import InvalidMailboxName, NoSuchMailbox
from mailproto.interfaces import IAccount, IMailbox
from mailproto.model import INBOX, MailboxEntry, MailboxStatus, canonical_mailbox_name

__all__ = ["FilteredAccount"]


@implementer(IAccount)
class FilteredAccount:
    """Some of the mailboxes of an account; INBOX is always one of them.

    Other names can be neither opened nor made.  It provides none of the account's optional contracts, so
    that nothing is told of what is hidden.  A subclass may override `show`, to wrap what is opened.

    :param account: the whole account.
    :param shows: called with a mailbox's name; says whether it is shown.
    :param writable: False to let nobody change anything.
    :raises TypeError: an argument is none of these.
    """

    def __init__(self, account: IAccount, shows: Callable[[str], bool], *, writable: bool = True) -> None:
        check_contract("account", account, IAccount)
        check_call("shows", shows, "a function of a mailbox's name", 1)
        check_bool("writable", writable)
        self._account = account
        self._shows = shows
        self._is_writable = writable

    @property
    def name(self) -> str:
        """See `IIdentity.name`."""
        return self._account.name

    def show(self, mailbox: IMailbox, name: str) -> IMailbox:
        """What is opened for a mailbox."""
        return WrappedMailbox(mailbox, name, writable=self._is_writable)

    def _is_shown(self, name: str) -> bool:
        return name == INBOX or self._shows(name)

    def _shown(self, name: str) -> str:
        name = canonical_mailbox_name(name)
        if not self._is_shown(name):
            raise NoSuchMailbox
        return name

    def _changeable(self, name: str) -> str:
        name = canonical_mailbox_name(name)
        if not self._is_writable or not self._is_shown(name):
            raise InvalidMailboxName
        return name

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        return [each for each in await settle(self._account.list()) if self._is_shown(each.name)]

    async def open(self, name: str) -> IMailbox:
        """See `IAccount.open`."""
        name = self._shown(name)
        return self.show(await settle(self._account.open(name)), name)

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        await settle(self._account.create(self._changeable(name), special_use))

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        self._shown(name)
        await settle(self._account.delete(self._changeable(name)))

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`; what is below the mailbox must be shown, too, under both names."""
        old, new = self._changeable(self._shown(old)), self._changeable(new)
        for each in await settle(self._account.list()):
            if each.name.startswith(old + "/"):
                self._changeable(each.name)
                self._changeable(new + each.name[len(old) :])
        await settle(self._account.rename(old, new))

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        await settle(self._account.subscribe(self._shown(name)))

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        name = canonical_mailbox_name(name)
        if self._is_shown(name):
            await settle(self._account.unsubscribe(name))

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        return await settle(
            self._account.status([each for each in names if self._is_shown(canonical_mailbox_name(each))])
        )

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`; hidden mailboxes give hints, too."""
        return self._account.watch(listener)
