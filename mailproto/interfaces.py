"""The contracts: what a backend author implements, and nothing else.

Three rules hold for every method here.

*Awaitable.*  A method may be a coroutine function or return a ``Deferred``; it is
called in the reactor's thread and its result is awaited there.  One that blocks
must move its work to a thread of its own.

*Errors.*  Raise `mailproto.errors`; the protocol tells the client what the error
means in its own terms.  Any other exception is logged in full and the client is
told of a temporary failure.

*Durability.*  When the result of a method that changes something arrives, the
change is on disk (for backends that have one) and visible to every other reader.

Optional contracts (`IRecent`, `IObjectIds`, `IOwnership`, `IServiceExtensions`, `IVerifier`,
`IExpander`, `IQueueRunner`, `IAccountChanges`, `ICheckable`) extend a required one; they are found with
``providedBy``.  Those of a store's mailboxes and accounts are told before anybody signs in, too
(`IStore.add_ons`, `IAddOns`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass

from mailproto.content import Content
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
    "IDirectory",
    "IExpander",
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
    """What becomes of mail that arrives by SMTP or LMTP.

    One object serves all sessions.  For one transaction the order is `sender` once,
    `recipient` once for each RCPT (until enough refuse or the transaction is reset),
    `deliver` at most once.  `mailproto.delivery.Delivery` has sane first two steps.
    """

    def sender(session: Session, path: Address, parameters: Parameters) -> Awaitable[None]:
        """Take or refuse the reverse-path of MAIL FROM.

        :raises MailError: to refuse it; the transaction does not begin.
        """

    def recipient(session: Session, path: Address, parameters: Parameters) -> Awaitable[None]:
        """Take or refuse one forward-path of RCPT TO.

        ``<Postmaster>`` comes as ``Address("Postmaster", "")`` (RFC 5321 4.5.1); a
        source route has been dropped.

        :raises MailError: to refuse it; the transaction goes on without it.
        """

    def deliver(envelope: Envelope, content: Content) -> Awaitable[Sequence[Outcome]]:
        """Take responsibility for the message, durably, or say why not.

        ``content`` begins with this server's Received field.  It is the caller's: a
        `FileContent` is gone after the result, so keep a copy, not the object.

        :returns: one outcome for each of ``envelope.recipients``, in that order.  LMTP
            passes them on; SMTP answers with an error only if no recipient was accepted,
            preferring one that asks to try again.
        :raises MailError: to answer so for every recipient.
        """


class IOwnership(Interface):
    """An IDelivery that knows whose an address is (RFC 6409 6.1).

    Without it, an account of a submission server has the address that is its name.
    """

    def owns(account: str, path: Address) -> Awaitable[bool]:
        """Whether ``account`` may send as ``path``, which is not the null path."""


class IServiceExtensions(Interface):
    """An IDelivery that honours more of ESMTP than that mail is delivered.

    What it promises is offered to clients, and only then may they ask for it: the
    parameters of `IDelivery.sender`, `IDelivery.recipient` and of the envelope have then been
    checked, and `mailproto.smtp.wire.mail_options` and ``rcpt_options`` read them.
    """

    service_extensions: ServiceExtensions = Attribute(
        "What it honours; the same for as long as it is served."
    )


class IVerifier(Interface):
    """An IDelivery that tells whether somebody is there (VRFY, RFC 5321 3.5).

    Without it the answer is always the same.  That helps those who collect addresses less.
    """

    def verify(session: Session, name: str) -> Awaitable[VerifiedName | None]:
        """Whom ``name``, an address or part of one, means; None for "cannot say" (252).

        :raises MailError: nobody (550), somewhere else (551), or several (553).
        """


class IExpander(Interface):
    """An IDelivery that tells who is on a list (EXPN, RFC 5321 3.5)."""

    def expand(session: Session, name: str) -> Awaitable[Sequence[VerifiedName]]:
        """The members of a list, at least one.

        :raises MailError: no such list (550), or not for this client (550 5.7.2).
        """


class IQueueRunner(Interface):
    """An IDelivery with a queue that may be told to send now (ETRN, RFC 1985)."""

    def run_queue(session: Session, node: str) -> Awaitable[int | None]:
        """Begin to send what waits for ``node``: a domain, ``@`` and a domain for all in it, or
        ``#`` and a queue's name.

        :returns: how many messages wait there; None for "not known".
        :raises MailError: it cannot be done (458 4.3.0), or not for this client (459 4.7.1).
        """


class IMailbox(Interface):
    """One mailbox: messages known by ascending UIDs, their flags, and a modseq.

    An IMailbox knows UIDs only; sequence numbers are the IMAP session's business.
    Many sessions may share one object or have one each.  Sequences of UIDs are
    ascending and without duplicates, in and out; UIDs that are not there are left
    out of the answer and raise nothing.

    A modseq is 1 at least and orders all that happens in an account: each change in any of its
    mailboxes, and of the list of them, has a greater one than all before.  The modseq of a
    message or of a mailbox is that of its last change (RFC 7162 3.1); a mailbox begins with that of
    its creation.

    After the mailbox is deleted every method raises `NoSuchMailbox`.
    """

    name: str = Attribute("Full name at the time it was opened.")
    uid_validity: int = Attribute("1 to 2**32 - 1; another mailbox of this name has a larger one.")
    writable: bool = Attribute("False: every change raises ReadOnly, and it is selected READ-ONLY.")
    permanent_flags: frozenset[str] = Attribute(
        "System flags that can be kept; with '\\*' any keyword (RFC 9051 7.1)."
    )

    def status() -> Awaitable[MailboxStatus]:
        """The mailbox now."""

    def changes_since(modseq: int) -> Awaitable[Changes]:
        """Everything that changed after ``modseq``; 0 means all messages that are there.

        A message that came and vanished in between is in ``vanished`` alone, or nowhere.
        From 0, ``vanished`` is empty.
        """

    def read(uids: Sequence[int], parts: Part) -> Awaitable[Sequence[MessageInfo]]:
        """The ``parts`` of each of the messages that are there, by ascending UID.

        Ask in batches: the answer is in memory, but for a `FileContent`, whose file may
        be gone (`OSError`) once the message is expunged.
        """

    def append(messages: Sequence[NewMessage]) -> Awaitable[Sequence[AppendedMessage]]:
        """Keep all of ``messages`` or none, under ascending new UIDs."""

    def store(
        uids: Sequence[int], change: FlagChange, unchanged_since: int | None = None
    ) -> Awaitable[StoreResult]:
        """Change flags: of each message whole, and soon of all.

        Others may see it half done where there are many messages.  A message whose flags stay the
        same keeps its modseq.

        :param unchanged_since: messages with a greater modseq are refused, each by itself
            (RFC 7162 3.1.3).
        """

    def copy(uids: Sequence[int], target: IMailbox) -> Awaitable[Sequence[tuple[int, int]]]:
        """Copy with flags and internal dates, all or none in the end; ``target`` is of the same account.

        :returns: (UID here, UID there), ascending in both.
        """

    def move(uids: Sequence[int], target: IMailbox) -> Awaitable[Sequence[tuple[int, int]]]:
        """`copy` and removal from here, of each message in one transaction (RFC 6851 3.3)."""

    def expunge(uids: Sequence[int] | None = None) -> Awaitable[Sequence[int]]:
        """Remove those that have ``\\Deleted``, of ``uids`` or (None) of all.

        :returns: the UIDs that are gone now because of this call.
        """

    def watch(listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change, by whomever.

        A hint, never data: it may come late, twice, or once for many changes, but it does
        come for the last one.  Not awaited.

        :returns: what ends the watch; may be called more than once.
        """


