"""What changes in an account, mailbox by mailbox."""

from __future__ import annotations

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import AccountChanges

__all__ = ["IMailboxChanges"]


@contract
class IMailboxChanges(Contract, metaclass=ContractClass):
    """An IAccount that tells which of its mailboxes have changed (NOTIFY, RFC 5465).

    `IAccount.watch` gives the hint that something has; after it, one call tells what.  The cost is that of
    what has changed, and not of all mailboxes.
    """

    def mailbox_changes(self, modseq: int) -> Result[AccountChanges]:
        """Everything that changed after ``modseq``, a value of `AccountChanges.modseq` or of a hint; 0 means
        all mailboxes.

        A change that is made meanwhile may be in the result, and is in the next one in any case.

        :raises NoSuchAccount: the account has been deleted.
        """
