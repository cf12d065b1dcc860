"""Reading messages (RFC 5322 and MIME) from bytes, as they really occur.

No function raises because of a message's octets, with two exceptions: `UnknownEncoding`, and
`parse_addresses` with ``strict``.  All take linear time at most.  Limits:
`NESTING_LIMIT`, `PARTS_LIMIT`, `BOUNDARY_LIMIT`, `HEADER_LIMIT`, `FIELDS_LIMIT`, `STRUCTURED_LIMIT`,
`ADDRESSES_LIMIT`, `TEXT_LIMIT`, `SUBJECT_LIMIT`, `IDS_LIMIT`, `ANCESTORS_LIMIT`, `FIELD_LIMIT`,
`FILE_NAME_LIMIT`, `INDEXED_LIMIT`, `ENVELOPE_LIMIT`, `STRUCTURE_LIMIT`, `SHOWN_TEXT_LIMIT`,
`SURROGATE_FIELD_LIMIT`.

What may take longer than some milliseconds within these limits also exists in steps, for a server that
must serve others in between: ``scan_steps``, ``Index.load_steps``, ``Sections.find_steps``,
``summarise_steps``, ``body_steps``, ``binary_size_steps``, ``top_steps`` and the methods of `Searchable`
with that ending are generators that pause at each ``yield`` and return the result::

    work = Working(summarise_steps(content))
    for _ in work:
        await turn()
    summary = work.result                    # finish(summarise_steps(content)) is summarise(content)

Content is ``bytes`` or a `mailproto.content.Content`; of one in a file only one window
at a time is in memory.

For applications (`docs/reading-mail.md` has examples)::

    Message(content): subject, from_, to, cc, reply_to, date, message_id, text, html, attachments;
        fields(name)
    Attachment: name, media_type, encoded_size, content_id, is_embedded, open()
    encode_header(text, name="Subject") -> bytes;  decode_header(value: bytes, charset="") -> str

At delivery::

    summarise(content) -> Summary(envelope, body_structure, index)   # all bytes, to be stored
    RENDER_VERSION                           # the version of summaries; older ones are made anew
    relations(content) -> Relations(id, ancestors, subject, is_reply)              # for threads
    received(helo=, peer=, by=, protocol=, identifier=, date=, recipient="", details=()) -> bytes
    fold(name: bytes, value: bytes) -> bytes                         # one field, safe to prepend
    header_section(octets, begun=False, gaps_before=0) -> HeaderSection(end, gaps)  # while a message comes in
    may_be_header(begun) -> bool;  is_mbox_line(line) -> bool

For FETCH and POP3::

    scan(content) -> Index;  Index.load(summary.index) -> Index;  Index.dump() -> bytes
    Index.root: Part;  Index.find(path) -> Part | None;  Index.parts() -> list[Part]
    section(content, index, Section(part=(1, 2), text="HEADER.FIELDS", fields=(b"Subject",))) -> Slices | None
    Sections(content, index): find_steps(section) -> Slices | None           # many of one message, in steps
    Slices: len(), chunks(start=0, stop=None) -> Iterator[bytes], bytes()
    body(content, index) -> bytes                                    # the value of BODY
    utf8_form(rendered) -> bytes             # ENVELOPE, BODY(STRUCTURE) for IMAP4rev2 and UTF8=ACCEPT
    structure_steps(content, part, extended=True) -> Steps[bytes]    # BODYSTRUCTURE of a part
    decoded_structure(content, part, size, encoding) -> bytes        # the same, encoded otherwise
    binary(content, index, path) -> Iterator[bytes] | None           # BINARY; raises UnknownEncoding
    binary_size(content, index, path) -> int | None
    top(content, index, lines) -> Slices
    ascii_header_steps(header) -> Steps[bytes]                       # a surrogate for clients without UTF-8
    preview(content, index, length=200) -> str

For SEARCH, SORT and THREAD (texts compare by `casemap`, i;unicode-casemap)::

    header_fields(content, start=0, stop=None) -> Iterator[Field(name, value, start, stop)]
    parameter_text(name: bytes, value: bytes) -> str
    Searchable(content, index, keys=()): in_header(name, key), in_addresses(name, key), in_body(key),
        in_text(key); key = search_key(text);  sent() -> datetime | None
    parse_date(value) -> datetime | None;  sent_date(value | None, arrival) -> datetime (UTC)
    base_subject(value) -> str;  is_reply(value) -> bool
    message_id(value) -> bytes | None;  references(references | None, in_reply_to | None) -> list[bytes]
    sort_mailbox(value | None) -> str;  display_name(value | None) -> str
    parse_addresses(value, strict=False) -> list[Mailbox(name, route, local, host)]
    decode_text(octets, charset) -> str;  supported_charset(name) -> bool;  html_text(source) -> str

For stores that keep what SEARCH, SORT and THREAD need; `FINDING_VERSION` is the version of all this::

    header_values(content, index) -> HeaderValues;  header_values_steps(content, index)
    plain_header_values(octets, header, body, names) -> list | None  # some of them, in microseconds
    search_texts_steps(content, index) -> Steps[SearchTexts(header, body) | None];  is_indexed_key(key)
    forest_steps(algorithm, messages: Iterable[ThreadMessage]) -> Steps[Forest(numbers, depths)]   # THREAD
    forest_pieces(numbers, depths) -> Iterator[bytes]                # the answer to THREAD

For servers that take 7-bit octets only (RFC 6152)::

    seven_bit_form_steps(content, index, write) -> Steps[None]       # raises NotConvertible

For writing structured fields anew::

    comment_end(value, at) -> int;  unquote(text) -> bytes

Functions take values of header fields as ``header_fields`` gives them: folded and not decoded.
"""

