"""What SEARCH looks at: headers and bodies as text, case-mapped (RFC 9051 6.4.4), and PREVIEW (RFC 8970)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from mailproto.content import Content
from mailproto.message._casemap import searched_key, searched_text
from mailproto.message._charset import decode_text
from mailproto.message._decoders import US_ASCII
from mailproto.message._encoded_words import decode_header, parameter_text
from mailproto.message._fields import HEADER_LIMIT, header_fields
from mailproto.message._html import html_text
from mailproto.message._index import Index
from mailproto.message._labels import decoder_for
from mailproto.message._mime import STRUCTURED_LIMIT, Parameter
from mailproto.message._scan import LEAF, MESSAGE, MULTIPART, TEXT, Part
from mailproto.message._transfer import UnknownEncoding, decoded

__all__ = ["PREVIEW_LENGTH", "TEXT_LIMIT", "Searchable", "preview"]

TEXT_LIMIT = 16 << 20
"""Octets of one part's encoded body that are read as text; what follows is not searched."""

PREVIEW_LENGTH = 200
"""Characters of a preview (RFC 8970 3.3: SHOULD be no more)."""

_PREVIEW_OCTETS = 1 << 16

_TEXTS_LIMIT = 100  # of which a charset is sought


class Searchable:
    """One message for SEARCH: each text is made when it is first asked for, and kept.

    Keys are texts already mapped by `casemap`; a key matches anywhere in a text.  White space
    in a key is any white space, since senders break lines where they like, and what no reader
    sees (soft hyphens and the like) counts for nothing.
    """

    def __init__(self, content: Content, index: Index) -> None:
        self.content = content
        self.index = index
        self._headers: list[tuple[bytes, str]] | None = None
        self._bodies: list[str] | None = None
        self._lines: list[str] | None = None

    def headers(self) -> list[tuple[bytes, str]]:
        """Name in lower case and case-mapped decoded value, on one line, of each field of the header."""
        if self._headers is None:
            self._headers = self._mapped_fields()
        return self._headers

    def _mapped_fields(self) -> list[tuple[bytes, str]]:
        root, charset = self.index.root, None
        fields = []
        for name, value, _, _ in header_fields(self.content, root.header, root.body):
            if charset is None and not value.isascii():
                charset = self._charset_of_texts()
            text = searched_text(decode_header(value, charset or ""))
            fields.append((name.lower(), _with_single_blanks(text)))
        return fields

    def _charset_of_texts(self) -> str:
        """That of the first text that names one: senders who do not encode their headers write all in it."""
        texts = (part for part in self.index.parts() if part.kind == TEXT)
        for part in itertools.islice(texts, _TEXTS_LIMIT):
            if charset := _charset(part, self.content, part.content_type(self.content)[2]):
                return charset
        return ""

    def in_header(self, name: bytes, key: str) -> bool:
        """HEADER: whether a field ``name`` holds ``key``; any such field will do for ""."""
        name, key = name.lower(), searched_key(key)
        return any(own == name and key in value for own, value in self.headers())

    def in_body(self, key: str) -> bool:
        """BODY: whether a text part, or the header of a message within the message, holds ``key``."""
        key = searched_key(key)
        texts = self._on_one_line() if " " in key else self.bodies()
        return not key or any(key in text for text in texts)

    def in_text(self, key: str) -> bool:
        """TEXT: whether the header, names of fields included, or the body holds ``key``."""
        wanted = searched_key(key)
        return any(
            wanted in value or wanted in f"{name.decode('latin-1').upper()}: {value}"
            for name, value in self.headers()
        ) or self.in_body(key)

    def bodies(self) -> list[str]:
        """The case-mapped texts of the body, one for each text part and each header of a message within."""
        if self._bodies is None:
            self._bodies = [searched_text(text) for text in self._texts()]
        return self._bodies

    def _on_one_line(self) -> list[str]:
        """`bodies` with one blank for each white space, and one at both ends."""
        if self._lines is None:
            self._lines = [f" {_one_line(text)} " for text in self.bodies()]
        return self._lines

    def _texts(self) -> Iterator[str]:
        for part in self.index.parts():
            if part.kind == TEXT:
                yield part_text(self.content, part)
            elif part.kind == MESSAGE:
                child = part.children[0]
                for name, value, _, _ in header_fields(self.content, child.header, child.body):
                    yield f"{name.decode('latin-1')}: {decode_header(value)}"
            elif part.kind == LEAF and _is_report(self.content, part):
                yield part_text(self.content, part)


