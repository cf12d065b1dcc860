"""SMTP and LMTP without I/O: what a client sends becomes events, replies become octets."""

from mailproto.smtp.wire._chunks import ChunkedText
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._events import (
    Auth,
    AuthResponse,
    Bdat,
    ChunkEnd,
    Command,
    Data,
    DataChunk,
    DataEnd,
    DataFault,
    Event,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTLS,
    Vrfy,
    XClient,
)
from mailproto.smtp.wire._limits import WireLimits
from mailproto.smtp.wire._replies import render_lines, render_reply
from mailproto.smtp.wire._wire import SMTPServerWire
from mailproto.smtp.wire._xclient import XCLIENT_ATTRIBUTES

__all__ = [
    "XCLIENT_ATTRIBUTES",
    "Auth",
    "AuthResponse",
    "Bdat",
    "ChunkEnd",
    "ChunkedText",
    "Command",
    "Data",
    "DataChunk",
    "DataEnd",
    "DataFault",
    "Event",
    "Hello",
    "Help",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "Rset",
    "SMTPServerWire",
    "SMTPSyntaxError",
    "StartTLS",
    "Vrfy",
    "WireLimits",
    "XClient",
    "render_lines",
    "render_reply",
]
