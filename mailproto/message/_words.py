"""Folding lines (RFC 5322 2.2.3), and writing text as encoded words (RFC 2047)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

from mailproto.message._encoded_words import decode_header

__all__ = [
    "LINE_MAX",
    "WORD_MAX",
    "NeedsUTF8",
    "Token",
    "Unencodable",
    "charset_of",
    "decoded_words",
    "encoded_words",
    "fold",
    "is_utf8",
    "must_be_encoded",
]


class NeedsUTF8(ValueError):
    """Something that is not ASCII is where encoded words are not allowed (RFC 2047 5), as in an address.

    Only a header in UTF-8 can have it (RFC 6532 3.2).
    """


class Unencodable(ValueError):
    """Octets that are not UTF-8 are where encoded words are not allowed."""


LINE_MAX = 998
"""The most octets of a line without its CRLF (RFC 5322 2.1.1)."""

WORD_MAX = LINE_MAX - 1
"""The most octets of a word that is alone on a line, after its white space."""

_LINE = 76
"""The most octets that a line should have, also with encoded words (RFC 2047 2)."""

Token = tuple[bytes, bytes]
"""White space, before which the field may be folded (it may be empty), and the text after it."""


def fold(name: bytes, tokens: Iterable[Token]) -> bytes:
    """One field, CRLF included, folded only before white space.

    :raises ValueError: something without white space is longer than a line.
    """
    if len(name) > WORD_MAX:
        raise ValueError(f"a header field's name is longer than a line may be: {len(name)} octets")
    lines: list[bytes] = []
    line = [name, b":"]
    length = len(name) + 1
    is_first = True
    for space, text in _units(tokens):
        space = b" " if is_first else space
        size = len(space) + len(text)
        if length + size > (LINE_MAX if is_first else _LINE):
            lines.append(b"".join(line))
            line, length = [], 0
            if size > LINE_MAX:
                raise ValueError(
                    f"a word of the field {name.decode()} is longer than a line may be: {len(text)} octets"
                )
        line += [space, text]
        length += size
        is_first = False
    lines.append(b"".join(line))
    return b"\r\n".join(lines) + b"\r\n"


def _units(tokens: Iterable[Token]) -> Iterable[Token]:
    """Join tokens without white space between them."""
    space, pieces = b"", list[bytes]()
    for before, text in tokens:
        if before and pieces:
            yield space, b"".join(pieces)
            pieces = []
        if not pieces:
            space = before
        pieces.append(text)
    if pieces:
        yield space, b"".join(pieces)


_UTF8 = b"utf-8"
_UNKNOWN = b"unknown-8bit"
"""The charset of octets in an unknown charset (RFC 1428 3)."""

_LENGTH = 75
"""The most octets of an encoded word (RFC 2047 2)."""

# Characters that stand for themselves in encoded words in all places (RFC 2047 5 (3)).
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_Q = [b"=%02X" % octet for octet in range(256)]
for _octet in _PLAIN:
    _Q[_octet] = bytes([_octet])
_Q[32] = b"_"

_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


def is_utf8(octets: bytes) -> bool:
    """Whether the octets are UTF-8."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def must_be_encoded(octets: bytes, *, utf8: bool) -> bool:
    """Whether the octets cannot be sent as they are, whatever their length.

    :param utf8: whether the header is in UTF-8.
    """
    return _UNSENDABLE(octets) is not None or not (octets.isascii() or (utf8 and is_utf8(octets)))


def charset_of(octets: bytes) -> bytes:
    """UTF-8 if the octets are UTF-8, or else ``unknown-8bit`` (RFC 1428 3)."""
    return _UTF8 if is_utf8(octets) else _UNKNOWN


def decoded_words(octets: bytes) -> tuple[bytes, bytes]:
    """Decode encoded words in ``octets``; return the text's octets and their charset."""
    if b"=?" in octets:
        octets = decode_header(octets).encode("utf-8", "replace")
    return octets, charset_of(octets)


def encoded_words(octets: bytes, charset: bytes, *, first: int = _LENGTH) -> list[bytes]:
    """Encode octets as one or more encoded words, without splitting a character of UTF-8 (RFC 2047 5).

    :param first: the most octets of the first encoded word.
    """
    text_length = sum(len(_Q[octet]) for octet in octets)
    is_q = text_length - 4 * ((len(octets) + 2) // 3) < 5  # as the email package: Q unless much longer
    rooms = [max(room, 40) - len(charset) - 7 for room in (min(first, _LENGTH), _LENGTH)]
    parts: list[bytes] = []
    part, size = bytearray(), 0
    room = rooms[0]
    for unit in _characters(octets, charset):
        cost = sum(len(_Q[octet]) for octet in unit) if is_q else len(unit)
        if part and (size + cost if is_q else 4 * ((size + cost + 2) // 3)) > room:
            parts.append(bytes(part))
            part, size, room = bytearray(), 0, rooms[1]
        part += unit
        size += cost
    parts.append(bytes(part))
    letter = b"q" if is_q else b"b"
    return [b"=?%b?%b?%b?=" % (charset, letter, _encoded(each, is_q)) for each in parts]


def _characters(octets: bytes, charset: bytes) -> Iterable[bytes]:
    """The octets' characters, if the charset is known, or else single octets."""
    if charset == _UTF8:
        return (character.encode() for character in octets.decode())
    return (octets[at : at + 1] for at in range(len(octets)))


def _encoded(octets: bytes, is_q: bool) -> bytes:
    return b"".join([_Q[octet] for octet in octets]) if is_q else binascii.b2a_base64(octets, newline=False)
