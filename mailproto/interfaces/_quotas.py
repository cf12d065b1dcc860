"""Quotas: how much an account may store."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import Quota, QuotaLimits

__all__ = ["IQuota", "IQuotas"]


@contract
class IQuota(Contract, metaclass=ContractClass):
    """An IAccount with a quota (RFC 9208) of the resources STORAGE, MESSAGE and MAILBOX.

    Usage is exact: it is changed together with what it counts.  What would exceed a limit (`IMailbox.append`,
    `IMailbox.copy`, `IStore.deliver`, the placements of `IQueue.add`) raises `OverQuota`, or `LimitReached`
    for mailboxes.  To move messages inside the account, to change flags and to remove anything is always
    possible.
    """

    def quota_roots(self, mailbox: str) -> Result[Sequence[str]]:
        """The names of the quota roots that a mailbox counts for (RFC 9208 4.1.3); usually one, ``""``.

        None, for a mailbox of somebody else.

        :param mailbox: it need not exist: who makes one may ask before.
        """

    def quota(self, root: str) -> Result[Quota]:
        """The quota root of that name.

        :raises NoSuchQuotaRoot: the account has no such root.
        """

    def set_quota(self, root: str, limits: QuotaLimits) -> Result[Quota]:
        """Change the limits of a root (SETQUOTA): for an administrator.

        :raises NoPermission: this account may not do that.  Our stores refuse everybody; an operator changes
            limits with `IQuotas.set_limits`.
        """

    def deleted_storage(self, mailbox: str) -> Result[int]:
        """The octets of the messages with ``\\Deleted`` in a mailbox (RFC 9208 4.1.4).

        :raises NoSuchMailbox: there is no such mailbox.
        """


@contract
class IQuotas(Contract, metaclass=ContractClass):
    """An IStore whose accounts have quotas, with limits that an operator sets.

    Limits are kept with the mail, and all processes that use the store obey them.
    """

    def quota_of(self, name: str) -> Result[Quota]:
        """The quota of an account.

        :param name: the account's name, in any spelling.
        :raises NoSuchAccount: there is no such account.
        """

    def limits_of(self, name: str) -> Result[QuotaLimits]:
        """The account's own limits, as they were set.

        :raises NoSuchAccount: there is no such account.
        """

    def set_limits(self, name: str, limits: QuotaLimits) -> Result[None]:
        """Set the limits of an account; a limit of None is the default one.

        :raises NoSuchAccount: there is no such account.
        """

    def set_default_limits(self, limits: QuotaLimits) -> Result[None]:
        """Set the limits of all accounts that have none of their own; a limit of None is no limit."""
