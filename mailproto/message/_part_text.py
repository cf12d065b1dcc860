"""The text of a text part: its transfer encoding and its charset decoded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from mailproto.content import Octets, chunks
from mailproto.message._charset import charset_with_mark, decode_text
from mailproto.message._decoders import US_ASCII
from mailproto.message._encoded_words import parameter_text
from mailproto.message._html import HTMLText, html_text, may_show
from mailproto.message._labels import decoder_for
from mailproto.message._mime import STRUCTURED_LIMIT, Parameter
from mailproto.message._scan import Part
from mailproto.message._transfer import UnknownEncoding, decoded

__all__ = ["PIECE", "TEXT_LIMIT", "part_charset", "part_source", "part_text", "text_pieces"]

TEXT_LIMIT = 16 << 20
"""How many octets of the encoded bodies of text parts are read; the rest is not."""

PIECE = 1 << 14
"""How many octets are decoded at a time: even the worst take some milliseconds."""

_MARKUP = 1 << 13
"""How many characters of HTML are read at a time."""

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
    return decode_text(octets, _charset(content, part, octets))


def _charset(content: Octets, part: Part, beginning: bytes) -> str:
    """The charset of a text part, whose decoded body begins with ``beginning``."""
    charset = part_charset(part, content, part.content_type(content)[2])
    if (
        _is_html(content, part)
        and decoder_for(charset) in (None, US_ASCII)
        and (found := _meta_charset(beginning, 0, 1024))
    ):
        charset = found[1].decode("latin-1")  # as in browsers, which take UTF-16 for UTF-8 here
        charset = "utf-8" if charset.lower().startswith("utf-16") else charset
    return charset


def _is_html(content: Octets, part: Part) -> bool:
    return part.content_type(content)[1].lower() in _HTML


def part_text(content: Octets, part: Part, limit: int = TEXT_LIMIT, word: str = "") -> str:
    """As `part_source`, but of HTML, only the text.

    :param word: the text may be left out if it does not contain this, in whatever case.
    """
    text = part_source(content, part, limit)
    if not _is_html(content, part):
        return text
    return html_text(text) if not word or may_show(text, word) else ""


def text_pieces(content: Octets, part: Part, limit: int) -> Iterator[str]:
    """As `part_text`, in pieces, each of at most `PIECE` octets of a decoded body.

    It is the same text, but for octets that are not valid in its charset: these are decoded in each piece
    as if there were nothing else.

    :param limit: how many octets of the encoded body are read.
    """
    if min(part.end - part.body, limit) <= PIECE:
        yield part_text(content, part, limit)
        return
    try:
        octets = decoded(content, part, limit)
    except UnknownEncoding:
        octets = chunks(content, part.body, min(part.end, part.body + limit))
    reader = HTMLText() if _is_html(content, part) else None
    rest = iter(octets)
    first = next(filter(None, rest), b"")
    charset = _charset(content, part, first)
    is_wide = decode_text(b"aaaa", charset_with_mark(first, charset)) != "aaaa"
    for piece in _cut(itertools.chain((first,), rest), at_lines=not is_wide):
        text = decode_text(piece, charset)
        if first:
            charset, first = charset_with_mark(first, charset), b""
        if reader is None:
            yield text
        else:
            for at in range(0, len(text), _MARKUP):
                yield reader.read(text[at : at + _MARKUP])
    if reader:
        yield reader.read("", is_last=True)


def _cut(octets: Iterable[bytes], *, at_lines: bool) -> Iterator[bytes]:
    """Cut ``octets`` into pieces of at most `PIECE`.

    :param at_lines: whether to cut after a line, if possible, which ends what a charset remembers; not if
        an octet LF may be a part of a character.
    """
    rest = b""
    for each in octets:
        rest += each
        at = 0
        while len(rest) - at > PIECE:
            stop = at + PIECE
            if at_lines:
                line = rest.rfind(b"\n", at, stop) + 1 or rest.rfind(b" ", at, stop) + 1
                stop = line or at + _end_of_characters(rest[at:stop])
            yield rest[at:stop]
            at = stop
        rest = rest[at:]
    if rest:
        yield rest


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
