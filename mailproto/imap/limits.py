"""The limits of IMAP servers."""

from mailproto.imap.server._limits import IMAPLimits

__all__ = [
    "IMAPLimits",
]