class IMetadata(Interface):
    """An IMailbox that tells sizes and internal dates of many messages without an object for each.

    POP3 needs all sizes at each login, and SEARCH may need all dates.  Without it they are read as
    other parts are.
    """

    def metadata(uids: Sequence[int]) -> Awaitable[Metadata]:
        """Of those of the messages that are there."""


class IRecent(Interface):
    """An IMailbox that keeps track of ``\\Recent`` (RFC 3501 2.3.2)."""

    def claim_recent() -> Awaitable[int]:
        """Make the caller the one session that sees the unclaimed messages as recent.

        :returns: the lowest UID that was unclaimed; all from there on that exist now are
            the caller's.  ``uid_next`` where there was none.
        """


class IObjectIds(Interface):
    """An IMailbox that has an id, and so has what is in it (RFC 8474).

    An id is a letter and up to 254 of ``A-Za-z0-9_-``, and no two things in the store have, or ever
    had, the same one.  `IMailbox.read` answers `Part.IDS`:

    - `MessageInfo.email_id` names the content.  A copy has the same; what is delivered, appended
      or copied from elsewhere has another, even if it is equal.  Of one `IStore.deliver` it is one.
    - `MessageInfo.thread_id` names the conversation, within the account (5.2).  It is decided when
      the message comes, from Message-ID, In-Reply-To, References and Subject, and stays.
    """

    mailbox_id: str = Attribute(
        "Stays when the mailbox is renamed; in `MailboxStatus`, too.  What INBOX held has another"
        " mailbox after a rename, and INBOX keeps its id."
    )


