"""The texts of a message in which SEARCH looks: of headers and of bodies, decoded and mapped.

A line of a header ends with `LINE_END`, which no key has: a key matches within one line.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

from mailproto.content import Octets
from mailproto.message._casemap import may_have, octets_of, searched_text
from mailproto.message._encoded_words import decode_header, parameter_text
from mailproto.message._fields import FIELD_LIMIT, HEADER_LIMIT
from mailproto.message._index import Index
from mailproto.message._mime import disposition
from mailproto.message._part_text import PIECE, TEXT_LIMIT, part_charset, part_text, text_pieces
from mailproto.message._scan import LEAF, MESSAGE, MULTIPART, OPAQUE, TEXT, Part

__all__ = ["LITTLE", "body_texts", "charset_of_texts", "header_texts", "is_word"]

LINE_END = "\0"

LITTLE = 1 << 13
"""So many characters of a header are mapped between pauses."""

_TEXTS_LIMIT = 100  # in which a charset is looked for

_encoded = re.compile(rb"=\?|[\x1b\x80-\xff]").search
_is_extended = re.compile(rb"\*[0-9]*\*?[ \t]*=").search


def is_word(key: str) -> bool:
    """Whether a key is one word of ASCII's letters and digits, as most are."""
    return len(key) <= _WORD and key.isascii() and key.isalnum()


_WORD = 40  # characters


def header_texts(
    content: Octets, index: Index, charset: Callable[[], str], word: str = ""
) -> Iterator[str | None]:
    """The header of the message, and the MIME header fields of its parts, in pieces; None after each.

    Headers of messages within are in the body.

    :param charset: finds the charset of 8-bit octets that are not UTF-8.
    :param word: as in `body_texts`.
    """
    left = TEXT_LIMIT
    for part in index.parts():
        if part.body > part.header and (part.depth == 1 or not part.is_message) and left > 0:
            yield from _header(content, part, charset, word)
            yield None
            left -= min(part.body - part.header, HEADER_LIMIT)


def body_texts(content: Octets, index: Index, word: str = "") -> Iterator[str | None]:
    """The texts of the body in pieces; None after each.

    A piece may be empty, after something large was read that has no text.

    :param word: if it is given (by `is_word`), some texts that do not contain it are left out.
    """
    is_small = index.root.end <= PIECE
    left = TEXT_LIMIT
    for part in index.parts():
        if part.kind in (TEXT, OPAQUE) or (part.kind == LEAF and _is_report(content, part)):
            if part.end - part.body <= PIECE and left > 0:
                text = part_text(content, part, left, word)
                if not word or text.isascii() or may_have(octets_of(text), word.encode()):
                    yield searched_text(text)
            elif left > 0:
                for text in text_pieces(content, part, left):
                    yield searched_text(text)
            yield None
            left -= part.end - part.body
        elif part.kind == MESSAGE:
            child = part.children[0]
            if left > 0:
                yield from _header(content, child, _no_charset, word)
            yield None
            left -= min(child.body - child.header, HEADER_LIMIT)
        elif part.kind == LEAF and not is_small:
            yield ""  # its header was read, which may be large


def _header(content: Octets, part: Part, charset: Callable[[], str], word: str) -> Iterator[str]:
    """All lines of a header block, fields or not, unfolded."""
    block = content[part.header : min(part.body, part.header + HEADER_LIMIT)]
    only_encoded = bool(word) and word.encode() not in block.upper()
    if only_encoded and b"=?" not in block and b"*" not in block and _is_plain(block):
        return
    block = block.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
    texts: list[str] = []
    size = 0
    for text in _mapped_lines(block, charset, only_encoded=only_encoded):
        texts.append(text)
        size += len(text)
        if size > LITTLE:
            yield "".join(texts)
            texts, size = [], 0
    if b"*" in block and part.kind != MULTIPART and _is_extended(block):
        texts.append(_parameters(content, part))
    yield "".join(texts)


def _mapped_lines(block: bytes, charset: Callable[[], str], *, only_encoded: bool) -> Iterator[str]:
    """Lines that are not encoded, some at a time, and the others one by one."""
    at = 0
    is_plain = _is_plain(block)
    while at < len(block):
        if is_plain:
            encoded = block.find(b"=?", at)
        else:
            found = _encoded(block, at)
            encoded = found.start() if found else -1
        start = block.rfind(b"\n", at, encoded) + 1 or at if encoded >= 0 else len(block)
        if only_encoded:
            yield ""  # they may be many
        else:
            for plain in range(at, start, LITTLE):
                piece = block[plain : min(plain + LITTLE, start)]
                yield piece.decode("ascii").upper().replace("\n", LINE_END)
        if encoded < 0:
            break
        stop = block.find(b"\n", encoded)
        stop = len(block) if stop < 0 else stop
        line = block[start : min(stop, start + FIELD_LIMIT)]
        yield searched_text(decode_header(line, "" if line.isascii() else charset())) + LINE_END
        at = stop + 1


def _is_plain(block: bytes) -> bool:
    return b"\x1b" not in block and block.isascii()


def _parameters(content: Octets, part: Part) -> str:
    """The values that are encoded by RFC 2231, such as file names."""
    values = part.fields(content).get(b"content-disposition", [])
    named = itertools.chain(part.content_type(content)[2], disposition(values)[1])
    texts = [parameter_text(name, value) for name, value in named if name.endswith(b"*")]
    return searched_text("".join(f"{text}{LINE_END}" for text in texts))


def _no_charset() -> str:
    return ""


def charset_of_texts(content: Octets, index: Index) -> str:
    """The charset of the first text that names one; 8-bit octets in the header are often in it, too."""
    left = HEADER_LIMIT
    texts = (part for part in index.parts() if part.kind == TEXT)
    for part in itertools.islice(texts, _TEXTS_LIMIT):
        left -= part.body - part.header
        if left < 0:
            break
        if charset := part_charset(part, content, part.content_type(content)[2]):
            return charset
    return ""


def _is_report(content: Octets, part: Part) -> bool:
    """Whether ``part`` consists of fields, such as message/delivery-status."""
    # Most parts are not, which a search in the octets shows.
    stop = min(part.body, part.header + HEADER_LIMIT)
    if b"message" not in content[part.header : stop].lower():
        return False
    return part.content_type(content)[0].lower() == b"message"
