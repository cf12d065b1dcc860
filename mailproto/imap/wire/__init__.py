"""The server's side of IMAP4rev1 (RFC 3501) without I/O: octets become events, values become octets.

`IMAPServerWire` is a `mailproto.connection.Wire`.  Octets go into `receive`, and `next_event`
gives events::

    Command(tag, name, uid, arguments)             a whole command; its arguments are a value class
    LiteralRequest(tag, size)                      write "+", or answer and call refuse_literal()
    StreamedLiteral(tag, name, arguments, ...)     the same, before a message of APPEND
    LiteralChunk(data)                             some of this message; in the end comes the Command
    ContinuationLine(data)                         the line after expect_line()

`next_event` raises `IMAPWireError` if the client made an error.  It says what to answer (BAD or NO,
code, tag), and whether to close the connection.  If it comes after StreamedLiteral and before its
Command, the message must be dropped.

What the wire reads is in the tables of a `Syntax`: commands with their grammars, the items of FETCH, the
keys of SEARCH, and other words.  A grammar reads arguments with an `ArgumentReader`; one that is `Streamed`
asks for its literals one after another.  `LineReader` only knows lines and literals, and is good for other
protocols and for clients.

The other functions render values as octets of responses.  `SequenceSet` resolves sets to the
messages of a mailbox; the errors that its methods raise have no tag.
"""

from mailproto.imap.wire._arguments import (
    NO_OPTIONS,
    ArgumentReader,
    CommandSyntax,
    Grammar,
    Option,
    Options,
    Steps,
    Streamed,
    Syntax,
    Upload,
    no_value,
    own_arguments,
)
from mailproto.imap.wire._commands import (
    NO_ARGUMENTS,
    Append,
    AppendMessage,
    Authenticate,
    Copy,
    Create,
    Enable,
    Fetch,
    FetchAttribute,
    FetchItem,
    FetchSection,
    Id,
    List,
    Literal,
    Login,
    Lsub,
    MailboxName,
    NoArguments,
    Rename,
    Search,
    Select,
    Status,
    Store,
    UidExpunge,
)
from mailproto.imap.wire._cursor import Respelled
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import (
    Command,
    ContinuationLine,
    Event,
    LiteralChunk,
    LiteralRequest,
    StreamedLiteral,
)
from mailproto.imap.wire._framing import IMAPServerWire
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._lines import Announcement, LineReader, ReadError
from mailproto.imap.wire._responses import (
    astring,
    encode_mailbox,
    flag_list,
    format_set,
    internal_date,
    quoted_or_literal,
)
from mailproto.imap.wire._search import KeyReader
from mailproto.imap.wire._search_keys import (
    Address,
    All,
    And,
    Body,
    DateKey,
    Flagged,
    Header,
    New,
    Not,
    Numbers,
    Old,
    Or,
    Recent,
    SearchKey,
    Size,
    Text,
    Uids,
)
from mailproto.imap.wire._sequence_set import SAVED, SequenceSet, ordered_set_pieces, set_pieces
from mailproto.imap.wire._urls import MessageURL, bad_url, message_url

__all__ = [
    "NO_ARGUMENTS",
    "NO_OPTIONS",
    "SAVED",
    "Address",
    "All",
    "And",
    "Announcement",
    "Append",
    "AppendMessage",
    "ArgumentReader",
    "Authenticate",
    "Body",
    "Command",
    "CommandSyntax",
    "ContinuationLine",
    "Copy",
    "Create",
    "DateKey",
    "Enable",
    "Event",
    "Fetch",
    "FetchAttribute",
    "FetchItem",
    "FetchSection",
    "Flagged",
    "Grammar",
    "Header",
    "IMAPServerWire",
    "IMAPWireError",
    "IMAPWireLimits",
    "Id",
    "KeyReader",
    "LineReader",
    "List",
    "Literal",
    "LiteralChunk",
    "LiteralRequest",
    "Login",
    "Lsub",
    "MailboxName",
    "MessageURL",
    "New",
    "NoArguments",
    "Not",
    "Numbers",
    "Old",
    "Option",
    "Options",
    "Or",
    "ReadError",
    "Recent",
    "Rename",
    "Respelled",
    "Search",
    "SearchKey",
    "Select",
    "SequenceSet",
    "Size",
    "Status",
    "Steps",
    "Store",
    "Streamed",
    "StreamedLiteral",
    "Syntax",
    "Text",
    "UidExpunge",
    "Uids",
    "Upload",
    "astring",
    "bad_url",
    "encode_mailbox",
    "flag_list",
    "format_set",
    "internal_date",
    "message_url",
    "no_value",
    "ordered_set_pieces",
    "own_arguments",
    "quoted_or_literal",
    "set_pieces",
]
