"""IMAP4rev1 (RFC 3501): a sans-IO wire, and a server on the contracts."""

from mailproto.imap.server import IMAP_LIMITS, IMAPServerFactory, IMAPSession

__all__ = ["IMAP_LIMITS", "IMAPServerFactory", "IMAPSession"]
