"""The text of a text part: its transfer encoding and its charset decoded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailproto.content import Octets
from mailproto.message._charset import decode_text
from mailproto.message._decoders import US_ASCII
from mailproto.message._encoded_words import parameter_text
from mailproto.message._html import html_text
from mailproto.message._labels import decoder_for
from mailproto.message._mime import STRUCTURED_LIMIT, Parameter
from mailproto.message._scan import Part
from mailproto.message._transfer import UnknownEncoding, decoded

__all__ = ["TEXT_LIMIT", "part_charset", "part_source", "part_text"]

TEXT_LIMIT = 16 << 20
"""How many octets of the encoded bodies of text parts are read; the rest is not."""

_HTML = (b"html", b"xhtml")

_loose_charset = re.compile(rb"charset\*?[ \t]*[=:][ \t\"']*([^ \t\r\n;,\"']+)", re.IGNORECASE).search
_meta_charset = re.compile(rb"<meta\s[^>]*?charset\s*=[\s\"']*([a-z0-9_.:-]+)", re.IGNORECASE).search


def part_source(content: Octets, part: Part, limit: int = TEXT_LIMIT) -> str:
    """The text of a text part, with the markup if it is HTML.

    :param limit: how many octets of the encoded body are read.
    """
    try:
        octets = b"".join(decoded(content, part, limit))
    except UnknownEncoding:
        octets = content[part.body : min(part.end, part.body + limit)]
    if part.end - part.body > limit:
        octets = octets[: _end_of_characters(octets)]
    _, subtype, parameters = part.content_type(content)
    charset = part_charset(part, content, parameters)
    if (
        subtype.lower() in _HTML
        and decoder_for(charset) in (None, US_ASCII)
        and (found := _meta_charset(octets, 0, 1024))
    ):
        charset = found[1].decode("latin-1")  # as in browsers, which take UTF-16 for UTF-8 here
        charset = "utf-8" if charset.lower().startswith("utf-16") else charset
    return decode_text(octets, charset)


def part_text(content: Octets, part: Part, limit: int = TEXT_LIMIT) -> str:
    """As `part_source`, but of HTML, only the text."""
    text = part_source(content, part, limit)
    return html_text(text) if part.content_type(content)[1].lower() in _HTML else text


def part_charset(part: Part, content: Octets, parameters: Iterable[Parameter]) -> str:
    """The charset in the parameters; or in the field, if it is not a valid parameter."""
    for name, value in parameters:
        name = name.lower()
        if name == b"charset" and value:
            return value.decode("latin-1")
        if name == b"charset*":
            return parameter_text(name, value)
    values = part.fields(content).get(b"content-type")
    found = _loose_charset(values[0][:STRUCTURED_LIMIT]) if values else None
    return found[1].decode("latin-1") if found else ""


def _end_of_characters(octets: bytes) -> int:
    """The offset after the last whole character of UTF-8; half a character would be no UTF-8 at all."""
    for tail in range(1, min(4, len(octets) + 1)):
        octet = octets[-tail]
        if octet >= 0xC0:
            length = 2 if octet < 0xE0 else 3 if octet < 0xF0 else 4
            return len(octets) - tail if length > tail else len(octets)
        if octet < 0x80:
            break
    return len(octets)
