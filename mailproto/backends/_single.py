"""A store for one account whose INBOX the application made."""

from __future__ import annotations

from mailproto.backends._memory import MemoryStore
from mailproto.backends._simple import SimpleAccount
from mailproto.interfaces import IAccount, IMailbox
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

    def make_account(self, name: str) -> IAccount:
        """Every account that is added signs in to the same INBOX."""
        return SimpleAccount(name, {INBOX: self._inbox})
