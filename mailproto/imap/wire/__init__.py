"""IMAP4rev1 as octets in, events out (RFC 3501), for the server's side; sans-IO.

`IMAPServerWire` is a `mailproto.connection.Wire`: octets go into `receive`, and `next_event`
gives what they mean::

    Command(tag, name, uid, arguments)             a whole command; one value class a grammar
    LiteralRequest(tag, size)                      write "+", or answer and refuse_literal()
    AppendLiteral(tag, arguments, synchronizing)   the same, before APPEND's message comes;
    LiteralChunk(data)                             which then comes so, and last the Command
    ContinuationLine(data)                         the line after expect_line()

or raises `IMAPWireError`: what to answer (BAD or NO, code, tag), and whether to hang up.  If
that happens between AppendLiteral and its Command, the message is to be dropped.

With the commands of RFC 3501 are read IDLE, UIDPLUS, MOVE, NAMESPACE, SPECIAL-USE, LITERAL+,
ID, ENABLE, UNSELECT, SASL-IR, LIST-EXTENDED, LIST-STATUS, STATUS=SIZE, the RETURN of ESEARCH,
and of CONDSTORE the modifiers CHANGEDSINCE and UNCHANGEDSINCE.  What a server does not offer
it has to refuse itself.

The rest renders values as octets of responses, and `SequenceSet` resolves sets against what
is there; the errors of its methods have no tag.
"""

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
from mailproto.imap.wire._responses import (
    encode_mailbox,
    flag_list,
    format_set,
    internal_date,
    quoted_or_literal,
)
from mailproto.imap.wire._search_keys import (
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
from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = [
    "NO_ARGUMENTS",
    "All",
    "And",
    "Append",
    "AppendLiteral",
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
    "internal_date",
    "quoted_or_literal",
]