def _is_report(content: Content, part: Part) -> bool:
    """Whether ``part`` is fields and their values, as in message/delivery-status."""
    # Most parts are something else, which a look at the octets tells.
    stop = min(part.body, part.header + HEADER_LIMIT)
    if b"message" not in content[part.header : stop].lower():
        return False
    return part.content_type(content)[0].lower() == b"message"


def _with_single_blanks(value: str) -> str:
    """A header's value, whose line ends are gone."""
    return " ".join(value.split()) if "  " in value or "\t" in value else value


_SLICE = 1 << 20
_blank = re.compile(r"\s").search


def _one_line(text: str) -> str:
    """``text`` with one blank for each white space; of a long text not all words are in memory at once."""
    if len(text) <= _SLICE:
        return " ".join(text.split())
    pieces, at = [], 0
    while at < len(text):
        end = _blank(text, at + _SLICE)
        stop = end.start() if end else len(text)
        pieces.append(" ".join(text[at:stop].split()))
        at = stop
    return " ".join(filter(None, pieces))


def part_text(content: Content, part: Part, limit: int = TEXT_LIMIT) -> str:
    """A text part's text: transfer encoding and charset undone, HTML reduced to what is read."""
    try:
        octets = b"".join(decoded(content, part, limit))
    except UnknownEncoding:
        octets = content[part.body : min(part.end, part.body + limit)]
    _, subtype, parameters = part.content_type(content)
    is_html = subtype.lower() in (b"html", b"xhtml")
    charset = _charset(part, content, parameters)
    if is_html and decoder_for(charset) in (None, US_ASCII) and (found := _meta_charset(octets, 0, 1024)):
        charset = found[1].decode("latin-1")  # as browsers do, which take UTF-16 for UTF-8 here
        charset = "utf-8" if charset.lower().startswith("utf-16") else charset
    text = decode_text(octets, charset)
    return html_text(text) if is_html else text


_loose_charset = re.compile(rb"charset\*?[ \t]*[=:][ \t\"']*([^ \t\r\n;,\"']+)", re.IGNORECASE).search
_meta_charset = re.compile(rb"<meta\s[^>]*?charset\s*=[\s\"']*([a-z0-9_.:-]+)", re.IGNORECASE).search


def _charset(part: Part, content: Content, parameters: Iterable[Parameter]) -> str:
    """What the parameters say, else what the field says where it is no parameter."""
    for name, value in parameters:
        name = name.lower()
        if name == b"charset" and value:
            return value.decode("latin-1")
        if name == b"charset*":
            return parameter_text(name, value)
    values = part.fields(content).get(b"content-type")
    found = _loose_charset(values[0][:STRUCTURED_LIMIT]) if values else None
    return found[1].decode("latin-1") if found else ""


def preview(content: Content, index: Index, length: int = PREVIEW_LENGTH) -> str:
    """The first ``length`` characters that a reader would read, on one line; "" where there is no text.

    Of alternatives the plain text is taken; what the author quotes is left out if anything else is there.
    """
    part = _preview_part(index.root, content)
    if part is None:
        return ""
    text = part_text(content, part, _PREVIEW_OCTETS)
    own = " ".join(" ".join([line for line in text.splitlines() if not line.startswith(">")]).split())
    whole = own or " ".join(text.split())
    shown = "".join([character for character in whole[:length] if character.isprintable()])
    return shown.rstrip()


def _preview_part(root: Part, content: Content) -> Part | None:
    """The first text part, but a plain one beside it rather than an HTML one."""
    html: Part | None = None
    stack = [root]
    while stack:
        part = stack.pop()
        if part.kind == MULTIPART:
            stack.extend(reversed(part.children))
        elif part.kind == TEXT and part.body < part.end:
            if part.content_type(content)[1].lower() == b"plain":
                return part
            html = html or part
    return html
