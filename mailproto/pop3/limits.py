"""The limits of POP3 servers."""

from mailproto.pop3.server._limits import READ_AHEAD_MESSAGES, READ_AHEAD_OCTETS, POP3Limits

__all__ = [
    "READ_AHEAD_MESSAGES",
    "READ_AHEAD_OCTETS",
    "POP3Limits",
]
