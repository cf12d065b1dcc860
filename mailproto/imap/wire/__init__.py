"""The server's side of IMAP4rev1 (RFC 3501) without I/O: octets become events, values become octets.

`IMAPServerWire` is a `mailproto.connection.Wire`.  Octets go into `receive`, and `next_event`
gives events::

    Command(tag, name, uid, arguments)             a whole command; its arguments are a value class
    LiteralRequest(tag, size)                      write "+", or answer and call refuse_literal()
    AppendLiteral(tag, arguments, synchronizing)   the same, before the message of APPEND
    LiteralChunk(data)                             some of this message; after it comes the Command
    ContinuationLine(data)                         the line after expect_line()

`next_event` raises `IMAPWireError` if the client made an error.  It says what to answer (BAD or NO,
code, tag), and whether to close the connection.  If it comes after AppendLiteral and before its
Command, the message must be dropped.

The wire reads the commands of RFC 3501, and IDLE, UIDPLUS, MOVE, NAMESPACE, SPECIAL-USE, LITERAL+,
ID, ENABLE, UNSELECT, SASL-IR, LIST-EXTENDED, LIST-STATUS, STATUS=SIZE, ESEARCH's RETURN, and
CONDSTORE's modifiers CHANGEDSINCE and UNCHANGEDSINCE.  A server must itself refuse what it does not
offer.

The other functions render values as octets of responses.  `SequenceSet` resolves sets to the
messages of a mailbox; the errors that its methods raise have no tag.
"""

from mailproto.imap.wire._argument_reader import ArgumentReader
from mailproto.imap.wire._commands import (
    NO_ARGUMENTS,
    Append,
    Arguments,
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
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import (
    AppendLiteral,
    Command,
    ContinuationLine,
    Event,
    LiteralChunk,
    LiteralRequest,
)
from mailproto.imap.wire._framing import IMAPServerWire
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._parser import NAMES, Grammars, grammars_with
from mailproto.imap.wire._responses import (
    encode_mailbox,
    flag_list,
    format_set,
    internal_date,
    quoted_or_literal,
)
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
from mailproto.imap.wire._sequence_set import SequenceSet, set_pieces

__all__ = [
    "NAMES",
    "NO_ARGUMENTS",
    "Address",
    "All",
    "And",
    "Append",
    "AppendLiteral",
    "ArgumentReader",
    "Arguments",
    "Authenticate",
    "Body",
    "Command",
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
    "Grammars",
    "Header",
    "IMAPServerWire",
    "IMAPWireError",
    "IMAPWireLimits",
    "Id",
    "List",
    "LiteralChunk",
    "LiteralRequest",
    "Login",
    "Lsub",
    "MailboxName",
    "New",
    "NoArguments",
    "Not",
    "Numbers",
    "Old",
    "Or",
    "Recent",
    "Rename",
    "Search",
    "SearchKey",
    "Select",
    "SequenceSet",
    "Size",
    "Status",
    "Store",
    "Text",
    "UidExpunge",
    "Uids",
    "encode_mailbox",
    "flag_list",
    "format_set",
    "grammars_with",
    "internal_date",
    "quoted_or_literal",
    "set_pieces",
]
