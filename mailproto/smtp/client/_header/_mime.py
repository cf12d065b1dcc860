"""Writing Content-Type and Content-Disposition (RFC 2045 5.1, 2183), with RFC 2231's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailproto.message import unquote
from mailproto.message._words import WORD_MAX, Token, charset_of, decoded_words, must_be_encoded
from mailproto.smtp.client._header._structured import COMMENT, SPECIAL, Lexeme, comment, lexemes, require

__all__ = ["mime"]

_PARAMETER = re.compile(
    rb"[ \t]*([^ \t=*\x80-\xff\x00-\x1f]+)(?:\*([0-9]{1,9}))?(\*?)[ \t]*=[ \t]*(.*)", re.DOTALL
)
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")
_SECTION = 60
"""Octets in each section of a value that is too long for a line (RFC 2231 3)."""


class _Parameter(NamedTuple):
    """``name*section*=value``, the text between two semicolons.

    :ivar section: as text; None if there is none.
    :ivar is_extended: whether the value is percent-encoded.
    """

    name: bytes
    section: bytes | None
    is_extended: bool
    value: bytes


def mime(value: bytes, *, utf8: bool) -> Iterator[Token]:
    """The value, with changes only in parameters that cannot be sent as they are.

    :param value: on one line.
    :raises NeedsUTF8: something outside the parameters is not ASCII.
    :raises Unencodable: something outside the parameters is not even UTF-8.
    """
    elements = _elements(value)
    parameters = [_parameter(element) for element in elements]
    written = {
        parameter.name.lower()
        for element, parameter in zip(elements, parameters, strict=True)
        if parameter and not _can_stay(element, utf8)
    }
    extended = {each.name.lower() for each in parameters if each and each.is_extended and not each.section}
    is_first = True
    for element, parameter in zip(elements, parameters, strict=True):
        tokens: Iterator[Token]
        if parameter is None or parameter.name.lower() not in written:
            tokens = _as_it_is(element, utf8)
            if not is_first and must_be_encoded(_joined(element), utf8=utf8):
                continue  # not a parameter, and cannot be sent
        elif parameter.section is None and not parameter.is_extended and parameter.name.lower() in extended:
            continue  # the extended parameter has the same value (RFC 6266 4.3)
        else:
            tokens = _written(parameter)
        for index, (space, text) in enumerate(tokens):
            if not index and not is_first:
                yield b"", b";"
                space = space or b" "
            yield space, text
        is_first = False


def _can_stay(element: Sequence[Lexeme], utf8: bool) -> bool:
    text = _joined(element)
    return len(text) < WORD_MAX and not must_be_encoded(text, utf8=utf8)


def _elements(value: bytes) -> list[list[Lexeme]]:
    """The elements between semicolons."""
    elements: list[list[Lexeme]] = [[]]
    for lexeme in lexemes(value):
        if lexeme.kind == SPECIAL and lexeme.text == b";":
            elements.append([])
        else:
            elements[-1].append(lexeme)
    return elements


def _joined(element: Sequence[Lexeme]) -> bytes:
    return b"".join([space + text for space, kind, text in element if kind != COMMENT])


def _parameter(element: Sequence[Lexeme]) -> _Parameter | None:
    match = _PARAMETER.fullmatch(_joined(element))
    if match is None:
        return None
    name, section, star, value = match.groups()
    if value[:1] == b'"':
        value = unquote(value[1:-1] if value[-1:] == b'"' else value[1:])
    return _Parameter(name, section, bool(star), value)


def _as_it_is(element: Sequence[Lexeme], utf8: bool) -> Iterator[Token]:
    """An element without folds in quoted strings, because some readers look for quotes before unfolding."""
    has_space = True
    for lexeme in element:
        if lexeme.kind == COMMENT:
            yield from comment(lexeme, utf8=utf8)
            has_space = True
        else:
            require(lexeme.text, utf8=utf8)
            yield (lexeme.space, lexeme.text) if has_space else (b"", lexeme.space + lexeme.text)
            has_space = False


def _written(parameter: _Parameter) -> Iterator[Token]:
    """A parameter with its charset, percent-encoded, and in sections if it is long."""
    name, section, is_extended, value = parameter
    if is_extended:
        pieces = [bytes([octet]) if 32 < octet < 127 else b"%%%02X" % octet for octet in value]
    else:
        value, charset = decoded_words(value) if section is None else (value, charset_of(value))
        pieces = [bytes([octet]) if octet in _UNRESERVED else b"%%%02X" % octet for octet in value]
        if section in (None, b"0"):
            pieces.insert(0, charset + b"''")
    whole = b"".join(pieces)
    if section is not None:
        yield b" ", b"%b*%b*=%b" % (name, section, whole)
    elif len(name) + 2 + len(whole) <= _SECTION:
        yield b" ", b"%b*=%b" % (name, whole)
    else:
        yield from _sections(name, pieces)


def _sections(name: bytes, pieces: Sequence[bytes]) -> Iterator[Token]:
    number, part, size = 0, list[bytes](), 0
    for piece in pieces:
        if size + len(piece) > _SECTION:
            yield b" ", b"%b*%d*=%b;" % (name, number, b"".join(part))
            number, part, size = number + 1, [], 0
        part.append(piece)
        size += len(piece)
    yield b" ", b"%b*%d*=%b" % (name, number, b"".join(part))
