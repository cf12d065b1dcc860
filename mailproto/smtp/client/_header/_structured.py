"""Structured fields (RFC 5322 3.2): splitting them without losses, and writing them and their comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mailproto.message import comment_end, unquote
from mailproto.message._unstructured import unstructured
from mailproto.message._words import (
    WORD_MAX,
    NeedsUTF8,
    Token,
    Unencodable,
    decoded_words,
    encoded_words,
    must_be_encoded,
)
from mailproto.smtp.client._header._kinds import Kind

__all__ = ["COMMENT", "QUOTED", "SPECIAL", "WORD", "Lexeme", "comment", "lexemes", "require", "structured"]


WORD, QUOTED, COMMENT, SPECIAL = range(4)

_PIECE = re.compile(
    rb'([ \t]*+)(?:((?:[^ \t()<>@,;:\\"\[\]]++|\[[^\]\\\[]*+\])+)'
    rb'|("[^"\\]*+(?:\\.[^"\\]*+)*")|([^ \t]))',
    re.DOTALL,
).match
_BLANKS_MAX = 64


class Lexeme(NamedTuple):
    """One piece of a value.

    :ivar space: the white space before it, cut to a length that fits into a line.
    :ivar text: the piece, with its quotes or parentheses.
    """

    space: bytes
    kind: int
    text: bytes


def lexemes(value: bytes) -> Iterator[Lexeme]:
    """Split a value on one line; after a quote or parenthesis that is not closed, the rest is one word."""
    at = 0
    while match := _PIECE(value, at):
        space = match[1] if len(match[1]) <= _BLANKS_MAX else b" "
        at = match.end()
        if match[2] is not None:
            yield Lexeme(space, WORD, match[2])
        elif match[3] is not None:
            yield Lexeme(space, QUOTED, match[3])
        elif match[4] not in b'("':
            yield Lexeme(space, SPECIAL, match[4])
        else:
            start = at - 1
            at = comment_end(value, start) if match[4] == b"(" else -1
            if at < 0:
                yield Lexeme(space, WORD, value[start:].rstrip(b" \t"))
                break
            yield Lexeme(space, COMMENT, value[start:at])


_SPECIAL = re.compile(rb"[()\\]").search
_LENGTH = 70
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
"""The email package puts this in the place of octets that it cannot decode, which are lost."""


def comment(lexeme: Lexeme, *, utf8: bool) -> Iterator[Token]:
    """A comment as it is, if possible, or else with encoded words (RFC 2047 5 (2))."""
    inside = lexeme.text[1:-1]
    if _SPECIAL(inside) and must_be_encoded(inside, utf8=utf8):
        words = [(b" ", word) for word in encoded_words(*decoded_words(unquote(inside)))]
    else:
        words = list(unstructured(inside, utf8=utf8, is_text=False, first=_LENGTH)) or [(b"", b"")]
    for index, (space, word) in enumerate(words):
        space = space if index else lexeme.space
        yield space, b"(" * (not index) + word + b")" * (index == len(words) - 1)


def require(octets: bytes, *, utf8: bool) -> None:
    """Check that octets can be sent as they are; encoded words are not allowed in their place.

    :raises NeedsUTF8: they are not ASCII, and ``utf8`` is false.
    :raises Unencodable: they are not UTF-8.
    """
    if must_be_encoded(octets, utf8=utf8):
        if must_be_encoded(octets, utf8=True) or _REPLACEMENT in octets:
            raise Unencodable
        raise NeedsUTF8


_WORD = rb'[^ \t("<]++|[("<]'
_QUOTED = rb'"[^"\\]*+(?:\\.[^"\\]*+)*"'
_ANGLE = rb"<[^<>]*+>"


def _pieces(*alternatives: bytes) -> Callable[[bytes, int], re.Match[bytes] | None]:
    return re.compile(rb"([ \t]*+)(%b)" % b"|".join(alternatives), re.DOTALL).match


_ANY = _pieces(_QUOTED, _WORD), _pieces(_WORD)
_ANY_WITH_ANGLES = _pieces(_ANGLE, _QUOTED, _WORD), _pieces(_ANGLE, _WORD)
"""With and without quoted strings."""

_CUT = 72
_BASE64 = re.compile(rb"(?:\A|(?<=;))((?:b|keydata)=)([A-Za-z0-9+/=]+)")
_BLANKS_AND_WORDS = re.compile(rb"([ \t]*)([^ \t]+)").findall


def structured(value: bytes, kind: Kind, *, utf8: bool) -> Iterator[Token]:
    """The value, with changes only in comments, and in URLs where octets may be percent-encoded.

    A long value is folded where white space means nothing.

    :param value: on one line.
    :raises NeedsUTF8: something in it can be written in UTF-8 only.
    :raises Unencodable: something in it is not even UTF-8.
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
            has_comments = False  # so that a missing end is searched for only once
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
    """The URI for an IRI (RFC 3987 3.1)."""
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
        for before, word in _BLANKS_AND_WORDS(text):  # quoted strings have white space inside
            yield space or before, word
            space = b""


def _cut(space: bytes, text: bytes, size: int) -> Iterator[Token]:
    for start in range(0, len(text), size):
        yield space, text[start : start + size]
        space = b" "