from mailproto.message._addresses import ADDRESSES_LIMIT, Mailbox, parse_addresses
from mailproto.message._attachment import Attachment
from mailproto.message._casemap import casemap, search_key
from mailproto.message._charset import decode_text, supported_charset
from mailproto.message._conversations import (
    Forest,
    forest_steps,
)
from mailproto.message._dates import date_text, parse_date, sent_date
from mailproto.message._encode_header import encode_header
from mailproto.message._encoded_words import decode_header, parameter_text
from mailproto.message._envelope import ENVELOPE_LIMIT, SHOWN_TEXT_LIMIT
from mailproto.message._fields import FIELD_LIMIT, FIELDS_LIMIT, HEADER_LIMIT, Field, header_fields
from mailproto.message._file_name import FILE_NAME_LIMIT
from mailproto.message._forest_text import forest_pieces
from mailproto.message._header_section import (
    BYTE_ORDER_MARK,
    HeaderSection,
    header_section,
    is_mbox_line,
    may_be_header,
)
from mailproto.message._header_values import (
    FINDING_VERSION,
    HeaderValues,
    header_values,
    header_values_steps,
    plain_header_values,
)
from mailproto.message._html import html_text
from mailproto.message._ids import IDS_LIMIT, message_id, message_ids, references
from mailproto.message._index import Index, scan, scan_steps
from mailproto.message._links import ThreadMessage
from mailproto.message._message import Message
from mailproto.message._mime import STRUCTURED_LIMIT
from mailproto.message._named_addresses import NamedAddress
from mailproto.message._part_text import TEXT_LIMIT
from mailproto.message._preview import PREVIEW_LENGTH, preview
from mailproto.message._relations import ANCESTORS_LIMIT, Relations, relations
from mailproto.message._scan import BOUNDARY_LIMIT, NESTING_LIMIT, PARTS_LIMIT, Part
from mailproto.message._search import Searchable
from mailproto.message._search_texts import (
    INDEXED_LIMIT,
    SearchTexts,
    is_indexed_key,
    search_texts_steps,
)
from mailproto.message._section import Section, Sections, Slices, section, top, top_steps
from mailproto.message._seven_bit_form import NotConvertible, seven_bit_form_steps
from mailproto.message._steps import Steps, Working, finish
from mailproto.message._structure import STRUCTURE_LIMIT, decoded_structure, structure_steps
from mailproto.message._summary import RENDER_VERSION, Summary, body, body_steps, summarise, summarise_steps
from mailproto.message._surrogate import SURROGATE_FIELD_LIMIT, ascii_header_steps
from mailproto.message._thread import (
    SUBJECT_LIMIT,
    base_subject,
    display_name,
    is_reply,
    sort_mailbox,
)
from mailproto.message._tokens import comment_end, unquote
from mailproto.message._transfer import UnknownEncoding, binary, binary_size, binary_size_steps
from mailproto.message._utf8_form import utf8_form
from mailproto.message._write import fold, received

__all__ = [
    "ADDRESSES_LIMIT",
    "ANCESTORS_LIMIT",
    "BOUNDARY_LIMIT",
    "BYTE_ORDER_MARK",
    "ENVELOPE_LIMIT",
    "FIELDS_LIMIT",
    "FIELD_LIMIT",
    "FILE_NAME_LIMIT",
    "FINDING_VERSION",
    "HEADER_LIMIT",
    "IDS_LIMIT",
    "INDEXED_LIMIT",
    "NESTING_LIMIT",
    "PARTS_LIMIT",
    "PREVIEW_LENGTH",
    "RENDER_VERSION",
    "SHOWN_TEXT_LIMIT",
    "STRUCTURED_LIMIT",
    "STRUCTURE_LIMIT",
    "SUBJECT_LIMIT",
    "SURROGATE_FIELD_LIMIT",
    "TEXT_LIMIT",
    "Attachment",
    "Field",
    "Forest",
    "HeaderSection",
    "HeaderValues",
    "Index",
    "Mailbox",
    "Message",
    "NamedAddress",
    "NotConvertible",
    "Part",
    "Relations",
    "SearchTexts",
    "Searchable",
    "Section",
    "Sections",
    "Slices",
    "Steps",
    "Summary",
    "ThreadMessage",
    "UnknownEncoding",
    "Working",
    "ascii_header_steps",
    "base_subject",
    "binary",
    "binary_size",
    "binary_size_steps",
    "body",
    "body_steps",
    "casemap",
    "comment_end",
    "date_text",
    "decode_header",
    "decode_text",
    "decoded_structure",
    "display_name",
    "encode_header",
    "finish",
    "fold",
    "forest_pieces",
    "forest_steps",
    "header_fields",
    "header_section",
    "header_values",
    "header_values_steps",
    "html_text",
    "is_indexed_key",
    "is_mbox_line",
    "is_reply",
    "may_be_header",
    "message_id",
    "message_ids",
    "parameter_text",
    "parse_addresses",
    "parse_date",
    "plain_header_values",
    "preview",
    "received",
    "references",
    "relations",
    "scan",
    "scan_steps",
    "search_key",
    "search_texts_steps",
    "section",
    "sent_date",
    "seven_bit_form_steps",
    "sort_mailbox",
    "structure_steps",
    "summarise",
    "summarise_steps",
    "supported_charset",
    "top",
    "top_steps",
    "unquote",
    "utf8_form",
]
