"""SMTP and LMTP without I/O, for servers and clients: octets become events, and values become octets."""

from mailproto.smtp.wire._capabilities import NO_CAPABILITIES, Capabilities, parse_capabilities
from mailproto.smtp.wire._chunks import ChunkedText
from mailproto.smtp.wire._commands import VERBS
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
    Etrn,
    Event,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    OwnCommand,
    Quit,
    Rcpt,
    Rset,
    StartTLS,
    Vrfy,
    XClient,
)
from mailproto.smtp.wire._grammar import is_host
from mailproto.smtp.wire._limits import SMTPWireLimits
from mailproto.smtp.wire._newlines import is_canonical
from mailproto.smtp.wire._notifications import (
    MAX_ENVELOPE_ID,
    MAX_ORIGINAL_RECIPIENT,
    Notify,
    OriginalRecipient,
    Returned,
)
from mailproto.smtp.wire._options import DeliverBy, MailOptions, RcptOptions, mail_options, rcpt_options
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
from mailproto.smtp.wire._xtext import decode_xtext, encode_xtext

__all__ = [
    "MAX_ENVELOPE_ID",
    "MAX_ORIGINAL_RECIPIENT",
    "NO_CAPABILITIES",
    "VERBS",
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
    "DeliverBy",
    "DotStuffer",
    "Etrn",
    "Event",
    "Expn",
    "Hello",
    "Help",
    "LineEnds",
    "Mail",
    "MailOptions",
    "Noop",
    "Notify",
    "OriginalRecipient",
    "OwnCommand",
    "Quit",
    "Rcpt",
    "RcptOptions",
    "Reply",
    "ReplyLimits",
    "Returned",
    "Rset",
    "SMTPClientWire",
    "SMTPReplyError",
    "SMTPServerWire",
    "SMTPSyntaxError",
    "SMTPWireLimits",
    "StartTLS",
    "UnsafeArgument",
    "Vrfy",
    "XClient",
    "ascii_domain",
    "decode_xtext",
    "encode_xtext",
    "is_canonical",
    "is_host",
    "mail_options",
    "parse_capabilities",
    "rcpt_options",
    "read_address",
    "render_bdat",
    "render_line",
    "render_lines",
    "render_path",
    "render_reply",
]
