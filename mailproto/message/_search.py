"""Headers and bodies as case-mapped text for SEARCH (RFC 9051 6.4.4), and PREVIEW (RFC 8970)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from mailproto.content import Octets
from mailproto.message._casemap import searched_key, searched_text
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import HEADER_LIMIT, header_fields
from mailproto.message._index import Index
from mailproto.message._part_text import part_charset, part_text
from mailproto.message._scan import LEAF, MESSAGE, MULTIPART, TEXT, Part

__all__ = ["PREVIEW_LENGTH", "Searchable", "preview"]

PREVIEW_LENGTH = 200
"""The most characters of a preview (RFC 8970 3.3, SHOULD)."""

_PREVIEW_OCTETS = 1 << 16

_TEXTS_LIMIT = 100  # in which a charset is looked for


class Searchable:
    """One message for SEARCH; each text is made when it is first needed, and kept.

    Keys are texts mapped by `casemap`; a key matches anywhere in a text.  White space in a key matches
    any white space, because senders break lines anywhere.  Invisible characters, such as soft hyphens,
    are ignored.
    """

    def __init__(self, content: Octets, index: Index) -> None:
        self.content = content
        self.index = index
        self._headers: list[tuple[bytes, str]] | None = None
        self._bodies: list[str] | None = None
        self._lines: list[str] | None = None

    def headers(self) -> list[tuple[bytes, str]]:
        """The header's fields: the name in lower case, and the value decoded, mapped, and on one line."""
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
        """The charset of the first text that names one; 8-bit octets in the header are often in it, too."""
        texts = (part for part in self.index.parts() if part.kind == TEXT)
        for part in itertools.islice(texts, _TEXTS_LIMIT):
            if charset := part_charset(part, self.content, part.content_type(self.content)[2]):
                return charset
        return ""

    def in_header(self, name: bytes, key: str) -> bool:
        """HEADER: whether a field ``name`` contains ``key``; "" matches every field of that name."""
        name, key = name.lower(), searched_key(key)
        return any(own == name and key in value for own, value in self.headers())

    def in_body(self, key: str) -> bool:
        """BODY: whether a text part contains ``key``, or the header of a message within the message does."""
        key = searched_key(key)
        texts = self._on_one_line() if " " in key else self.bodies()
        return not key or any(key in text for text in texts)

    def in_text(self, key: str) -> bool:
        """TEXT: whether the header (with names of fields) or the body contains ``key``."""
        wanted = searched_key(key)
        return any(
            wanted in value or wanted in f"{name.decode('latin-1').upper()}: {value}"
            for name, value in self.headers()
        ) or self.in_body(key)

    def bodies(self) -> list[str]:
        """The mapped texts of the body: one for each text part, and for the header of each message within."""
        if self._bodies is None:
            self._bodies = [searched_text(text) for text in self._texts()]
        return self._bodies

    def _on_one_line(self) -> list[str]:
        """`bodies` with single blanks for white space, and with a blank at both ends."""
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


def _is_report(content: Octets, part: Part) -> bool:
    """Whether ``part`` consists of fields, such as message/delivery-status."""
    # Most parts are not, which a search in the octets shows.
    stop = min(part.body, part.header + HEADER_LIMIT)
    if b"message" not in content[part.header : stop].lower():
        return False
    return part.content_type(content)[0].lower() == b"message"


def _with_single_blanks(value: str) -> str:
    """An unfolded header value with single blanks for white space."""
    return " ".join(value.split()) if "  " in value or "\t" in value else value


_SLICE = 1 << 20
_blank = re.compile(r"\s").search


def _one_line(text: str) -> str:
    """``text`` with single blanks for white space, without having all words of a long text in memory."""
    if len(text) <= _SLICE:
        return " ".join(text.split())
    pieces, at = [], 0
    while at < len(text):
        end = _blank(text, at + _SLICE)
        stop = end.start() if end else len(text)
        pieces.append(" ".join(text[at:stop].split()))
        at = stop
    return " ".join(filter(None, pieces))


def preview(content: Octets, index: Index, length: int = PREVIEW_LENGTH) -> str:
    """The first ``length`` characters of the text that a person reads, on one line; "" if there is no text.

    Of alternatives, the plain text is used.  Quoted text is left out, unless there is no other text.
    """
    part = _preview_part(index.root, content)
    if part is None:
        return ""
    text = part_text(content, part, _PREVIEW_OCTETS)
    own = " ".join(" ".join([line for line in text.splitlines() if not line.startswith(">")]).split())
    whole = own or " ".join(text.split())
    shown = "".join([character for character in whole[:length] if character.isprintable()])
    return shown.rstrip()


def _preview_part(root: Part, content: Octets) -> Part | None:
    """The first text part; if that is HTML, and a plain text is next to it, the plain text."""
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
