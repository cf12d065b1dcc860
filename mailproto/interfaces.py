"""The interfaces that backend authors implement, and nothing else.

Three rules apply to every method here.

*Result.*  A method is called in the reactor's thread.  It may be a plain function, a coroutine function, or
return a ``Deferred`` or (if the reactor runs on asyncio's loop) an asyncio future; its result is awaited
(`mailproto.awaiting`).  A method that blocks must move its work to another thread.

*Errors.*  Raise `mailproto.errors`; the protocol tells the client what the error
means in its own terms.  Any other exception is logged in full and the client is
told of a temporary failure.

*Durability.*  When the result of a method that changes something arrives, the
change is on disk (for backends that keep mail on disk) and visible to every other reader.

*Content.*  The octets of a message are a `mailproto.content.Content`, whatever their size.

Optional contracts (`IRecent`, `IObjectIds`, `IOwnership`, `IServiceExtensions`, `IVerifier`,
`IExpander`, `IQueueRunner`, `IAccountChanges`, `ICheckable`) extend a required one; servers find them with
``providedBy``.  A store also lists the optional contracts of its mailboxes and accounts before any client
signs in (`IAddOns.add_ons`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass

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
    "ICheckable",
    "IDelivery",
    "IDeliverySession",
    "IDeliverySessions",
    "IDirectory",
    "IExpander",
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


class IDelivery(Interface):
    """Decides what happens to mail that arrives by SMTP or LMTP.

    One object serves all connections; `IDeliverySessions` gives each its own.  In one transaction `sender` is
    called once, `recipient` once for each RCPT (until too many are refused or the transaction is reset), and
    `deliver` at most once.  `mailproto.delivery.Delivery` implements the first two steps.

    Each call may take ``SMTPLimits.delivery`` seconds; then it is cancelled, and the client gets 451.  A
    result of the wrong type is a `TypeError` in the log, and 451 for the client.
    """

    def sender(session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse the reverse-path of MAIL FROM.

        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction does not begin.
        """

    def recipient(session: Session, path: Address, parameters: Parameters) -> Result[None]:
        """Accept or refuse one forward-path of RCPT TO.

        ``<Postmaster>`` comes as ``Address("Postmaster", "")`` (RFC 5321 4.5.1); a
        source route has been dropped.

        :returns: None, to accept it.
        :raises MailError: to refuse it; the transaction goes on without it.
        """

    def deliver(envelope: Envelope, content: Content) -> Result[Sequence[Outcome] | None]:
        """Store or pass on the message durably, or say why that failed.

        ``content`` begins with this server's Received field.  The server closes it when the result has
        arrived: keep ``bytes(content)``, not the object.

        :returns: None, if the message was accepted for all recipients; or one outcome for each of
            ``envelope.recipients``, in that order.  LMTP passes them on.  SMTP answers with an error only if
            no recipient was accepted, and then prefers a temporary error.
        :raises MailError: to give this answer for every recipient.
        """


class IDeliverySession(IDelivery):
    """The IDelivery of one connection: a place for what belongs to one client or to one transaction.

    The calls for one connection never overlap.  `mailproto.delivery.DeliverySession` is a base class.
    """

    def reset() -> Result[None]:
        """The transaction has ended without `deliver`: RSET, a new greeting, STARTTLS, a lost connection, or
        content that the server itself refused.

        The reply to the client does not wait for it, but the next call does.  An error is logged.
        """

    def end() -> Result[None]:
        """The connection has ended; this is the last call.  An error is logged."""


class IDeliverySessions(Interface):
    """Gives each connection an IDelivery of its own.

    A server takes it instead of an `IDelivery`.  It is the object that may provide the optional contracts of
    deliveries, such as `IServiceExtensions`.  `mailproto.delivery.PerSession` makes one from a class.
    """

    def begin(session: Session) -> Result[IDeliverySession]:
        """Called for each connection, before the greeting.

        :param session: what is known then: the client's address and TLS.  Later calls get more.
        :raises MailError: the client is turned away, with 554 for a permanent error and 421 for a temporary
            one.
        """


class IOwnership(Interface):
    """An IDelivery that knows which account owns an address (RFC 6409 6.1).

    Without it, an account of a submission server owns one address: its own name.
    """

    def owns(account: str, path: Address) -> Result[bool]:
        """Whether ``account`` may send as ``path``; never called with the null path."""


