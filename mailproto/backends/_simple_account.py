"""Accounts and stores with mailboxes that an application makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from mailproto._arguments import check_type, wrong_value
from mailproto._twisted_arguments import check_contract
from mailproto.awaiting import settle, turn
from mailproto.backends._given import given_name
from mailproto.backends._memory import MemoryStore
from mailproto.backends._names import check_rename, entry_steps, is_inferior
from mailproto.backends._simple import MODSEQS, SimpleMailbox
from mailproto.backends._watch import Watchers
from mailproto.errors import InvalidMailboxName, MailboxExists, NoSuchAccount, NoSuchMailbox
from mailproto.interfaces import IAccount, IFixedMailboxes, IMailbox, IObjectIds, IRecent
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.message import Working
from mailproto.model import INBOX, MailboxEntry, MailboxStatus, canonical_mailbox_name

__all__ = ["SimpleAccount", "SingleStore"]


@implementer(IAccount, IFixedMailboxes)
class SimpleAccount:
    """An account with the application's mailboxes: clients cannot create, delete or rename any.

    The application may, at any time: see `add_mailbox`, `remove_mailbox` and `rename_mailbox`.  Clients find
    the change when they next list the mailboxes, and those that watch the account are told at once.

    :param mailboxes: the mailboxes by name; if INBOX is missing, an empty one is added.
    :raises TypeError: one of them is no `IMailbox`.
    :raises InvalidMailboxName: no mailbox can have that name.
    """

    def __init__(self, name: str, mailboxes: Mapping[str, IMailbox] | None = None) -> None:
        check_type("name", name, str, "a str")
        if mailboxes is not None:
            takes = "a mapping such as {'INBOX': SimpleMailbox()}, or None"
            check_type("mailboxes", mailboxes, Mapping, takes)
        self.name = name
        self._mailboxes: dict[str, IMailbox] = {}
        self._left: dict[str, int] = {}  # the UIDVALIDITY of the last mailbox that had a name
        self._subscribed: set[str] = set()
        self._watchers: Watchers[None] = Watchers()
        self._ends: dict[
            str, Callable[[], None]
        ] = {}  # of our watches of mailboxes, while anybody watches us
        self._deleted = False
        for mailbox, kept in (mailboxes or {}).items():
            self.add_mailbox(mailbox, kept)
        if INBOX not in self._mailboxes:
            self.add_mailbox(INBOX)

    # For the application

    def add_mailbox(self, name: str, mailbox: IMailbox | None = None) -> IMailbox:
        """Add a mailbox and subscribe to it.

        If a mailbox of that name was there before, the new one gets a larger UIDVALIDITY, or else clients
        would mistake its messages for the old ones.

        :param mailbox: None for a new `SimpleMailbox`.
        :returns: ``mailbox`` itself if it has this name and a valid UIDVALIDITY; if not, another object for
            the same messages.
        :raises TypeError: ``mailbox`` is no `IMailbox`.
        :raises ValueError: it is no `SimpleMailbox`, and its UIDVALIDITY is not larger.
        :raises MailboxExists, InvalidMailboxName:
        """
        name = given_name(name)
        if name in self._mailboxes:
            hint = ": write SimpleAccount(name, {'INBOX': mailbox})" if name == INBOX else ""
            raise MailboxExists(f"Mailbox {name} exists already{hint}")
        given = SimpleMailbox(name) if mailbox is None else _given_mailbox(name, mailbox)
        fitting = self._fitting(name, given)
        self._put(name, fitting)
        return fitting

    def remove_mailbox(self, name: str) -> None:
        """Remove a mailbox and its subscription.

        A `SimpleMailbox` is deleted (`SimpleMailbox.retire`), so that sessions that have it open are told.  A
        mailbox of your own class must do so itself, and then raise `NoSuchMailbox` from every method.

        :raises NoSuchMailbox:
        :raises InvalidMailboxName: for INBOX, which every account has.
        """
        name = _other_than_inbox(name)
        mailbox = self._take(name)
        if isinstance(mailbox, SimpleMailbox):
            mailbox.retire()
        self._changed()

    def rename_mailbox(self, old: str, new: str) -> None:
        """Rename a mailbox and all below it, with their subscriptions.

        Sessions that have one of them open go on with it.

        :raises NoSuchMailbox, MailboxExists:
        :raises InvalidMailboxName: also for INBOX, which every account has.
        :raises ValueError: as `add_mailbox`.
        """
        old, new = _other_than_inbox(old), given_name(new)
        moving = [name for name in self._mailboxes if name == old or is_inferior(name, old)]
        if not moving:
            raise NoSuchMailbox
        if any(name == new or is_inferior(name, new) for name in self._mailboxes):
            raise MailboxExists
        moves = check_rename(old, new, moving).items()
        # Nothing may fail once the first one has moved.
        renamed = [
            (source, target, self._fitting(target, self._mailboxes[source])) for source, target in moves
        ]
        for source, target, mailbox in renamed:
            was_subscribed = source in self._subscribed
            self._take(source)
            self._put(target, mailbox, subscribe=was_subscribed)

    def retire(self) -> None:
        """Delete the account: from now on every method raises `NoSuchAccount`; its mailboxes stay."""
        self._deleted = True
        self._changed()

    # IAccount

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`."""
        self._there()
        work = Working(entry_steps(dict.fromkeys(self._mailboxes), self._subscribed))
        for _ in work:
            await turn()
        return work.result

    async def open(self, name: str) -> IMailbox:
        """See `IAccount.open`."""
        self._there()
        try:
            return self._mailboxes[canonical_mailbox_name(name)]
        except KeyError:
            raise NoSuchMailbox from None

    async def create(self, name: str, special_use: str | None = None) -> None:
        """Not possible: :raises InvalidMailboxName:"""
        self._refuse("created")

    async def delete(self, name: str) -> None:
        """Not possible: :raises InvalidMailboxName:"""
        self._refuse("deleted")

    async def rename(self, old: str, new: str) -> None:
        """Not possible: :raises InvalidMailboxName:"""
        self._refuse("renamed")

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        self._there()
        name = canonical_mailbox_name(name)
        if name not in self._mailboxes and not any(is_inferior(each, name) for each in self._mailboxes):
            raise NoSuchMailbox
        if name not in self._subscribed:
            self._subscribed.add(name)
            self._changed()

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        self._there()
        if (name := canonical_mailbox_name(name)) in self._subscribed:
            self._subscribed.discard(name)
            self._changed()

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`."""
        self._there()
        here = {name: self._mailboxes.get(canonical_mailbox_name(name)) for name in names}
        found = {}
        for name, mailbox in here.items():
            if mailbox is not None:
                with suppress(NoSuchMailbox):  # the application has deleted it (`retire`)
                    found[name] = await settle(mailbox.status())
        return found

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        self._there()
        end_of_this = self._watchers.add(None, listener)
        for name in self._mailboxes:
            self._watch_mailbox(name)

        def end() -> None:
            end_of_this()
            if not self._watchers:
                for name in [*self._ends]:
                    self._ends.pop(name)()

        return end

    # Inside

    def _there(self) -> None:
        if self._deleted:
            raise NoSuchAccount

    def _refuse(self, what: str) -> NoReturn:
        self._there()
        raise InvalidMailboxName(f"Mailboxes cannot be {what} here")

    def _fitting(self, name: str, mailbox: IMailbox) -> IMailbox:
        """The object for a mailbox that gets a name.

        :raises ValueError: the name had another mailbox before, whose UIDVALIDITY is not smaller.
        """
        least = self._left.get(name, 0) + 1
        if isinstance(mailbox, SimpleMailbox):
            if mailbox.name != name or mailbox.uid_validity < least:
                mailbox = mailbox.renamed(name, max(mailbox.uid_validity, least))
        elif mailbox.uid_validity < least:
            raise ValueError(
                f"mailbox: {name!r} was another mailbox's name before: the UIDVALIDITY of this one must be at"
                f" least {least}, not {mailbox.uid_validity}"
            )
        return mailbox

    def _put(self, name: str, mailbox: IMailbox, *, subscribe: bool = True) -> None:
        """Put a mailbox under a free name."""
        self._mailboxes[name] = mailbox
        if subscribe:
            self._subscribed.add(name)
        if self._watchers:
            self._watch_mailbox(name)
        self._changed()

    def _take(self, name: str) -> IMailbox:
        """Take a mailbox away from its name.  :raises NoSuchMailbox:"""
        mailbox = self._mailboxes.pop(name, None)
        if mailbox is None:
            raise NoSuchMailbox
        self._left[name] = max(self._left.get(name, 0), mailbox.uid_validity)
        self._subscribed.discard(name)
        if (end := self._ends.pop(name, None)) is not None:
            end()
        return mailbox

    def _watch_mailbox(self, name: str) -> None:
        if name not in self._ends:
            with suppress(NoSuchMailbox):  # the application has deleted it (`retire`)
                self._ends[name] = self._mailboxes[name].watch(self._heard)

    def _heard(self, modseq: int) -> None:
        self._watchers.notify(None, modseq)

    def _changed(self) -> None:
        self._watchers.notify(None, MODSEQS.next())


def _other_than_inbox(name: str) -> str:
    name = given_name(name)
    if name == INBOX:
        raise InvalidMailboxName("Every account has INBOX: it can be neither removed nor renamed")
    return name


def _given_mailbox(name: str, mailbox: IMailbox) -> IMailbox:
    """:raises TypeError: it is no mailbox, or was deleted."""
    check_contract(f"mailbox {name!r}", mailbox, IMailbox)
    if isinstance(mailbox, SimpleMailbox) and mailbox.is_retired:
        raise wrong_value(f"mailbox {name!r}", mailbox, "one that was not deleted (SimpleMailbox.retire)")
    return mailbox


class SingleStore(MemoryStore):
    """A store with one account, one password and one mailbox.

    :param password_hash: the password's record (`mailproto.auth.hash_password`).
    :raises TypeError: ``inbox`` is no `IMailbox`.
    """

    def __init__(self, name: str, password_hash: str, inbox: IMailbox) -> None:
        super().__init__()
        check_type("name", name, str, "a str")
        check_type("password_hash", password_hash, str, "a record of mailproto.auth.hash_password")
        self._inbox = _given_mailbox(INBOX, inbox)
        self.directory.insert(name, password_hash)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: those that the mailbox provides."""
        return frozenset(
            add_on for add_on in (IRecent, IObjectIds, ISaveDates) if add_on.providedBy(self._inbox)
        )

    def make_account(self, name: str) -> IAccount:
        """Every account has the same INBOX."""
        return SimpleAccount(name, {INBOX: self._inbox})
