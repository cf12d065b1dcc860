"""POP3 without I/O (RFC 1939, 2449, 5034), for servers and clients: octets to events, values to octets."""

from mailproto.pop3.wire._answers import Body, POP3ClientWire, POP3Event, POP3ReplyError, Reply
from mailproto.pop3.wire._limits import POP3ReplyLimits, POP3WireLimits
from mailproto.pop3.wire._multiline import DotStuffing, DotUnstuffing
from mailproto.pop3.wire._receive import Command, POP3ServerWire, POP3SyntaxError, Response
from mailproto.pop3.wire._replies import MAX_REPLY, challenge, err, multiline, ok

__all__ = [
    "MAX_REPLY",
    "Body",
    "Command",
    "DotStuffing",
    "DotUnstuffing",
    "POP3ClientWire",
    "POP3Event",
    "POP3ReplyError",
    "POP3ReplyLimits",
    "POP3ServerWire",
    "POP3SyntaxError",
    "POP3WireLimits",
    "Reply",
    "Response",
    "challenge",
    "err",
    "multiline",
    "ok",
]
