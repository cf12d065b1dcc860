"""SMTP and LMTP clients; their public names are in `mailproto.smtp`.

`send_mail` sends one message, `SMTPSender` sends many messages over a pool of connections, and both
use `SMTPClient`, which is one connection.
"""
