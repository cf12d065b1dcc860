"""RFC 5322 and MIME, read from bytes as the world really sends them.

Nothing here raises on account of a message's octets, and nothing takes more than
linear time; limits are `NESTING_LIMIT`, `PARTS_LIMIT`, `BOUNDARY_LIMIT`, `HEADER_LIMIT`.
Content is ``bytes`` or a `mailproto.content.FileContent`, of which only a window is in
memory at a time.

At delivery::

    summarise(content) -> Summary(envelope, body_structure, index)   # all bytes, to be stored

For FETCH and POP3::

    Index.load(summary.index) -> Index           # or scan(content) -> Index
    section(content, index, Section(part=(1, 2), text="HEADER.FIELDS", fields=(b"Subject",))) -> Slices | None
    Slices: len(), chunks(start, stop) -> Iterator[bytes], bytes()
    body(content, index) -> bytes
    top(content, index, lines) -> Slices
    header_fields(content, start=0, stop=None) -> Iterator[Field(name, value, start, stop)]
"""

from mailproto.message._fields import HEADER_LIMIT, Field, header_fields
from mailproto.message._index import Index, scan
from mailproto.message._scan import BOUNDARY_LIMIT, NESTING_LIMIT, PARTS_LIMIT, Part
from mailproto.message._section import Section, Slices, section, top
from mailproto.message._summary import Summary, body, summarise

__all__ = [
    "BOUNDARY_LIMIT",
    "HEADER_LIMIT",
    "NESTING_LIMIT",
    "PARTS_LIMIT",
    "Field",
    "Index",
    "Part",
    "Section",
    "Slices",
    "Summary",
    "body",
    "header_fields",
    "scan",
    "section",
    "summarise",
    "top",
]