class IServiceExtensions(Interface):
    """An IDelivery that honours extensions of ESMTP.

    The server offers these extensions to clients; clients may use no others.  The server has checked the
    parameters of `IDelivery.sender`, `IDelivery.recipient` and of the envelope;
    `mailproto.smtp.wire.mail_options` and ``rcpt_options`` read them.
    """

    service_extensions: ServiceExtensions = Attribute(
        "The extensions that it honours; the value must not change while it is served."
    )


class IVerifier(Interface):
    """An IDelivery that tells whether an address exists (VRFY, RFC 5321 3.5).

    Without it the server gives every VRFY the same answer, which reveals nothing to address collectors.
    """

    def verify(session: Session, name: str) -> Result[VerifiedName | None]:
        """The mailbox that ``name``, an address or part of one, refers to; None for "cannot say" (252).

        :raises MailError: there is no such mailbox (550), it has moved (551), or the name is ambiguous
            (553).
        """


class IExpander(Interface):
    """An IDelivery that lists the members of a mailing list (EXPN, RFC 5321 3.5)."""

    def expand(session: Session, name: str) -> Result[Sequence[VerifiedName]]:
        """The members of a mailing list, at least one.

        :raises MailError: there is no such list (550), or this client may not see it (550 5.7.2).
        """


class IQueueRunner(Interface):
    """An IDelivery with a queue that a client can start (ETRN, RFC 1985)."""

    def run_queue(session: Session, node: str) -> Result[int | None]:
        """Begin to send the messages queued for ``node``.

        ``node`` is a domain, ``@`` and a domain for all its subdomains, or ``#`` and a queue's name.

        :returns: the number of messages in that queue; None if it is not known.
        :raises MailError: the queue cannot be run (458 4.3.0), or this client may not run it (459 4.7.1).
        """


