"""Writing unstructured fields (RFC 5322 3.6.5, 3.6.8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from mailproto.message._words import (
    LINE_MAX,
    Token,
    charset_of,
    decoded_words,
    encoded_words,
    is_utf8,
    must_be_encoded,
)

__all__ = ["unstructured"]

_WORDS = re.compile(rb"([ \t]*)([^ \t]+)").finditer
_ENCODED_WORD = rb"=\?[^?\s]+\?[BbQq]\?[^?]*\?="
_ENCODED = re.compile(_ENCODED_WORD).search
_BEGINS_ENCODED = re.compile(_ENCODED_WORD).match
_ENDS_ENCODED = re.compile(_ENCODED_WORD + rb"\Z").search
_BLANKS_MAX = 64
"""The most white space in a row that is kept as it is; to some readers, a line of it ends the header."""
_BETWEEN_ENCODED = re.compile(rb"(\?=)[ \t]{%d,}+(?==\?)" % _BLANKS_MAX).sub


def unstructured(value: bytes, *, utf8: bool, is_text: bool, first: int) -> Iterator[Token]:
    """The words of a value; those that cannot be sent as they are become encoded words.

    White space between encoded words means nothing (RFC 2047 6.2), so white space between two of them
    is put into one of them.

    :param value: on one line.
    :param is_text: whether it is text already; otherwise it may have encoded words.
    :param first: the most octets of an encoded word at the beginning of the field.
    """
    if not is_text:
        value = _BETWEEN_ENCODED(rb"\1 ", value)
    before, pending = b"", list[bytes]()  # words that must be encoded, and the white space between them
    is_after_encoded = False
    length = 0  # of the last word as it is, with its white space
    for space, word in _words(value):
        must = (
            must_be_encoded(word, utf8=utf8)
            or len(space or b" ") + len(word) > LINE_MAX
            or word[0] in b" \t"
            or (is_text and b"=?" in word)
        )
        if must:
            if not pending:
                before = space
            if pending or (is_after_encoded and not _BEGINS_ENCODED(word)):
                pending.append(space)
            pending.append(word)
            is_after_encoded = False
            length = 0
            continue
        is_encoded = b"=?" in word and _ENCODED(word) is not None
        if pending:
            if is_encoded:
                if not _ENDS_ENCODED(pending[-1]):
                    pending.append(space)
                space = b" "
            yield from _encoded(before, pending, is_text, first)
            pending = []
        yield space, word
        length = len(space or b" ") + len(word)
        first = _UNLIMITED
        is_after_encoded = is_encoded
    if pending:
        yield from _encoded(before, pending, is_text, first)
    tail = value[len(value.rstrip(b" \t")) :]
    if 0 < len(tail) <= _BLANKS_MAX and length + len(tail) <= LINE_MAX:
        yield b"", tail


_UNLIMITED = 1000


def _words(value: bytes) -> Iterator[Token]:
    """White space and words; the inside of long white space counts as a word."""
    text = value.rstrip(b" \t")  # so that a word follows all white space
    for match in _WORDS(text):
        space, word = match.groups()
        if len(space) > _BLANKS_MAX and match.start():
            yield space[:1], space[1:-1]
            space = space[-1:]
        yield space, word
    tail = value[len(text) :]
    if len(tail) > _BLANKS_MAX and text:
        yield tail[:1], tail[1:]


def _encoded(before: bytes, pieces: Sequence[bytes], is_text: bool, first: int) -> Iterator[Token]:
    """Encode words, with the white space between them."""
    for octets, charset in _in_charsets(pieces, is_text):
        for word in encoded_words(octets, charset, first=first):
            yield before, word
            before = b" "
        first = _UNLIMITED


def _in_charsets(pieces: Sequence[bytes], is_text: bool) -> Iterator[tuple[bytes, bytes]]:
    """Group neighbours: all together if all are UTF-8, or else by whether they are UTF-8."""
    whole = b"".join(pieces)
    if is_utf8(whole) or (b"=?" in whole and not is_text):
        yield (whole, charset_of(whole)) if is_text else decoded_words(whole)
        return
    held = b""
    for _, group in groupby(pieces, lambda piece: is_utf8(piece) and piece.strip(b" \t") != b""):
        octets = held + b"".join(group)
        text = octets.rstrip(b" \t")
        held = octets[len(text) :]
        if text:
            yield text, charset_of(text)
