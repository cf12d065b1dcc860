"""The optional contracts of accounts and stores that IMAP's extensions need.

An account provides some of them, and its store lists those in `IAddOns.add_ons`, so that CAPABILITY is true
before anybody signs in.  Where a method takes a mailbox's name, it is one as `IAccount.open` takes it.
"""

from mailproto.interfaces._quotas import IQuota, IQuotas

__all__ = [
    "IQuota",
    "IQuotas",
]
