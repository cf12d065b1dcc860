"""The optional contracts of accounts, mailboxes and stores that IMAP's extensions need, and one for POP3.

An account or a mailbox provides some of them, and its store lists those in `IAddOns.add_ons`, so that what
CAPABILITY says is true before anybody signs in.  Where a method takes a mailbox's name, it is one as
`IAccount.open` takes it.
"""

from mailproto.interfaces._access_control import IAccessControl
from mailproto.interfaces._access_keys import IAccessKeys
from mailproto.interfaces._accounts import IPOP3Policy
from mailproto.interfaces._annotations import IAnnotations
from mailproto.interfaces._finding import IFinding, IIndexed, INearWords
from mailproto.interfaces._mailbox_changes import IMailboxChanges
from mailproto.interfaces._quotas import IQuota, IQuotas
from mailproto.interfaces._replacing import IReplacing
from mailproto.interfaces._save_dates import ISaveDates

__all__ = [
    "IAccessControl",
    "IAccessKeys",
    "IAnnotations",
    "IFinding",
    "IIndexed",
    "IMailboxChanges",
    "INearWords",
    "IPOP3Policy",
    "IQuota",
    "IQuotas",
    "IReplacing",
    "ISaveDates",
]
