"""Text from octets, by the names that mail gives charsets, without failure."""

from __future__ import annotations

from mailproto.message._decoders import US_ASCII
from mailproto.message._labels import decoder_for

__all__ = ["decode_text", "supported_charset"]

_BYTE_ORDER_MARKS = {b"\xef\xbb": "utf-8", b"\xff\xfe": "utf-16le", b"\xfe\xff": "utf-16be"}


def supported_charset(charset: str) -> bool:
    """Whether text in ``charset`` (any name that mail uses) can be read."""
    return decoder_for(charset) is not None


def decode_text(octets: bytes, charset: str = "") -> str:
    """``octets`` as text in ``charset``, whose name and meaning are those of the WHATWG Encoding Standard.

    A byte order mark says more than the name.  Where the name is unknown or some octets are
    none of the charset: UTF-8 if they are that, else ``charset`` with one replacement
    character for each damage, else Windows-1252, in which anything is text.
    """
    if octets[:2] in _BYTE_ORDER_MARKS and (octets[2:3] == b"\xbf" or octets[:1] != b"\xef"):
        charset = _BYTE_ORDER_MARKS[octets[:2]]
        octets = octets[3 if charset == "utf-8" else 2 :]
    decoder = decoder_for(charset) or US_ASCII
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
