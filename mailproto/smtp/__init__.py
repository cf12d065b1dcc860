"""SMTP, submission and LMTP: servers that give arriving mail to a delivery, and clients.

To receive mail, give a factory to an endpoint::

    SMTPServerFactory(delivery)    # `mailproto.delivery` has deliveries, and base classes for your own

To send mail::

    server = ServerAddress("mail.example.org", credentials=Password("bob", "secret"))
    await send_mail(reactor, server, message)            # one message
    sender = SMTPSender(reactor, server)                 # many: it keeps its connections
    client = await SMTPClient.open(reactor, server)      # one connection, a method for each command

`ServerAddress` is in `mailproto.client`, and `Password` in `mailproto.auth`.  Elsewhere:

- `mailproto.smtp.errors`: what may happen to a message that is sent.  The errors of all clients are in
  `mailproto.client.errors`.
- `mailproto.smtp.limits`: `SMTPLimits` of servers and `SMTPTimeouts` of clients.
- `mailproto.smtp.lmtp`: LMTP's server and client (RFC 2033).
- `mailproto.smtp.server`: the protocol of one connection, to derive your own from.
- `mailproto.smtp.wire`: SMTP's octets, without a network.
"""

from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._send_mail import SendResult, send_mail
from mailproto.smtp.client._sender import SMTPSender
from mailproto.smtp.server._factory import SMTPServerFactory

__all__ = [
    "SMTPClient",
    "SMTPSender",
    "SMTPServerFactory",
    "SendResult",
    "send_mail",
]
