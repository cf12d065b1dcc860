"""What the header of a part says about its body; of small headers, this is remembered."""

from __future__ import annotations

import functools
from typing import NamedTuple

from mailproto.message._delimiters import BOUNDARY_LIMIT
from mailproto.message._fields import Fields, part_fields
from mailproto.message._mime import ContentType, content_type

__all__ = [
    "LEAF",
    "MESSAGE",
    "MESSAGE_SUBTYPES",
    "MULTIPART",
    "OPAQUE",
    "TEXT",
    "Heading",
    "heading_of",
    "remembered_heading",
]

MESSAGE_SUBTYPES = (b"rfc822", b"global")
"""The subtypes of message/* that contain a message (RFC 2046 5.2.1, RFC 6532 3.7)."""

LEAF, TEXT, MULTIPART, MESSAGE, OPAQUE = range(5)
"""The kinds of parts.

`TEXT` is text/*, `MULTIPART` is multipart/*, `MESSAGE` is message/rfc822 or message/global, `OPAQUE` is
a message or multipart beyond a limit, which was not scanned, and `LEAF` is any other type.
"""

_PLAIN_TEXT: ContentType = (b"text", b"plain", ())


class Heading(NamedTuple):
    """What a header says.

    :ivar fields: those for BODYSTRUCTURE, and of a message also those for ENVELOPE.
    :ivar type: type, subtype and parameters; those of plain text if there is no field.
    :ivar kind: `LEAF`, `TEXT`, `MULTIPART` or `MESSAGE`; None if there is no field that tells it.
    :ivar boundary: that of a multipart.
    """

    fields: Fields
    type: ContentType
    kind: int | None
    boundary: bytes | None


def heading_of(fields: Fields) -> Heading:
    """What some fields say."""
    values = fields.get(b"content-type")
    if values is None:
        return Heading(fields, _PLAIN_TEXT, None, None)
    found = content_type(values[0])
    name, subtype, parameters = found
    name = name.lower()
    if name == b"text":
        return Heading(fields, found, TEXT, None)
    if name == b"multipart" and subtype:
        boundaries = [text for name, text in parameters if name.lower() == b"boundary"]
        return Heading(fields, found, MULTIPART, boundaries[0][:BOUNDARY_LIMIT] if boundaries else None)
    is_message = name == b"message" and subtype.lower() in MESSAGE_SUBTYPES
    return Heading(fields, found, MESSAGE if is_message else LEAF, None)


@functools.lru_cache(2048)
def remembered_heading(block: bytes) -> Heading:
    """What the small header block of a part says.

    Most parts have one of a few headers: what their sender's program always writes.
    """
    return heading_of(part_fields(block))
