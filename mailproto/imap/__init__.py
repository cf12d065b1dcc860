"""IMAP4rev1 (RFC 3501): a sans-IO wire, and a server for any backend."""

from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._factory import IMAPServerFactory
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._own_commands import IMAPCommandSession
from mailproto.imap.server._server import IMAPServer
from mailproto.imap.server._view import MailboxView

__all__ = ["BadCommand", "IMAPCommandSession", "IMAPLimits", "IMAPServer", "IMAPServerFactory", "MailboxView"]
