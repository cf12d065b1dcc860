"""Keeps mailboxes in step: one on an IMAP server and one in a store, or two on servers, one way or both ways.

::

    client = await IMAPClient.open(reactor, server)
    local = await settle(account.open("INBOX"))
    report = await mirror(RemoteMailbox(client, "INBOX"), local, "bob.mirror", both=True)

Run it again whenever there may be something new; where the server has QRESYNC or CONDSTORE, it asks only for
what has changed.  It may be stopped at any instant.  `mirror_account` does that with all mailboxes of two
accounts.  docs/mirroring.md says more.
"""

from mailproto.mirroring._account import mirror_account
from mailproto.mirroring._mirror import mirror
from mailproto.mirroring._remote_side import RemoteMailbox
from mailproto.mirroring._report import MirrorFailure, MirrorProgress, MirrorReport
from mailproto.mirroring._sides import MirrorError
from mailproto.mirroring._verifying import MailboxComparison, compare_accounts

__all__ = [
    "MailboxComparison",
    "MirrorError",
    "MirrorFailure",
    "MirrorProgress",
    "MirrorReport",
    "RemoteMailbox",
    "compare_accounts",
    "mirror",
    "mirror_account",
]
