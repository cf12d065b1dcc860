"""The protocol of one connection to an SMTP server; `mailproto.smtp` has the factory."""

from mailproto.smtp.server._own_commands import SMTPCommandSession
from mailproto.smtp.server._server import SMTPServer

__all__ = [
    "SMTPCommandSession",
    "SMTPServer",
]
