"""Somebody else's mailboxes: accounts on an IMAP server, for our servers to serve.

An IMAP proxy, whose clients sign in at the other server with their own passwords::

    portal = remote_portal(ServerAddress("imap.example.org", tls="implicit"), reactor)
    IMAPServerFactory(portal)    # and POP3ServerFactory(portal)

`RemoteAccount` is one account on another server, with credentials that your program has.  `JoinedAccount`
makes one account of several, and `FilteredAccount` shows only some mailboxes; both take any
`mailproto.interfaces.IAccount`.  docs/imap-proxy.md has examples.
"""

from mailproto.backends.remote._account import RemoteAccount
from mailproto.backends.remote._filtered import FilteredAccount
from mailproto.backends.remote._joined import JoinedAccount
from mailproto.backends.remote._mailbox import RemoteMailbox
from mailproto.backends.remote._realm import RemoteRealm, remote_portal

__all__ = [
    "FilteredAccount",
    "JoinedAccount",
    "RemoteAccount",
    "RemoteMailbox",
    "RemoteRealm",
    "remote_portal",
]
