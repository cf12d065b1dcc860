"""IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051): a server for any backend, and a client.

To serve mailboxes, give a factory to an endpoint::

    IMAPServerFactory(portal)    # a ``twisted.cred`` portal that gives `mailproto.interfaces.IAccount`

`mailproto.auth.store_portal` makes a portal for a store; `mailproto.backends` has stores, and base classes
for serving your own data.  To read and keep mail on a server::

    server = ServerAddress("imap.example.org", credentials=Password("bob", "secret"))
    client = await IMAPClient.open(reactor, server)
    await client.select("INBOX")
    async for message in client.fetch(await client.search("UNSEEN"), "ENVELOPE"):
        ...

Elsewhere:

- `mailproto.imap.values`: the values that the client takes and returns.
- `mailproto.imap.limits`: the limits of servers and clients, and the timeouts of clients.
- `mailproto.imap.server`: the protocol of one connection, to derive your own from.
- `mailproto.imap.wire`: IMAP's octets, without a network.
"""

from mailproto.imap.client._client import IMAPClient
from mailproto.imap.server._factory import IMAPServerFactory

__all__ = [
    "IMAPClient",
    "IMAPServerFactory",
]
