"""Decoding octets as text, by the names that mail has for charsets; it never fails."""

from __future__ import annotations

import codecs

from mailproto.message._decoders import US_ASCII, Decoder
from mailproto.message._labels import decoder_for

__all__ = ["charset_with_mark", "decode_text", "supported_charset"]

_MARKED = (b"\xef", b"\xff", b"\xfe")
_UTF_16 = {b"\xff\xfe": "utf-16le", b"\xfe\xff": "utf-16be"}


def _after_byte_order_mark(octets: bytes, decoder: Decoder) -> tuple[bytes, Decoder]:
    """The octets after a byte order mark, and its decoder; without a mark, both are unchanged."""
    if octets.startswith(codecs.BOM_UTF8):
        return octets[3:], decoder_for("utf-8") or decoder
    # The mark of UTF-16 is only two octets, so text with another charset must also look like UTF-16.
    if (name := _UTF_16.get(octets[:2])) and (
        b"\0" in octets or decoder in map(decoder_for, _UTF_16.values())
    ):
        return octets[2:], decoder_for(name) or decoder
    return octets, decoder


def charset_with_mark(octets: bytes, charset: str) -> str:
    """The charset of a text that begins with ``octets``; a byte order mark overrides ``charset``."""
    if octets.startswith(codecs.BOM_UTF8):
        return "utf-8"
    decoder = decoder_for(charset) or US_ASCII
    _, marked = _after_byte_order_mark(octets, decoder)
    return charset if marked is decoder else _UTF_16[octets[:2]]


def supported_charset(charset: str) -> bool:
    """Whether text in ``charset`` (any name that mail uses) can be decoded."""
    return decoder_for(charset) is not None


def decode_text(octets: bytes, charset: str = "") -> str:
    """Decode ``octets`` as text in ``charset``, as the WHATWG Encoding Standard defines it.

    A byte order mark overrides the name.  If the name is unknown, or if some octets are not valid in
    the charset, UTF-8 is tried.  If the text is not UTF-8 either, the charset is used with a
    replacement character for each error; or Windows-1252, in which all octets are valid, if the name
    is unknown.
    """
    if not charset and octets.isascii() and b"\x1b" not in octets:
        return octets.decode("ascii")  # as nearly all headers are
    decoder = decoder_for(charset) or US_ASCII
    if octets[:1] in _MARKED:
        octets, decoder = _after_byte_order_mark(octets, decoder)
    try:
        return decoder.strict(octets)
    except ValueError:
        pass
    if not octets.isascii():
        try:
            return octets.decode()
        except UnicodeDecodeError:
            pass
    try:
        return decoder.lenient(octets)
    except ValueError:  # a codec without "replace"
        return US_ASCII.lenient(octets)
