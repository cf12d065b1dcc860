"""The protocol of one connection to an IMAP server; `mailproto.imap` has the factory."""

from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._own_commands import IMAPCommandSession
from mailproto.imap.server._server import IMAPServer
from mailproto.imap.server._view import MailboxView

__all__ = [
    "BadCommand",
    "IMAPCommandSession",
    "IMAPServer",
    "MailboxView",
]
