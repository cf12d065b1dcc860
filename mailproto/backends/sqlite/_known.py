"""What is known of accounts and mailboxes as long as nothing has changed: many sessions may ask the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from mailproto.accounts import account_key
from mailproto.backends.sqlite._reading import Read, check_account, statuses
from mailproto.errors import NoSuchAccount, NoSuchMailbox
from mailproto.model import MailboxStatus

__all__ = ["Known"]

_K = TypeVar("_K")
_T = TypeVar("_T")

_MOST = 1000
"""Accounts or mailboxes of which something is known; then all is forgotten."""


class AccountRow(NamedTuple):
    """An account; its revision changes when its password does."""

    id: int
    name: str
    password_hash: str
    revision: int


class Known:
    """The rows of accounts, and the id, the modseq and the status of mailboxes, as the database has them now.

    Only this process changes the database while no other has it open, and each commit makes all forgotten
    before somebody has its result.  So nothing has to be read to know that nothing has changed.

    :param read: `Database.read`.
    :param alone_since: `Peers.alone_since`.
    """

    def __init__(self, read: Read, alone_since: Callable[[], int]) -> None:
        self._read = read
        self._alone_since = alone_since
        self._since = 0
        self._modseqs: dict[int, int] = {}
        self._statuses: dict[int, MailboxStatus] = {}
        self._accounts: dict[str, AccountRow] = {}
        self._mailboxes: dict[tuple[int, str], tuple[int, int]] = {}

    def forget(self) -> None:
        """Something may have changed."""
        self._accounts.clear()
        self._mailboxes.clear()
        self._modseqs.clear()
        self._statuses.clear()

    def account(self, name: str) -> AccountRow:
        """The account of that name, in any spelling.  :raises NoSuchAccount:"""
        is_certain = self._is_certain()
        if is_certain and (known := self._accounts.get(name)) is not None:
            return known
        row: AccountRow = self._read(_account, name)
        if is_certain:
            self._keep(self._accounts, name, row)
        return row

    def mailbox(self, account: int, name: str) -> tuple[int, int]:
        """The id and the UIDVALIDITY of a mailbox, by its canonical name.

        :raises NoSuchAccount, NoSuchMailbox:
        """
        is_certain = self._is_certain()
        if is_certain and (known := self._mailboxes.get((account, name))) is not None:
            return known
        found: tuple[int, int] = self._read(_mailbox, account, name)
        if is_certain:
            self._keep(self._mailboxes, (account, name), found)
        return found

    def saw(self, mailbox: int, modseq: int) -> None:
        """Something was read of a mailbox when it had this modseq: no answer goes back behind it.

        A commit can be read before all is forgotten, because it is made in another thread.
        """
        if self._modseqs.get(mailbox, modseq) < modseq:
            self._modseqs[mailbox] = modseq
        status = self._statuses.get(mailbox)
        if status is not None and status.modseq < modseq:
            del self._statuses[mailbox]

    def modseq(self, mailbox: int) -> int:
        """The mailbox's modseq, or 0 if it does not exist."""
        is_certain = self._is_certain()
        if is_certain and (known := self._modseqs.get(mailbox)) is not None:
            return known
        modseq: int = self._read(_modseq, mailbox)
        self.saw(mailbox, modseq)
        if is_certain:
            self._keep(self._modseqs, mailbox, modseq)
        return modseq

    def status(self, mailbox: int) -> MailboxStatus:
        """See `IMailbox.status`."""
        is_certain = self._is_certain()
        if is_certain and (known := self._statuses.get(mailbox)) is not None:
            return known
        found = self._read(statuses, " WHERE id = ?", (mailbox,))
        if not found:
            raise NoSuchMailbox
        status: MailboxStatus
        [status] = found.values()
        self.saw(mailbox, status.modseq)
        if is_certain and not status.recent:  # recent messages are claimed without a commit
            self._keep(self._statuses, mailbox, status)
        return status

    def _is_certain(self) -> bool:
        """Whether nobody else can have changed what is known, or can change what is read now."""
        since = self._alone_since()
        if since != self._since:  # another process was here, perhaps for some milliseconds
            self._since = since
            self.forget()
        return since != 0

    def _keep(self, known: dict[_K, _T], key: _K, value: _T) -> None:
        if len(known) >= _MOST:
            known.clear()
        known[key] = value


def _account(connection: sqlite3.Connection, name: str) -> AccountRow:
    row = connection.execute(
        "SELECT id, name, password_hash, revision FROM accounts WHERE folded = ?", (account_key(name),)
    ).fetchone()
    if row is None:
        raise NoSuchAccount
    return AccountRow(*row)


def _mailbox(connection: sqlite3.Connection, account: int, name: str) -> tuple[int, int]:
    row = connection.execute(
        "SELECT id, uid_validity FROM mailboxes WHERE account = ? AND name = ?", (account, name)
    ).fetchone()
    if row is None:
        check_account(connection, account)
        raise NoSuchMailbox
    return row[0], row[1]


def _modseq(connection: sqlite3.Connection, mailbox: int) -> int:
    row = connection.execute("SELECT modseq FROM mailboxes WHERE id = ?", (mailbox,)).fetchone()
    return 0 if row is None else int(row[0])
