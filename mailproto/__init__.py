"""Twisted protocols for SMTP, POP3 and IMAP over pluggable backends.

To receive and send mail:

- `mailproto.smtp`: servers (`SMTPServerFactory`) and clients (`send_mail`, `SMTPSender`, `SMTPClient`).
- `mailproto.delivery`: what happens to mail that arrives, such as a function of yours that is called.
- `mailproto.message`: reading a message that arrived.
- `mailproto.client`: a server's address, and the errors of clients.

To serve mailboxes:

- `mailproto.imap` and `mailproto.pop3`: servers (`IMAPServerFactory`, `POP3ServerFactory`).
- `mailproto.backends`: stores, and base classes for serving your own data.

For both:

- `mailproto.listening`: serving clients on an endpoint (`Listener`).
- `mailproto.auth`: who may sign in (`password_portal`, `store_portal`), and the credentials of clients.
- `mailproto.tls`: certificates (`server_tls`, `client_tls`).
- `mailproto.errors`: what your own code raises to refuse something (`Refused`).
- `mailproto.interfaces` and `mailproto.model`: the contracts of your own code, and their values.
- `mailproto.testing`: tools for your own tests.
- `mailproto.service`: the whole server, as the command ``twistd mailproto`` runs it.

README.md has examples of each.
"""

__version__ = "0.1.0"
