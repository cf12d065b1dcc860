"""A store for one account whose INBOX the application made."""

from __future__ import annotations

from zope.interface.interface import InterfaceClass

from mailproto.backends._memory import MemoryStore
from mailproto.backends._simple_account import SimpleAccount
from mailproto.interfaces import IAccount, IMailbox, IObjectIds, IRecent
from mailproto.model import INBOX

__all__ = ["SingleStore"]


class SingleStore(MemoryStore):
    """One account, to sign in to with one password, with one mailbox.

    :param password_hash: a record, as `mailproto.auth.hash_password` makes it.
    """

    def __init__(self, name: str, password_hash: str, inbox: IMailbox) -> None:
        super().__init__()
        self._inbox = inbox
        self.directory.insert(name, password_hash)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: what the mailbox provides."""
        return frozenset(add_on for add_on in (IRecent, IObjectIds) if add_on.providedBy(self._inbox))

    def make_account(self, name: str) -> IAccount:
        """Every account that is added signs in to the same INBOX."""
        return SimpleAccount(name, {INBOX: self._inbox})
