"""The IMAP server: a session, its view of a mailbox, and one file a command family."""

from mailproto.imap.server.factory import IMAP_LIMITS, IMAPServerFactory
from mailproto.imap.server.session import IMAPSession
from mailproto.imap.server.view import MailboxView

__all__ = ["IMAP_LIMITS", "IMAPServerFactory", "IMAPSession", "MailboxView"]
