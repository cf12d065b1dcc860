"""What the clients of all protocols share.

- `ServerAddress`: a server's address, its TLS policy, and your credentials.
- `MailboxURL`: a mailbox on a server, as people write it: ``imaps://bob@mail.example``.
- `Client`: the methods that clients have in every protocol.
- `ClientPool` shares a few connections between many jobs.

Elsewhere:

- `mailproto.client.errors`: `ClientError` is the base of all errors.
- `mailproto.client.base`: to write a client for another protocol.
"""

from mailproto.client._address import Credentials, ServerAddress
from mailproto.client._client import Client
from mailproto.client._mailbox_url import MailboxURL
from mailproto.client._pool import ClientPool
from mailproto.client._timeouts import ClientTimeouts

__all__ = [
    "Client",
    "ClientPool",
    "ClientTimeouts",
    "Credentials",
    "MailboxURL",
    "ServerAddress",
]
