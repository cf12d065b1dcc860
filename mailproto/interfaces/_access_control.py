"""Access control: which mailboxes others may use, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import FlagOperation

__all__ = ["IAccessControl"]


@contract
class IAccessControl(Contract, metaclass=ContractClass):
    """An IAccount that lets others use its mailboxes, and sees those of others (ACL, RFC 4314).

    Rights are the letters ``lrswipkxtea`` of RFC 4314 2.1, in that order; ``c`` stands for ``kx`` and
    ``d`` for ``te`` where rights are given. An identifier is an account's name, in any spelling, or without
    its domain if the mailbox's account is in the same one; or ``anyone``; with ``-`` before it, it takes
    rights away. An account has all rights for its own mailboxes, whatever their lists say. A new mailbox
    begins with the list of the one above it.

    The mailboxes of others are called `other_users`, then their account's name, ``/`` and their name there,
    such as ``user/bob@example.org/INBOX``; shared ones, which belong to no person, `shared` and their name,
    such as ``shared/Announcements``.  Ours are those of the account ``shared`` of the same domain, if there
    is one.  No account can make a mailbox of its own with such a name.  `IAccount.list` has those with the
    right ``l``, and all methods take such names; without a right that they need, they raise `NoPermission`,
    or `NoSuchMailbox` if this account must not know that there is such a mailbox.  `IAccount.open` needs
    ``r`` or ``i``; a mailbox without ``r`` is listed as not selectable, and takes messages only.  Of the
    flags that a message gets, those stay for which there is a right (``s``, ``t``, ``w``).  What is stored
    there counts for the quota of the mailbox's account.  What an account is given or loses, and other names
    of what it sees, are changes of its list (`IMailboxChanges`); those by rights of ``anyone`` may be told
    only while the account is watched (`IAccount.watch`).
    """

    @property
    def other_users(self) -> str:
        """What the names of others' mailboxes begin with (NAMESPACE, RFC 2342): ``user/``."""

    @property
    def shared(self) -> str:
        """What the names of shared mailboxes begin with: ``shared/``; "" if there can be none."""

    def my_rights(self, mailbox: str) -> Result[str]:
        """The rights that this account has (MYRIGHTS).

        :raises NoSuchMailbox: there is no such mailbox, or this account has no right to it.
        """

    def acl(self, mailbox: str) -> Result[Mapping[str, str]]:
        """The rights of each identifier, also those of the mailbox's account (GETACL); needs ``a``.

        :raises NoSuchMailbox, NoPermission: see above.
        """

    def set_acl(
        self, mailbox: str, identifier: str, rights: str, operation: FlagOperation = FlagOperation.SET
    ) -> Result[None]:
        """Give an identifier rights, more of them or fewer (SETACL); needs ``a``.

        :param rights: "" with SET removes the identifier (DELETEACL).
        :raises InvalidRights: a letter is none of a right, or the identifier cannot be one.
        :raises NoSuchMailbox, NoPermission: see above; also for the mailbox's own account, which keeps all
            rights.
        :raises LimitReached: the mailbox has as many identifiers as it may have.
        """

    def list_rights(self, mailbox: str, identifier: str) -> Result[tuple[str, Sequence[str]]]:
        """The rights that an identifier always has, and those that it can be given, in groups that belong
        together (LISTRIGHTS); needs ``a``.

        :raises InvalidRights: the identifier cannot be one.
        :raises NoSuchMailbox, NoPermission: see above.
        """
