"""A store with one account, for an INBOX that the application makes."""

from __future__ import annotations

from zope.interface.interface import InterfaceClass

from mailproto.backends._memory import MemoryStore
from mailproto.backends._simple_account import SimpleAccount
from mailproto.interfaces import IAccount, IMailbox, IObjectIds, IRecent
from mailproto.model import INBOX

__all__ = ["SingleStore"]


class SingleStore(MemoryStore):
    """A store with one account, one password and one mailbox.

    :param password_hash: the password's record (`mailproto.auth.hash_password`).
    """

    def __init__(self, name: str, password_hash: str, inbox: IMailbox) -> None:
        super().__init__()
        self._inbox = inbox
        self.directory.insert(name, password_hash)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """See `IAddOns.add_ons`: those that the mailbox provides."""
        return frozenset(add_on for add_on in (IRecent, IObjectIds) if add_on.providedBy(self._inbox))

    def make_account(self, name: str) -> IAccount:
        """Every account has the same INBOX."""
        return SimpleAccount(name, {INBOX: self._inbox})
