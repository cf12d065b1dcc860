"""Writing header fields (RFC 5322, 6532), each by the syntax that belongs to its name."""

from mailproto.message._words import NeedsUTF8
from mailproto.smtp.client._header._addresses import addresses_of
from mailproto.smtp.client._header._kinds import is_address_field
from mailproto.smtp.client._header._text import field_text, is_parsed, read_text
from mailproto.smtp.client._header._write import write_fields

__all__ = [
    "NeedsUTF8",
    "addresses_of",
    "field_text",
    "is_address_field",
    "is_parsed",
    "read_text",
    "write_fields",
]