class IAccount(Interface):
    """One signed-in person's mailboxes: the avatar that ``twisted.cred`` portals give.

    INBOX is always there and is spelled ``INBOX``; other names keep their case.  Names
    are Unicode (NFC) without control characters, ``%`` and ``*``, levels separated by
    ``mailproto.model.DELIMITER``, no empty level.
    """

    name: str = Attribute("The account's name, such as alice@example.org.")

    def list() -> Awaitable[Sequence[MailboxEntry]]:
        """Every name: mailboxes, names that only hold inferiors, subscriptions; sorted."""

    def open(name: str) -> Awaitable[IMailbox]:
        """:raises NoSuchMailbox: also for a name that is not selectable."""

    def create(name: str, special_use: str | None = None) -> Awaitable[None]:
        """Make a mailbox and the superiors that lack; ``special_use`` as ``\\Sent`` (RFC 6154).

        :raises MailboxExists: for INBOX too.
        :raises InvalidMailboxName: for a name outside the rules above, or too long or deep.
        """

    def delete(name: str) -> Awaitable[None]:
        """Remove the mailbox and its messages; with inferiors, it stays as a name only.

        :raises NoSuchMailbox: also for a name that already only holds inferiors.
        :raises InvalidMailboxName: for INBOX.
        """

    def rename(old: str, new: str) -> Awaitable[None]:
        """Rename the mailbox and its inferiors (RFC 9051 6.3.6).

        INBOX: its messages move to the new mailbox, INBOX and its inferiors stay.
        Subscriptions stay as they are.

        :raises NoSuchMailbox, MailboxExists, InvalidMailboxName:
        """

    def subscribe(name: str) -> Awaitable[None]:
        """Add a name to the subscriptions; adding it again is no error.

        :raises NoSuchMailbox:
        """

    def unsubscribe(name: str) -> Awaitable[None]:
        """Take a name off the subscriptions; whether the mailbox exists does not matter."""

    def status(names: Sequence[str]) -> Awaitable[Mapping[str, MailboxStatus]]:
        """The status of those of ``names`` that are selectable mailboxes."""

    def watch(listener: Callable[[int], None]) -> Callable[[], None]:
        """Call ``listener(modseq)`` in the reactor's thread after each change in the account.

        That is: in any mailbox, of the list of mailboxes, of the subscriptions; and when the account
        is deleted.  A hint, like that of `IMailbox.watch`, with the account's modseq.

        :returns: what ends the watch; may be called more than once.
        :raises NoSuchAccount: it is gone already.
        """


