"""POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034), UTF8 and LANG (RFC 6856).

To serve mail, give a factory to an endpoint::

    POP3ServerFactory(portal)    # a ``twisted.cred`` portal that gives `mailproto.interfaces.IAccount`

`mailproto.auth.store_portal` makes a portal for a store; `mailproto.backends` has stores, and base classes
for serving your own data.  To fetch mail::

    client = await POP3Client.open(reactor, ServerAddress("pop.example.org", credentials=Password(...)))

`ServerAddress` is in `mailproto.client`, with its errors in `mailproto.client.errors`, and `Password` in
`mailproto.auth`.

A session of the server shows the account's INBOX as it was at login; the next session shows what comes later.
Sessions do not lock each other out.  If another session removes a message, requests for it are
answered ``-ERR``, and no other message gets its number.

- `mailproto.pop3.limits`: the limits of servers, and the timeouts of clients.
- `mailproto.pop3.server`: the protocol of one connection, to derive your own from.
- `mailproto.pop3.wire`: POP3's octets, without a network.
"""

from mailproto.pop3.client._client import POP3Client
from mailproto.pop3.server._server import POP3ServerFactory

__all__ = [
    "POP3Client",
    "POP3ServerFactory",
]
