"""Decoding header values: encoded words (RFC 2047), 8-bit octets (RFC 6532), RFC 2231 parameters."""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from mailproto.message._charset import decode_text
from mailproto.message._fields import unfold
from mailproto.message._labels import decoder_for

__all__ = ["decode_header", "parameter_text"]

# RFC 2047 2, but with blanks and question marks in the text, which some senders do not encode.
_word = re.compile(
    rb"=\?([^?\s*]{1,64})(?:\*[^?\s]*)?\?([BbQq])\?"
    rb"([^?=\r\n]*(?:(?:=(?!\?[^=])|\?(?!=))[^?=\r\n]*)*)\?="
)
_is_plain = re.compile(rb"[\t -<>-~]*(?:=[\t -<>@-~][\t -<>-~]*)*").fullmatch  # without "=?"
_between = re.compile(rb"[ \t\r\n]*").fullmatch
_not_base64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)
_extended_value = re.compile(rb"([^']*)'[^']*'(.*)", re.DOTALL).fullmatch


_DAMAGE = "\N{REPLACEMENT CHARACTER}"


def decode_header(value: bytes, charset: str = "") -> str:
    """Decode a header field's value into text on one line.

    8-bit octets outside of encoded words are decoded as UTF-8; if they are not UTF-8, as ``charset``.

    White space between encoded words is removed (6.2).  Neighbours in one charset are joined before
    they are decoded, because some senders split a character between them.
    """
    if _is_plain(value):
        return value.decode("ascii")
    value = unfold(value)
    if b"=?" not in value:
        return _unencoded(value, charset)
    pieces: list[str] = []
    pending: list[bytes] = []  # the octets of neighbours in one charset
    pending_charset = ""
    at = 0
    for match in _word.finditer(value):
        label, encoding, text = match.groups()
        name = label.decode("latin-1").lower()
        gap = value[at : match.start()]
        at = match.end()
        adjacent = pending and _between(gap)
        if pending and not (adjacent and _is_same(name, pending_charset)):
            pieces.append(decode_text(b"".join(pending), pending_charset))
            pending.clear()
        if not adjacent:
            pieces.append(_unencoded(gap, charset))
        pending.append(_unbase64(text) if encoding in b"Bb" else binascii.a2b_qp(text, header=True))
        pending_charset = name
    if pending:
        pieces.append(decode_text(b"".join(pending), pending_charset))
    pieces.append(_unencoded(value[at:], charset))
    return "".join(pieces)


def _unencoded(octets: bytes, charset: str) -> str:
    if charset and not octets.isascii() and _DAMAGE in octets.decode("utf-8", "replace"):
        text = decode_text(octets, charset)
        if _DAMAGE not in text and decode_text(b"aa", charset) == "aa":  # not in UTF-16
            return text
    return decode_text(octets)


def _is_same(one: str, other: str) -> bool:
    """Whether two labels mean the same charset."""
    return one == other or ((decoder := decoder_for(one)) is not None and decoder is decoder_for(other))


def _unbase64(text: bytes) -> bytes:
    text = text.translate(None, _not_base64)
    text = text[: len(text) - (len(text) % 4 == 1)]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def parameter_text(name: bytes, value: bytes) -> str:
    """The text of a parameter: percent-decoded for ``name*`` (RFC 2231 4), for others as in a header."""
    if name.endswith(b"*") and (match := _extended_value(value)):
        return decode_text(unquote_to_bytes(match[2]), match[1].decode("latin-1"))
    return decode_header(value)
