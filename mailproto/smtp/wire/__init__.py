"""SMTP and LMTP without I/O, the server's side and the client's: octets become events, and back."""

from mailproto.smtp.wire._capabilities import NO_CAPABILITIES, Capabilities, parse_capabilities
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
from mailproto.smtp.wire._render import (
    UnsafeArgument,
    ascii_domain,
    read_address,
    render_bdat,
    render_line,
    render_path,
)
from mailproto.smtp.wire._replies import render_lines, render_reply
from mailproto.smtp.wire._reply import Reply, ReplyLimits, SMTPClientWire, SMTPReplyError
from mailproto.smtp.wire._sending import DotStuffer, LineEnds
from mailproto.smtp.wire._wire import SMTPServerWire
from mailproto.smtp.wire._xclient import XCLIENT_ATTRIBUTES

__all__ = [
    "NO_CAPABILITIES",
    "XCLIENT_ATTRIBUTES",
    "Auth",
    "AuthResponse",
    "Bdat",
    "Capabilities",
    "ChunkEnd",
    "ChunkedText",
    "Command",
    "Data",
    "DataChunk",
    "DataEnd",
    "DataFault",
    "DotStuffer",
    "Event",
    "Hello",
    "Help",
    "LineEnds",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "Reply",
    "ReplyLimits",
    "Rset",
    "SMTPClientWire",
    "SMTPReplyError",
    "SMTPServerWire",
    "SMTPSyntaxError",
    "StartTLS",
    "UnsafeArgument",
    "Vrfy",
    "WireLimits",
    "XClient",
    "ascii_domain",
    "parse_capabilities",
    "read_address",
    "render_bdat",
    "render_line",
    "render_lines",
    "render_path",
    "render_reply",
]
