"""Text from octets, by the names that mail gives charsets, without failure."""

from __future__ import annotations

import codecs

from mailproto.message._decoders import US_ASCII, Decoder
from mailproto.message._labels import decoder_for

__all__ = ["decode_text", "supported_charset"]

_MARKED = (b"\xef", b"\xff", b"\xfe")
_UTF_16 = {b"\xff\xfe": "utf-16le", b"\xfe\xff": "utf-16be"}


def _after_byte_order_mark(octets: bytes, decoder: Decoder) -> tuple[bytes, Decoder]:
    """The octets after the mark, if there is one, and the decoder that it calls for."""
    if octets.startswith(codecs.BOM_UTF8):
        return octets[3:], decoder_for("utf-8") or decoder
    # Two octets may be anything: what is called otherwise must look like UTF-16.
    if (name := _UTF_16.get(octets[:2])) and (
        b"\0" in octets or decoder in map(decoder_for, _UTF_16.values())
    ):
        return octets[2:], decoder_for(name) or decoder
    return octets, decoder


def supported_charset(charset: str) -> bool:
    """Whether text in ``charset`` (any name that mail uses) can be read."""
    return decoder_for(charset) is not None


def decode_text(octets: bytes, charset: str = "") -> str:
    """``octets`` as text in ``charset``, whose name and meaning are those of the WHATWG Encoding Standard.

    A byte order mark says more than the name.  Where the name is unknown or some octets are
    none of the charset: UTF-8 if they are that, else ``charset`` with one replacement
    character for each damage, else Windows-1252, in which anything is text.
    """
    if not charset and octets.isascii() and b"\x1b" not in octets:
        return octets.decode("ascii")  # nearly all of a header
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
    except ValueError:  # a codec that knows no replacement
        return US_ASCII.lenient(octets)
