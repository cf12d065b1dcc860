"""The interfaces that backend authors implement, and nothing else.

Four rules apply to every method here.

*Result.*  A method is called in the reactor's thread.  It may be a plain function, a coroutine function, or
return a ``Deferred`` or (if the reactor runs on asyncio's loop) an asyncio future; its result is awaited
(`mailproto.awaiting`).  A method that blocks must move its work to another thread; one that works for more
than some milliseconds awaits `mailproto.awaiting.turn` in between.

*Errors.*  Raise `mailproto.errors`; the protocol tells the client what the error
means in its own terms.  Any other exception is logged in full and the client is
told of a temporary failure.

*Durability.*  When the result of a method that changes something arrives, the
change is on disk (for backends that keep mail on disk) and visible to every other reader.

*Content.*  The octets of a message are a `mailproto.content.Content`, whatever their size.

Optional contracts (`IRecent`, `IObjectIds`, `IOwnership`, `IServiceExtensions`, `IVerifier`,
`IExpander`, `IQueueRunner`, `IFixedMailboxes`, `IAccountChanges`, `ICheckable`) extend a required one;
servers find them with ``providedBy``.  A store also lists the optional contracts of its mailboxes and
accounts before any client signs in (`IAddOns.add_ons`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence

from zope.interface.interface import InterfaceClass

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.content import Content, Octets
from mailproto.errors import MailError
from mailproto.model import (
    Address,
    AppendedMessage,
    Changes,
    CheckResult,
    Envelope,
    FlagChange,
    MailboxEntry,
    MailboxStatus,
    MessageInfo,
    Metadata,
    NewMessage,
    Outcome,
    Parameters,
    Part,
    Placement,
    ServiceExtensions,
    Session,
    StoreResult,
    VerifiedName,
)

__all__ = [
    "IAccount",
    "IAccountChanges",
    "IAddOns",
    "IBoundedReading",
    "ICheckable",
    "IDelivery",
    "IDeliverySession",
    "IDeliverySessions",
    "IDirectory",
    "IExpander",
    "IFixedMailboxes",
    "IIdentity",
    "IMailbox",
    "IMetadata",
    "IObjectIds",
    "IOwnership",
    "IQueueRunner",
    "IRecent",
    "IRevocable",
    "IServiceExtensions",
    "IStore",
    "IVerifier",
]


@contract
class IDelivery(Contract, metaclass=ContractClass):
    """Decides what happens to mail that arrives by SMTP or LMTP.

    One object serves all connections; `IDeliverySessions` gives each its own.  In one transaction `sender` is
    called once, `recipient` once for each RCPT (until too many are refused or the transaction is reset), and
    `deliver` at most once.  `mailproto.delivery.Delivery` implements the first two steps.

    Each call may take ``SMTPLimits.delivery`` seconds; then it is cancelled, and the client gets 451.  A
    result of the wrong type is a `TypeError` in the log, and 451 for the client.
    """

    def sender(self, session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse the reverse-path of MAIL FROM.

        :param session: what is known about the client: its address, its greeting, its account, TLS.
        :param path: the sender's address; `mailproto.model.NULL_PATH` for ``<>``, as notifications have it.
        :param parameters: the command's ESMTP parameters, keywords in upper case, values as on the wire or
            None; `mailproto.smtp.wire.mail_options` reads them.
        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction does not begin.
        """

    def recipient(self, session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse one forward-path of RCPT TO.

        :param session: as for `sender`.
        :param path: the recipient's address.  ``<Postmaster>`` comes as ``Address("Postmaster", "")`` (RFC
            5321 4.5.1); a source route has been dropped.
        :param parameters: as for `sender`; `mailproto.smtp.wire.rcpt_options` reads them.
        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction goes on without it.
        """

    def deliver(self, envelope: Envelope, content: Content) -> Result[Sequence[Outcome] | None]:
        """Store or pass on the message durably, or say why that failed.

        :param envelope: the sender, and the recipients that were accepted, with all parameters.
        :param content: begins with this server's Received field.  The server closes it when the result has
            arrived: keep ``bytes(content)``, not the object.
        :returns: None, if the message was accepted for all recipients; or one outcome for each of
            ``envelope.recipients``, in that order.  LMTP passes them on.  SMTP answers with an error only if
            no recipient was accepted, and then prefers a temporary error.
        :raises MailError: to give this answer for every recipient.
        """


@contract
class IDeliverySession(IDelivery, Contract, metaclass=ContractClass):
    """The IDelivery of one connection: a place for what belongs to one client or to one transaction.

    The calls for one connection never overlap.  `mailproto.delivery.DeliverySession` is a base class.
    """

    @abstractmethod
    def reset(self) -> Result[None]:
        """The transaction has ended without `deliver`: RSET, a new greeting, STARTTLS, a lost connection, or
        content that the server itself refused.

        The reply to the client does not wait for it, but the next call does.  An error is logged.
        """

    @abstractmethod
    def end(self) -> Result[None]:
        """The connection has ended; this is the last call.  An error is logged."""


@contract
class IDeliverySessions(Contract, metaclass=ContractClass):
    """Gives each connection an IDelivery of its own.

    A server takes it instead of an `IDelivery`.  It is the object that may provide the optional contracts of
    deliveries, such as `IServiceExtensions`.  `mailproto.delivery.PerSession` makes one from a class.
    """

    def begin(self, session: Session) -> Result[IDeliverySession]:
        """Called for each connection, before the greeting.

        :param session: what is known then: the client's address and TLS.  Later calls get more.
        :raises MailError: the client is turned away, with 554 for a permanent error and 421 for a temporary
            one.
        """


@contract
class IOwnership(Contract, metaclass=ContractClass):
    """An IDelivery that knows which account owns an address (RFC 6409 6.1).

    Without it, an account of a submission server owns one address: its own name.
    """

    def owns(self, account: str, path: Address) -> Result[bool]:
        """Whether ``account`` may send as ``path``; never called with the null path."""


@contract
class IServiceExtensions(Contract, metaclass=ContractClass):
    """An IDelivery that honours extensions of ESMTP.

    The server offers these extensions to clients; clients may use no others.  The server has checked the
    parameters of `IDelivery.sender`, `IDelivery.recipient` and of the envelope;
    `mailproto.smtp.wire.mail_options` and ``rcpt_options`` read them.
    """

    @property
    def service_extensions(self) -> ServiceExtensions:
        """The extensions that it honours; the value must not change while it is served."""


@contract
class IVerifier(Contract, metaclass=ContractClass):
    """An IDelivery that tells whether an address exists (VRFY, RFC 5321 3.5).

    Without it the server gives every VRFY the same answer, which reveals nothing to address collectors.
    """

    def verify(self, session: Session, name: str) -> Result[VerifiedName | None]:
        """The mailbox that ``name``, an address or part of one, refers to; None for "cannot say" (252).

        :raises MailError: there is no such mailbox (550), it has moved (551), or the name is ambiguous
            (553).
        """


@contract
class IExpander(Contract, metaclass=ContractClass):
    """An IDelivery that lists the members of a mailing list (EXPN, RFC 5321 3.5)."""

    def expand(self, session: Session, name: str) -> Result[Sequence[VerifiedName]]:
        """The members of a mailing list, at least one.

        :raises MailError: there is no such list (550), or this client may not see it (550 5.7.2).
        """


@contract
class IQueueRunner(Contract, metaclass=ContractClass):
    """An IDelivery with a queue that a client can start (ETRN, RFC 1985)."""

    def run_queue(self, session: Session, node: str) -> Result[int | None]:
        """Begin to send the messages queued for ``node``.

        ``node`` is a domain, ``@`` and a domain for all its subdomains, or ``#`` and a queue's name.

        :returns: the number of messages in that queue; None if it is not known.
        :raises MailError: the queue cannot be run (458 4.3.0), or this client may not run it (459 4.7.1).
        """


@contract
class IMailbox(Contract, metaclass=ContractClass):
    """One mailbox: its messages with ascending UIDs, their flags, and a modseq.

    An IMailbox knows UIDs only; the IMAP session keeps sequence numbers.  Many sessions may share one
    object or have one each.  Sequences of UIDs are ascending and without duplicates, in arguments and in
    results.  UIDs that do not exist are left out of the result; they are no error.

    A modseq is at least 1 and orders all changes in an account: each change in a mailbox, or of the list of
    mailboxes, has a greater modseq than every earlier one.  The modseq of a message or of a mailbox is that
    of its last change (RFC 7162 3.1); a new mailbox has that of its creation.

    A flag is stored as `mailproto.backends.kept_flags` returns it, and a message has no more keywords than
    `mailproto.backends.check_keywords` allows.

    After the mailbox is deleted every method raises `NoSuchMailbox`.
    """

    @property
    def name(self) -> str:
        """Full name at the time it was opened."""

    @property
    def uid_validity(self) -> int:
        """1 to 2**32 - 1; a later mailbox of the same name has a larger one."""

    @property
    def writable(self) -> bool:
        """False: every change raises ReadOnly, and IMAP selects the mailbox READ-ONLY."""

    @property
    def permanent_flags(self) -> frozenset[str]:
        """The system flags that can be stored, and '\\*' if any keyword can (RFC 9051 7.1)."""

    def status(self) -> Result[MailboxStatus]:
        """The mailbox's current status."""

    def changes_since(self, modseq: int) -> Result[Changes]:
        """Everything that changed after ``modseq``; 0 means all messages that exist.

        A message that was added and removed in between is in ``vanished`` alone, or nowhere. With 0,
        ``vanished`` is empty.
        """

    def read(self, uids: Sequence[int], parts: Part) -> Result[Sequence[MessageInfo]]:
        """The ``parts`` of each of the messages that exist, by ascending UID.

        Ask in batches: the answer is held in memory.  Only a content in a file is not: reading it may raise
        `OSError` once the message is expunged.
        """

    def append(self, messages: Sequence[NewMessage]) -> Result[Sequence[AppendedMessage]]:
        """Store all of ``messages`` or none, with new UIDs in ascending order.

        :raises OverQuota: there is no room, or a message has too many or too long keywords.
        :raises ValueError: a flag is neither a system flag nor a keyword.
        """

    def store(
        self, uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> Result[StoreResult]:
        """Change the flags of messages.

        The change of each message is atomic.  With many messages, other sessions may see some of them
        changed before the rest.  A message keeps its modseq if its flags stay the same.

        :param unchanged_since: each message with a greater modseq is refused; the others are changed (RFC
            7162 3.1.3).
        :raises OverQuota, ValueError: for the same flags as `append`.
        """

    def copy(self, uids: Sequence[int], target: IMailbox) -> Result[Sequence[tuple[int, int]]]:
        """Copy messages with their flags and internal dates: all of them or none.

        :param target: a mailbox of the same account.
        :returns: pairs of (UID here, UID in ``target``), ascending in both.
        """

    def move(self, uids: Sequence[int], target: IMailbox) -> Result[Sequence[tuple[int, int]]]:
        """`copy` messages and remove them from here, each in one transaction (RFC 6851 3.3)."""

    def expunge(self, uids: Sequence[int] | None = None) -> Result[Sequence[int]]:
        """Remove the messages that have ``\\Deleted``: among ``uids``, or (None) in the whole mailbox.

        :returns: the UIDs that this call removed.
        """

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change, whichever session made it.

        The call is only a hint: it may come late, twice, or once for many changes, but it always comes
        after the last change.  Its result is not awaited, and an exception from it is only logged.

        :returns: a function that ends the watch; it may be called more than once.
        """


@contract
class IMetadata(Contract, metaclass=ContractClass):
    """An IMailbox that can return the sizes and internal dates of many messages without an object for each.

    POP3 needs all sizes at each login, and SEARCH may need all dates.  Without this interface, servers call
    `IMailbox.read` for them.
    """

    def metadata(self, uids: Sequence[int]) -> Result[Metadata]:
        """The metadata of those of ``uids`` that exist."""


@contract
class IBoundedReading(Contract, metaclass=ContractClass):
    """An IMailbox that can stop reading when it has read enough.

    A stranger's message may have a BODYSTRUCTURE of a megabyte, and nobody knows that before it is read.
    Without this interface, servers read some hundred messages at a time, whatever their octets are.
    """

    def read_some(self, uids: Sequence[int], parts: Part, octets: int) -> Result[Sequence[MessageInfo]]:
        """As `IMailbox.read`, but the last message is the one with which there are ``octets`` in all.

        Octets in files do not count.  There is one message at least, if any of them exists; the caller asks
        again for the UIDs after the last one.

        :param uids: in ascending order.
        """


@contract
class IRecent(Contract, metaclass=ContractClass):
    """An IMailbox that keeps track of ``\\Recent`` (RFC 3501 2.3.2)."""

    def claim_recent(self) -> Result[int]:
        """Make the caller the only session that sees the unclaimed messages as recent.

        :returns: the lowest UID that was unclaimed: that message and all later ones that exist now are
            recent for the caller.  ``uid_next`` if there was none.
        """


@contract
class IObjectIds(Contract, metaclass=ContractClass):
    """An IMailbox that has a permanent id, and whose messages and threads have ids (RFC 8474).

    An id is a letter and up to 254 of ``A-Za-z0-9_-``.  No two objects in the store have, or ever had, the
    same id.  `IMailbox.read` answers `Part.IDS`:

    - `MessageInfo.email_id` names the content.  A copy or a moved message has the same id.  Each delivery
      and each append gives a new id, even to equal content.  One `IStore.deliver` gives all its placements
      the same id.
    - `MessageInfo.thread_id` names the conversation, within the account (5.2).  The store takes it from
      Message-ID, In-Reply-To, References and Subject when the message arrives, and never changes it.
    """

    @property
    def mailbox_id(self) -> str:
        """The same after a rename; also in `MailboxStatus`.  Renaming INBOX moves its messages to a new
        mailbox with a new id, and INBOX keeps its own.
        """


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
        """All names, sorted: mailboxes, names that only hold inferiors, and subscriptions."""

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
        :raises InvalidMailboxName: for a name outside the rules above, or too long or deep; or for a special
            use that the store does not support (`mailproto.backends.check_special_use`).
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
        :raises InvalidMailboxName: for ``new``, as in `create`.
        """

    @abstractmethod
    def subscribe(self, name: str) -> Result[None]:
        """Add a name to the subscriptions; adding it again is no error.

        :raises NoSuchMailbox: there is no such mailbox.
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
class IAddOns(Contract, metaclass=ContractClass):
    """Tells servers which optional contracts exist before any client signs in, so that greetings are true.

    Servers ask the realm of their portal (``portal.realm``).  A realm that does not provide this has no
    add-ons.  `IMetadata` and `IBoundedReading` need not be listed: they change nothing that a
    client sees.
    """

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """The optional contracts, such as `IObjectIds`, that every mailbox and every account of this
        store provides.
        """


@contract
class IStore(IAddOns, Contract, metaclass=ContractClass):
    """Keeps the mail of all accounts: what ``--store URL`` opens.

    `IAddOns.add_ons` lists the optional contracts of its accounts and mailboxes.
    """

    @property
    def directory(self) -> IDirectory:
        """The accounts."""

    @abstractmethod
    def start(self) -> Result[None]:
        """Open files and start threads.  Called once, before anything else.

        :raises mailproto.errors.StoreUnusable: the store cannot be opened; the text says what is wrong.
        """

    @abstractmethod
    def stop(self) -> Result[None]:
        """Finish running work and close.  Called once, after everything else."""

    @abstractmethod
    def account(self, name: str) -> Result[IAccount]:
        """The account of that name, in any spelling.

        :raises NoSuchAccount: there is none.
        """

    @abstractmethod
    @abstractmethod
    def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Result[Sequence[AppendedMessage | MailError]]:
        """Put one message into some mailboxes, in one transaction; its content is stored once.

        The same placement twice makes two messages.

        :param content: octets with CRLF line ends.
        :param internal_date: seconds since the epoch; None for now.
        :returns: for each of ``placements``, in that order: where the message is, or the error that
            prevented it, such as `NoSuchAccount`, `NoSuchMailbox` or `OverQuota`.  One failure does not
            affect the others.
        :raises ValueError: a flag is neither a system flag nor a keyword; the message is put nowhere.
        """


@contract
class ICheckable(Contract, metaclass=ContractClass):
    """An IStore that can look for faults in its data: ``mailproto store check``."""

    def check(self, report: Callable[[str], None], *, repair: bool = False) -> Result[CheckResult]:
        """Check all data; the store may be in use.

        :param report: called in the reactor's thread with a line of text for each fault, as soon as it is
            found.
        :param repair: also repair the faults that can be repaired.
        """
