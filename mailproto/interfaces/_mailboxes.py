"""One mailbox: its messages, their flags and their changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import (
    AppendedMessage,
    Changes,
    FlagChange,
    MailboxStatus,
    MessageInfo,
    Metadata,
    NewMessage,
    Part,
    StoreResult,
)

__all__ = ["IBoundedReading", "IMailbox", "IMetadata", "IObjectIds", "IRecent"]


@contract
class IMailbox(Contract, metaclass=ContractClass):
    """One mailbox: its messages with ascending UIDs, their flags, and a modseq.

    An IMailbox knows UIDs only; the IMAP session keeps sequence numbers.  Many sessions may share one
    object or have one each; objects that are equal are of one mailbox, so that one session may use what
    another has just seen.  Sequences of UIDs are ascending and without duplicates, in arguments and in
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

        :raises OverQuota: there is no room, or a message or the mailbox has too many or too long keywords.
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
    Without this interface, servers read a thousand messages at a time, whatever their octets are.
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

    def claim_recent(self) -> Result[range]:
        """Make the caller the only session that sees the unclaimed messages as recent.

        :returns: the UIDs that are the caller's now, and were nobody's before: from the lowest message that
            was unclaimed up to ``uid_next``.  Nobody else is given any of them.
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
