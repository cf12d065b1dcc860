"""Accounts: who signs in, and the mailboxes that each has."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.interfaces._mailboxes import IMailbox
from mailproto.model import MailboxEntry, MailboxStatus, POP3Policy

__all__ = [
    "IAccount",
    "IAccountChanges",
    "IDirectory",
    "IFixedMailboxes",
    "IIdentity",
    "IPOP3Policy",
    "IRevocable",
]


@contract
class IIdentity(Contract, metaclass=ContractClass):
    """Who has signed in: the avatar that a ``twisted.cred`` portal gives to an SMTP server.

    SMTP servers ask the realm for `IAccount` or `IIdentity`, and use the name only.
    """

    @property
    def name(self) -> str:
        """The account's name, such as alice@example.org."""


@contract
class IAccount(IIdentity, Contract, metaclass=ContractClass):
    """The mailboxes of one account: the avatar that ``twisted.cred`` portals give to POP3 and IMAP servers.

    INBOX always exists and is spelled ``INBOX``; other names keep their case.  Names are Unicode (NFC)
    without control characters, ``%`` and ``*``, levels separated by ``mailproto.model.DELIMITER``, no empty
    level.  `mailproto.model.canonical_mailbox_name` makes a client's spelling one of them, and
    `mailproto.backends.check_name` checks it.

    After the account is deleted every method raises `NoSuchAccount`.
    """

    @abstractmethod
    def list(self) -> Result[Sequence[MailboxEntry]]:
        """All names, sorted: mailboxes, names that only hold inferiors, and subscriptions.

        They may be thousands: a sequence that makes each entry when somebody looks at it is fastest.
        """

    @abstractmethod
    def open(self, name: str) -> Result[IMailbox]:
        """The mailbox of that name.

        :raises NoSuchMailbox: also for a name that is not selectable.
        """

    @abstractmethod
    def create(self, name: str, special_use: str | None = None) -> Result[None]:
        """Create a mailbox and its missing superiors.

        :param special_use: an attribute of RFC 6154, such as ``\\Sent``.

        :raises MailboxExists: for INBOX too.
        :raises InvalidMailboxName: for a name outside the rules above, or too long or deep.
        :raises UnsupportedSpecialUse: the store does not support the special use
            (`mailproto.backends.check_special_use`).
        :raises LimitReached: the account has as many mailboxes as the store allows; ours allow what
            `mailproto.backends.check_names` does.
        """

    @abstractmethod
    def delete(self, name: str) -> Result[None]:
        """Remove the mailbox and its messages; if it has inferiors, its name stays and only holds them.

        :raises NoSuchMailbox: also for a name that already only holds inferiors.
        :raises InvalidMailboxName: for INBOX.
        """

    @abstractmethod
    def rename(self, old: str, new: str) -> Result[None]:
        """Rename the mailbox and its inferiors (RFC 9051 6.3.6).

        Renaming INBOX moves its messages to the new mailbox; INBOX and its inferiors stay. Subscriptions
        stay as they are.

        :raises NoSuchMailbox: there is no mailbox ``old``.
        :raises MailboxExists: there is a mailbox ``new``.
        :raises InvalidMailboxName, LimitReached: for ``new``, as in `create`.
        """

    @abstractmethod
    def subscribe(self, name: str) -> Result[None]:
        """Add a name to the subscriptions; adding it again is no error.

        :raises NoSuchMailbox: there is no such mailbox.
        :raises LimitReached: the account has as many subscriptions as the store allows.
        """

    @abstractmethod
    def unsubscribe(self, name: str) -> Result[None]:
        """Remove a name from the subscriptions; the mailbox need not exist."""

    @abstractmethod
    def status(self, names: Sequence[str]) -> Result[Mapping[str, MailboxStatus]]:
        """The status of those of ``names`` that are selectable mailboxes."""

    @abstractmethod
    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change in the account.

        Changes in any mailbox, in the list of mailboxes and in the subscriptions count, and so does the
        deletion of the account.  The call is a hint like that of `IMailbox.watch`; ``modseq`` is the
        account's.

        :returns: a function that ends the watch; it may be called more than once.
        :raises NoSuchAccount: the account has been deleted.
        """


@contract
class IFixedMailboxes(Contract, metaclass=ContractClass):
    """An IAccount whose mailboxes only the application can add, rename and remove.

    `IAccount.create`, `IAccount.delete` and `IAccount.rename` raise `InvalidMailboxName` (in IMAP:
    CANNOT).  Its mailboxes may belong to several accounts, and may outlive them.
    """


@contract
class IDirectory(Contract, metaclass=ContractClass):
    """The accounts of a store, each with a record of its password.

    A record is a string of printable ASCII, shorter than 400 octets.  `mailproto.auth.hash_password` makes
    it; a directory stores it and does not look into it.  `mailproto.auth.passwords.disabled_record` turns it
    into the record of a disabled account.

    All spellings of a name have the same `mailproto.accounts.account_key`; a directory stores that key and
    finds accounts by it.  It stores the name as first given, but composed (NFC), as
    `mailproto.accounts.check_account_name` returns it.
    """

    def names(self) -> Result[Sequence[str]]:
        """The names of all accounts, sorted."""

    def find(self, name: str) -> Result[str]:
        """The account's name as it is stored.

        :raises NoSuchAccount: there is none of that name, in any spelling.
        """

    def password_hash(self, name: str) -> Result[str]:
        """The record of the account's password; "" for an account that no client can sign in to.

        :raises NoSuchAccount: there is no such account.
        """

    def add(self, name: str, password_hash: str) -> Result[None]:
        """Create an account with the mailboxes that every account has.

        :param password_hash: the record of its password, as `mailproto.auth.hash_password` makes it; "" if no
            client may sign in.
        :raises AccountExists: the account exists, perhaps in another spelling.
        :raises InvalidAccountName: as `mailproto.accounts.check_account_name` does.
        """

    def set_password_hash(
        self, name: str, password_hash: str, *, replacing: str | None = None
    ) -> Result[None]:
        """Set the account's record.

        :param replacing: change nothing unless this is the current record, so that an update computed from
            an old record cannot undo a change of password.
        :raises NoSuchAccount: there is no such account.
        """

    def delete(self, name: str) -> Result[None]:
        """Remove the account with all its mailboxes.

        :raises NoSuchAccount: there is no such account.
        """


@contract
class IAccountChanges(Contract, metaclass=ContractClass):
    """An IDirectory that reports when the sessions of an account must end.

    Without it, sessions go on after their account was deleted, disabled or given a new password.
    """

    def revisions(self, names: Sequence[str]) -> Result[Mapping[str, Hashable]]:
        """A value for each account that changes whenever its sessions must end.

        The value changes to one that the name never had before when the account is created, and at each
        `IDirectory.set_password_hash` without ``replacing``.  With ``replacing`` it stays, because the
        password is the same.

        :returns: the values of those of ``names`` that exist.
        """

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener()`` in the reactor's thread after a revision changed or an account was deleted.

        The call comes within half a second of a change by another process.  Like that of `IMailbox.watch`
        it is a hint, which may come too often.

        :returns: a function that ends the watch; it may be called more than once.
        """


@contract
class IRevocable(Contract, metaclass=ContractClass):
    """A session: the ``mind`` that the protocols give to ``Portal.login``."""

    def revoke(self) -> None:
        """End the session: its account was deleted, disabled or given a new password.

        A realm calls it between login and logout, in the reactor's thread.
        """


@contract
class IPOP3Policy(Contract, metaclass=ContractClass):
    """An IAccount with a `POP3Policy` of its own, in the place of the server's."""

    def pop3_policy(self) -> Result[POP3Policy]:
        """The policy; it is asked for at each login, and holds until the session ends."""