class IDirectory(Interface):
    """Who has an account, and the record of each password.

    A record is a string of printable ASCII, less than 400 octets, which
    `mailproto.auth.hash_password` makes; a directory keeps it and does not look into it.
    `mailproto.auth.disabled_record` makes it one with which the account cannot be signed in to.

    A name is one in all its spellings: they have the same `mailproto.accounts.account_key`,
    which a directory keeps beside the name to look it up by.  The name is kept as first given,
    but composed (NFC), as `mailproto.accounts.check_account_name` returns it.
    """

    def names() -> Awaitable[Sequence[str]]:
        """All accounts, sorted."""

    def find(name: str) -> Awaitable[str]:
        """The account's name as it is kept.  :raises NoSuchAccount:"""

    def password_hash(name: str) -> Awaitable[str]:
        """The record; "" for an account that nobody can sign in to.  :raises NoSuchAccount:"""

    def add(name: str, password_hash: str) -> Awaitable[None]:
        """Make an account with the mailboxes that every account has.

        :raises AccountExists: in another spelling, too.
        :raises InvalidAccountName: as of `mailproto.accounts.check_account_name`.
        """

    def set_password_hash(name: str, password_hash: str, *, replacing: str | None = None) -> Awaitable[None]:
        """Give the account another record.

        :param replacing: unless the record is this one, change nothing: what was learnt from an
            old record must not undo a change of password.
        :raises NoSuchAccount:
        """

    def delete(name: str) -> Awaitable[None]:
        """Remove the account with all its mailboxes.  :raises NoSuchAccount:"""


class IAccountChanges(Interface):
    """An IDirectory that tells when the sessions of an account must end.

    Without it a session goes on after its account was deleted, disabled or given another
    password.
    """

    def revisions(names: Sequence[str]) -> Awaitable[Mapping[str, Hashable]]:
        """A value for each account, which changes whenever its sessions must end.

        It becomes one that the name never had before when the account is made and at each
        `IDirectory.set_password_hash`, except with ``replacing``: the password is the same then.

        :returns: those of ``names`` that have an account.
        """

    def watch(listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener()`` in the reactor's thread after a revision changed or an account went.

        Changes by another process are told within half a second.  Like that of
        `IMailbox.watch` it is a hint, which may come too often.

        :returns: what ends the watch; may be called more than once.
        """


class IRevocable(Interface):
    """A session: the ``mind`` that the protocols give to ``Portal.login``."""

    def revoke() -> None:
        """End the session: its account was deleted, disabled or given another password.

        A realm calls it between login and logout, in the reactor's thread.
        """


class IAddOns(Interface):
    """What tells servers what is possible before anybody signs in, so that their greeting is true.

    Servers ask the realm of their portal (``portal.realm``); one that does not provide this has none.
    """

    add_ons: frozenset[InterfaceClass] = Attribute(
        "The optional contracts of mailboxes and accounts, such as `IObjectIds`, that every mailbox and"
        " account provides."
    )


class IStore(IAddOns):
    """Where everybody's mail is kept: what ``--store URL`` opens.

    The optional contracts of its accounts and mailboxes are told in `IAddOns.add_ons`.
    """

    directory: IDirectory = Attribute("The accounts.")

    def start() -> Awaitable[None]:
        """Open files and threads.  Called once, before anything else.

        :raises mailproto.errors.StoreUnusable: they cannot be opened, or are of something else; it says
            which, and why.
        """

    def stop() -> Awaitable[None]:
        """Finish what was begun and close.  Called once, after everything else."""

    def account(name: str) -> Awaitable[IAccount]:
        """:raises NoSuchAccount:"""

    def deliver(
        content: Content, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Awaitable[Sequence[AppendedMessage | MailError]]:
        """Put one message into some mailboxes, in one transaction, stored once.

        The same placement twice is two messages.

        :param content: octets with CRLF line ends.
        :param internal_date: seconds since the epoch; None for now.
        :returns: for each of ``placements``, where the message is, or why it is not: `NoSuchAccount`,
            `NoSuchMailbox`, `OverQuota` or the like, each for itself.
        """


class ICheckable(Interface):
    """An IStore that can look for faults in what it keeps: ``mailproto store check``."""

    def check(report: Callable[[str], None], *, repair: bool = False) -> Awaitable[CheckResult]:
        """Look through everything, while the store is in use.

        :param report: called in the reactor's thread with a line of text for each fault, as it is found.
        :param repair: mend what can be mended.
        """
