"""Structured fields that are neither addresses nor MIME's: no encoded word but in comments (RFC 2047 5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mailproto.message import comment_end
from mailproto.smtp.client._header._comments import comment, require
from mailproto.smtp.client._header._encoded_words import must_be_encoded
from mailproto.smtp.client._header._folding import WORD_MAX, Token
from mailproto.smtp.client._header._kinds import Kind
from mailproto.smtp.client._header._lexis import COMMENT, Lexeme

__all__ = ["structured"]

_WORD = rb'[^ \t("<]++|[("<]'
_QUOTED = rb'"[^"\\]*+(?:\\.[^"\\]*+)*"'
_ANGLE = rb"<[^<>]*+>"


def _pieces(*alternatives: bytes) -> Callable[[bytes, int], re.Match[bytes] | None]:
    return re.compile(rb"([ \t]*+)(%b)" % b"|".join(alternatives), re.DOTALL).match


_ANY = _pieces(_QUOTED, _WORD), _pieces(_WORD)
_ANY_WITH_ANGLES = _pieces(_ANGLE, _QUOTED, _WORD), _pieces(_ANGLE, _WORD)
"""With and without what is quoted."""

_BLANKS_MAX = 64
_CUT = 72
_BASE64 = re.compile(rb"(?:\A|(?<=;))((?:b|keydata)=)([A-Za-z0-9+/=]+)")
_BLANKS_AND_WORDS = re.compile(rb"([ \t]*)([^ \t]+)").findall


def structured(value: bytes, kind: Kind, *, utf8: bool) -> Iterator[Token]:
    """The value as it is, but for comments, and for URLs in which octets may be written otherwise.

    What is longer than a line is folded where white space means nothing.

    :param value: on one line.
    :raises NeedsUTF8: something in it is not ASCII, and has no other form.
    :raises NoForm: nor has it this.
    """
    piece, unquoted_piece = _ANY_WITH_ANGLES if kind in (Kind.LIST, Kind.IDS) else _ANY
    at, before = 0, b""
    has_comments = True
    while match := piece(value, at):
        space, text = match.groups()
        space = space if len(space) <= _BLANKS_MAX else b" "
        at = match.end()
        if text == b"(" and has_comments:
            stop = comment_end(value, at - 1)
            if stop >= 0:
                yield from comment(Lexeme(space, COMMENT, value[at - 1 : stop]), utf8=utf8)
                at, before = stop, b")"
                continue
            has_comments = False  # from here on, for what does not close is looked for only once
        if text == b'"':
            piece = unquoted_piece
        if kind is Kind.LIST:
            text = _percent_encoded(text, utf8)
        require(text, utf8=utf8)
        if text[:1] == b"<" and before[-1:] in (b">", b","):
            space = space or b" "
        before = text
        yield from _parted(space, text, kind)


def _percent_encoded(text: bytes, utf8: bool) -> bytes:
    """An IRI as the URI that it stands for (RFC 3987 3.1)."""
    if not must_be_encoded(text, utf8=utf8):
        return text
    return b"".join([b"%%%02X" % octet if octet > 126 or octet < 32 else bytes([octet]) for octet in text])


def _parted(space: bytes, text: bytes, kind: Kind) -> Iterator[Token]:
    if len(text) <= WORD_MAX:
        yield space, text
    elif kind is Kind.LIST and text[:1] == b"<":  # RFC 2369 2
        yield from _cut(space, text, WORD_MAX)
    elif kind is Kind.TAGS:
        at = 0
        for match in _BASE64.finditer(text):
            yield space, text[at : match.start(2)]
            yield from _cut(b" ", match[2], _CUT)
            space, at = b"", match.end()
        if at < len(text):
            yield space, text[at:]
    else:
        for before, word in _BLANKS_AND_WORDS(text):  # there is some in what is quoted
            yield space or before, word
            space = b""


def _cut(space: bytes, text: bytes, size: int) -> Iterator[Token]:
    for start in range(0, len(text), size):
        yield space, text[start : start + size]
        space = b" "