class IMailbox(Interface):
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

    name: str = Attribute("Full name at the time it was opened.")
    uid_validity: int = Attribute("1 to 2**32 - 1; a later mailbox of the same name has a larger one.")
    writable: bool = Attribute("False: every change raises ReadOnly, and IMAP selects the mailbox READ-ONLY.")
    permanent_flags: frozenset[str] = Attribute(
        "The system flags that can be stored, and '\\*' if any keyword can (RFC 9051 7.1)."
    )

    def status() -> Result[MailboxStatus]:
        """The mailbox's current status."""

    def changes_since(modseq: int) -> Result[Changes]:
        """Everything that changed after ``modseq``; 0 means all messages that exist.

        A message that was added and removed in between is in ``vanished`` alone, or nowhere. With 0,
        ``vanished`` is empty.
        """

    def read(uids: Sequence[int], parts: Part) -> Result[Sequence[MessageInfo]]:
        """The ``parts`` of each of the messages that exist, by ascending UID.

        Ask in batches: the answer is held in memory.  Only a content in a file is not: reading it may raise
        `OSError` once the message is expunged.
        """

    def append(messages: Sequence[NewMessage]) -> Result[Sequence[AppendedMessage]]:
        """Store all of ``messages`` or none, with new UIDs in ascending order.

        :raises OverQuota: there is no room, or a message has too many or too long keywords.
        :raises ValueError: a flag is neither a system flag nor a keyword.
        """

    def store(
        uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> Result[StoreResult]:
        """Change the flags of messages.

        The change of each message is atomic.  With many messages, other sessions may see some of them
        changed before the rest.  A message keeps its modseq if its flags stay the same.

        :param unchanged_since: each message with a greater modseq is refused; the others are changed (RFC
            7162 3.1.3).
        :raises OverQuota, ValueError: for the same flags as `append`.
        """

    def copy(uids: Sequence[int], target: IMailbox) -> Result[Sequence[tuple[int, int]]]:
        """Copy messages with their flags and internal dates: all of them or none.

        :param target: a mailbox of the same account.
        :returns: pairs of (UID here, UID in ``target``), ascending in both.
        """

    def move(uids: Sequence[int], target: IMailbox) -> Result[Sequence[tuple[int, int]]]:
        """`copy` messages and remove them from here, each in one transaction (RFC 6851 3.3)."""

    def expunge(uids: Sequence[int] | None = None) -> Result[Sequence[int]]:
        """Remove the messages that have ``\\Deleted``: among ``uids``, or (None) in the whole mailbox.

        :returns: the UIDs that this call removed.
        """

    def watch(listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change, whichever session made it.

        The call is only a hint: it may come late, twice, or once for many changes, but it always comes
        after the last change.  Its result is not awaited, and an exception from it is only logged.

        :returns: a function that ends the watch; it may be called more than once.
        """


class IMetadata(Interface):
    """An IMailbox that can return the sizes and internal dates of many messages without an object for each.

    POP3 needs all sizes at each login, and SEARCH may need all dates.  Without this interface, servers call
    `IMailbox.read` for them.
    """

    def metadata(uids: Sequence[int]) -> Result[Metadata]:
        """The metadata of those of ``uids`` that exist."""


class IRecent(Interface):
    """An IMailbox that keeps track of ``\\Recent`` (RFC 3501 2.3.2)."""

    def claim_recent() -> Result[int]:
        """Make the caller the only session that sees the unclaimed messages as recent.

        :returns: the lowest UID that was unclaimed: that message and all later ones that exist now are
            recent for the caller.  ``uid_next`` if there was none.
        """


class IObjectIds(Interface):
    """An IMailbox that has a permanent id, and whose messages and threads have ids (RFC 8474).

    An id is a letter and up to 254 of ``A-Za-z0-9_-``.  No two objects in the store have, or ever had, the
    same id.  `IMailbox.read` answers `Part.IDS`:

    - `MessageInfo.email_id` names the content.  A copy or a moved message has the same id.  Each delivery
      and each append gives a new id, even to equal content.  One `IStore.deliver` gives all its placements
      the same id.
    - `MessageInfo.thread_id` names the conversation, within the account (5.2).  The store takes it from
      Message-ID, In-Reply-To, References and Subject when the message arrives, and never changes it.
    """

    mailbox_id: str = Attribute(
        "The same after a rename; also in `MailboxStatus`.  Renaming INBOX moves its messages to a new"
        " mailbox with a new id, and INBOX keeps its own."
    )


class IIdentity(Interface):
    """Who has signed in: the avatar that a ``twisted.cred`` portal gives to an SMTP server.

    SMTP servers ask the realm for `IAccount` or `IIdentity`, and use the name only.
    """

    name: str = Attribute("The account's name, such as alice@example.org.")


class IAccount(IIdentity):
    """The mailboxes of one account: the avatar that ``twisted.cred`` portals give to POP3 and IMAP servers.

    INBOX always exists and is spelled ``INBOX``; other names keep their case.  Names are Unicode (NFC)
    without control characters, ``%`` and ``*``, levels separated by ``mailproto.model.DELIMITER``, no empty
    level.  `mailproto.model.canonical_mailbox_name` makes a client's spelling one of them, and
    `mailproto.backends.check_name` checks it.

    After the account is deleted every method raises `NoSuchAccount`.
    """

    def list() -> Result[Sequence[MailboxEntry]]:
        """All names, sorted: mailboxes, names that only hold inferiors, and subscriptions."""

    def open(name: str) -> Result[IMailbox]:
        """:raises NoSuchMailbox: also for a name that is not selectable."""

    def create(name: str, special_use: str | None = None) -> Result[None]:
        """Create a mailbox and its missing superiors.

        :param special_use: an attribute of RFC 6154, such as ``\\Sent``.

        :raises MailboxExists: for INBOX too.
        :raises InvalidMailboxName: for a name outside the rules above, or too long or deep; or for a special
            use that the store does not support (`mailproto.backends.check_special_use`).
        """

    def delete(name: str) -> Result[None]:
        """Remove the mailbox and its messages; if it has inferiors, its name stays and only holds them.

        :raises NoSuchMailbox: also for a name that already only holds inferiors.
        :raises InvalidMailboxName: for INBOX.
        """

    def rename(old: str, new: str) -> Result[None]:
        """Rename the mailbox and its inferiors (RFC 9051 6.3.6).

        Renaming INBOX moves its messages to the new mailbox; INBOX and its inferiors stay. Subscriptions
        stay as they are.

        :raises NoSuchMailbox, MailboxExists, InvalidMailboxName:
        """

    def subscribe(name: str) -> Result[None]:
        """Add a name to the subscriptions; adding it again is no error.

        :raises NoSuchMailbox:
        """

    def unsubscribe(name: str) -> Result[None]:
        """Remove a name from the subscriptions; the mailbox need not exist."""

    def status(names: Sequence[str]) -> Result[Mapping[str, MailboxStatus]]:
        """The status of those of ``names`` that are selectable mailboxes."""

    def watch(listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change in the account.

        Changes in any mailbox, in the list of mailboxes and in the subscriptions count, and so does the
        deletion of the account.  The call is a hint like that of `IMailbox.watch`; ``modseq`` is the
        account's.

        :returns: a function that ends the watch; it may be called more than once.
        :raises NoSuchAccount: the account has been deleted.
        """


class IDirectory(Interface):
    """The accounts of a store, each with a record of its password.

    A record is a string of printable ASCII, shorter than 400 octets.  `mailproto.auth.hash_password` makes
    it; a directory stores it and does not look into it.  `mailproto.auth.disabled_record` turns it into the
    record of a disabled account.

    All spellings of a name have the same `mailproto.accounts.account_key`; a directory stores that key and
    finds accounts by it.  It stores the name as first given, but composed (NFC), as
    `mailproto.accounts.check_account_name` returns it.
    """

    def names() -> Result[Sequence[str]]:
        """The names of all accounts, sorted."""

    def find(name: str) -> Result[str]:
        """The account's name as it is stored.  :raises NoSuchAccount:"""

    def password_hash(name: str) -> Result[str]:
        """The record; "" for an account that no client can sign in to.  :raises NoSuchAccount:"""

    def add(name: str, password_hash: str) -> Result[None]:
        """Create an account with the mailboxes that every account has.

        :raises AccountExists: the account exists, perhaps in another spelling.
        :raises InvalidAccountName: as `mailproto.accounts.check_account_name` does.
        """

    def set_password_hash(name: str, password_hash: str, *, replacing: str | None = None) -> Result[None]:
        """Set the account's record.

        :param replacing: change nothing unless this is the current record, so that an update computed from
            an old record cannot undo a change of password.
        :raises NoSuchAccount:
        """

    def delete(name: str) -> Result[None]:
        """Remove the account with all its mailboxes.  :raises NoSuchAccount:"""


class IAccountChanges(Interface):
    """An IDirectory that reports when the sessions of an account must end.

    Without it, sessions go on after their account was deleted, disabled or given a new password.
    """

    def revisions(names: Sequence[str]) -> Result[Mapping[str, Hashable]]:
        """A value for each account that changes whenever its sessions must end.

        The value changes to one that the name never had before when the account is created, and at each
        `IDirectory.set_password_hash` without ``replacing``.  With ``replacing`` it stays, because the
        password is the same.

        :returns: the values of those of ``names`` that exist.
        """

    def watch(listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener()`` in the reactor's thread after a revision changed or an account was deleted.

        The call comes within half a second of a change by another process.  Like that of `IMailbox.watch`
        it is a hint, which may come too often.

        :returns: a function that ends the watch; it may be called more than once.
        """


class IRevocable(Interface):
    """A session: the ``mind`` that the protocols give to ``Portal.login``."""

    def revoke() -> None:
        """End the session: its account was deleted, disabled or given a new password.

        A realm calls it between login and logout, in the reactor's thread.
        """


class IAddOns(Interface):
    """Tells servers which optional contracts exist before any client signs in, so that greetings are true.

    Servers ask the realm of their portal (``portal.realm``).  A realm that does not provide this has no
    add-ons.  `IMetadata` need not be listed: it changes nothing that a client sees.
    """

    add_ons: frozenset[InterfaceClass] = Attribute(
        "The optional contracts, such as `IObjectIds`, that every mailbox and every"
        " account of this store provides."
    )


class IStore(IAddOns):
    """Keeps the mail of all accounts: what ``--store URL`` opens.

    `IAddOns.add_ons` lists the optional contracts of its accounts and mailboxes.
    """

    directory: IDirectory = Attribute("The accounts.")

    def start() -> Result[None]:
        """Open files and start threads.  Called once, before anything else.

        :raises mailproto.errors.StoreUnusable: the store cannot be opened; the text says what is wrong.
        """

    def stop() -> Result[None]:
        """Finish running work and close.  Called once, after everything else."""

    def account(name: str) -> Result[IAccount]:
        """:raises NoSuchAccount:"""

    def deliver(
        content: Octets, placements: Sequence[Placement], internal_date: int | None = None
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


class ICheckable(Interface):
    """An IStore that can look for faults in its data: ``mailproto store check``."""

    def check(report: Callable[[str], None], *, repair: bool = False) -> Result[CheckResult]:
        """Check all data; the store may be in use.

        :param report: called in the reactor's thread with a line of text for each fault, as soon as it is
            found.
        :param repair: also repair the faults that can be repaired.
        """
