"""The server's side of POP3 without I/O (RFC 1939, 2449, 5034): octets to events, values to octets."""

from mailproto.pop3.wire._limits import POP3WireLimits
from mailproto.pop3.wire._multiline import DotStuffing
from mailproto.pop3.wire._receive import Command, POP3ServerWire, POP3SyntaxError, Response
from mailproto.pop3.wire._replies import MAX_REPLY, challenge, err, multiline, ok

__all__ = [
    "MAX_REPLY",
    "Command",
    "DotStuffing",
    "POP3ServerWire",
    "POP3SyntaxError",
    "POP3WireLimits",
    "Response",
    "challenge",
    "err",
    "multiline",
    "ok",
]
