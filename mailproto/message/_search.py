"""Headers and bodies as case-mapped text for SEARCH (RFC 9051 6.4.4), and PREVIEW (RFC 8970)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from mailproto.content import Octets
from mailproto.message._casemap import searched_key, searched_text
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import FIELD_LIMIT, HEADER_LIMIT, limited_fields
from mailproto.message._index import Index
from mailproto.message._part_text import PIECE, TEXT_LIMIT, part_charset, part_text, text_pieces
from mailproto.message._scan import LEAF, MESSAGE, MULTIPART, TEXT, Part
from mailproto.message._steps import Steps, finish

__all__ = ["PREVIEW_LENGTH", "Searchable", "preview"]

PREVIEW_LENGTH = 200
"""The most characters of a preview (RFC 8970 3.3, SHOULD)."""

_PREVIEW_OCTETS = 1 << 15

_TEXTS_LIMIT = 100  # in which a charset is looked for


_KEPT = 1 << 20
"""How many characters of a large body are kept for the next key; of more, the text is made anew."""

_LITTLE = 1 << 13
"""So many characters of a header are mapped between pauses."""


class Searchable:
    """One message for SEARCH; each text is made when it is first needed, and kept, if it is not too large.

    Keys are texts mapped by `casemap`; a key matches anywhere in a text.  White space in a key matches
    any white space, because senders break lines anywhere.  Invisible characters, such as soft hyphens,
    are ignored.

    A message of more than 16 KB is searched in pieces.  `in_header_steps`, `in_body_steps` and
    `in_text_steps` pause after each.  Of the texts, `TEXT_LIMIT` octets are searched in all; of a header,
    `HEADER_LIMIT` octets and `FIELDS_LIMIT` fields, and `FIELD_LIMIT` octets of each.
    """

    def __init__(self, content: Octets, index: Index) -> None:
        self.content = content
        self.index = index
        self._is_small = index.root.end <= PIECE
        self._headers: list[tuple[bytes, str]] | None = None
        self._bodies: list[str] | None = None
        self._lines: list[str] | None = None
        self._pieces: list[str | None] | None = None

    def in_header(self, name: bytes, key: str) -> bool:
        """HEADER: whether a field ``name`` contains ``key``; "" matches every field of that name."""
        return finish(self.in_header_steps(name, key))

    def in_header_steps(self, name: bytes, key: str) -> Steps[bool]:
        """As `in_header`, in steps."""
        name, key = name.lower(), searched_key(key)
        if self._headers is None:
            self._headers = yield from self._mapped_fields()
        return any(own == name and key in value for own, value in self._headers)

    def in_body(self, key: str) -> bool:
        """BODY: whether a text part contains ``key``, or the header of a message within the message does."""
        if self._is_small and key:
            return self._in_small_body(searched_key(key))
        return finish(self.in_body_steps(key))

    def in_body_steps(self, key: str) -> Steps[bool]:
        """As `in_body`, in steps."""
        key = searched_key(key)
        if not key:
            return True
        if self._is_small:
            return self._in_small_body(key)
        return (yield from self._in_pieces(key))

    def _in_small_body(self, key: str) -> bool:
        texts = self._on_one_line() if " " in key else self._small_bodies()
        return any(key in text for text in texts)

    def in_text(self, key: str) -> bool:
        """TEXT: whether the header (with names of fields) or the body contains ``key``."""
        return finish(self.in_text_steps(key))

    def in_text_steps(self, key: str) -> Steps[bool]:
        """As `in_text`, in steps."""
        wanted = searched_key(key)
        if self._headers is None:
            self._headers = yield from self._mapped_fields()
        return any(
            wanted in value or wanted in f"{name.decode('latin-1').upper()}: {value}"
            for name, value in self._headers
        ) or (yield from self.in_body_steps(key))

    def _mapped_fields(self) -> Steps[list[tuple[bytes, str]]]:
        """The header's fields: the name in lower case, and the value decoded, mapped, and on one line."""
        root, charset = self.index.root, None
        fields = []
        pause = root.header + _LITTLE
        for name, value, _, stop in limited_fields(self.content, root.header, root.body):
            if stop > pause:
                yield
                pause = stop + _LITTLE
                value = value[:FIELD_LIMIT]
            if charset is None and not value.isascii():
                charset = yield from self._charset_of_texts()
            text = searched_text(decode_header(value, charset or ""))
            fields.append((name.lower(), _with_single_blanks(text)))
        return fields

    def _charset_of_texts(self) -> Steps[str]:
        """The charset of the first text that names one; 8-bit octets in the header are often in it, too."""
        texts = (part for part in self.index.parts() if part.kind == TEXT)
        for part in itertools.islice(texts, _TEXTS_LIMIT):
            if charset := part_charset(part, self.content, part.content_type(self.content)[2]):
                return charset
            if part.body - part.header > _LITTLE:
                yield
        return ""

    def _small_bodies(self) -> list[str]:
        """The mapped texts of the body: one for each text part, and for each field of a message within."""
        if self._bodies is None:
            self._bodies = [piece for piece in self._mapped_pieces() if piece is not None]
        return self._bodies

    def _on_one_line(self) -> list[str]:
        """`_small_bodies` with single blanks for white space, and with a blank at both ends."""
        if self._lines is None:
            self._lines = [f" {' '.join(text.split())} " for text in self._small_bodies()]
        return self._lines

    def _in_pieces(self, key: str) -> Steps[bool]:
        """Search a large body."""
        one_line, overlap = " " in key, len(key) - 1
        tail = beginning = " " if one_line else ""
        for piece in self._kept_pieces():
            if piece is not None:
                yield  # also after an empty piece, which may have been much markup
            if piece == "":
                continue
            window = _one_line(tail + (piece or " ")) if one_line else tail + (piece or "")
            if key in window:
                return True
            tail = beginning if piece is None else window[-overlap:] if overlap else ""
        return False

    def _kept_pieces(self) -> Iterator[str | None]:
        """`_mapped_pieces`, which are kept if they are not too large."""
        if self._pieces is not None:
            yield from self._pieces
            return
        kept: list[str | None] = []
        left = _KEPT
        for piece in self._mapped_pieces():
            left -= _COST if piece is None else len(piece) + _COST
            if left > 0:
                kept.append(piece)
            else:
                kept.clear()
            yield piece
        if left > 0:
            self._pieces = kept

    def _mapped_pieces(self) -> Iterator[str | None]:
        """The mapped pieces of all texts; after each text, None."""
        content = self.content
        left = TEXT_LIMIT
        for part in self.index.parts():
            if part.kind == TEXT or (part.kind == LEAF and _is_report(content, part)):
                if part.end - part.body <= PIECE and left > 0:
                    yield searched_text(part_text(content, part, left))
                elif left > 0:
                    for text in text_pieces(content, part, left):
                        yield searched_text(text)
                yield None
                left -= part.end - part.body
            elif part.kind == MESSAGE:
                child = part.children[0]
                for name, value, _, _ in limited_fields(content, child.header, child.body):
                    yield searched_text(f"{name.decode('latin-1')}: {decode_header(value[:FIELD_LIMIT])}")
                    yield None
                left -= min(child.body - child.header, HEADER_LIMIT)
            elif part.kind == LEAF and not self._is_small:
                yield ""  # its header was read, which may be large


_COST = 100  # in characters, of a text without any


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


def _one_line(text: str) -> str:
    """``text`` with single blanks for white space, also at its ends."""
    line = " ".join(text.split())
    if not line:
        return " " if text else ""
    return f"{' ' if text[0].isspace() else ''}{line}{' ' if text[-1].isspace() else ''}"


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
