"""The protocol of one connection to an IMAP server; `mailproto.imap` has the factory."""

from mailproto.imap.server._server import IMAPServer
from mailproto.imap.server._view import MailboxView

__all__ = [
    "IMAPServer",
    "MailboxView",
]
