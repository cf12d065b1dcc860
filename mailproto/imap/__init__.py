"""IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051): a server for any backend.

Give a factory to an endpoint::

    IMAPServerFactory(portal)    # a ``twisted.cred`` portal that gives `mailproto.interfaces.IAccount`

`mailproto.auth.store_portal` makes a portal for a store; `mailproto.backends` has stores, and base classes
for serving your own data.  Elsewhere:

- `mailproto.imap.limits`: the limits of servers.
- `mailproto.imap.server`: the protocol of one connection, to derive your own from.
- `mailproto.imap.wire`: IMAP's octets, without a network.
"""

from mailproto.imap.server._factory import IMAPServerFactory

__all__ = [
    "IMAPServerFactory",
]
