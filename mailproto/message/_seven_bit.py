"""Seven-bit encodings, in which the meaning of an octet depends on the octets before it.

Of these, the WHATWG standard decodes ISO-2022-JP only.  Against attacks on web pages, it replaces text
in ISO-2022-KR and HZ by one U+FFFD, and does not know UTF-7.  Mail has such text, and is not run as
code here.  (ISO-2022-CN is not decoded: it is very rare in mail, and Python has no table of
CNS 11643.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailproto.message._codec_errors import (
    DAMAGE_LIMIT,
    REPLACEMENT,
    Decoder,
    Recover,
    Recovery,
    patched_codec,
    recovering,
)
from mailproto.message._multibyte import MICROSOFT, nec_and_ibm

__all__ = ["hz", "iso_2022_jp", "iso_2022_kr", "utf_7"]


def iso_2022_jp(codec: str, designations: bytes) -> Decoder:
    # Python searches up to 16 octets for the end of an unknown escape sequence.
    stray = re.compile(rb"\x1b(?!%b)" % designations).sub
    return patched_codec(
        codec,
        recovering(codec, _seven_bits(nec_and_ibm())),
        MICROSOFT,
        lambda octets: stray(_NO_SEVEN_BITS, octets, DAMAGE_LIMIT),
    )


_NO_SEVEN_BITS = b"\xff"  # an error of one octet


def _seven_bits(added: Mapping[bytes, str]) -> Recover:
    """Handle errors: an invalid sequence loses its escape; an invalid pair keeps only control characters."""

    def recover(octets: bytes, start: int, stop: int) -> Recovery:
        first = octets[start]
        if first == 0x1B or first >= 0x80:
            return REPLACEMENT, start + 1
        if not 0x21 <= first <= 0x7E:  # a blank between pairs
            return chr(first), start + 1
        pair = octets[start:stop]
        if len(pair) == 2 and 0x21 <= pair[1] != 0x7F:
            return added.get(pair, REPLACEMENT), start + 2
        return REPLACEMENT, start + 1

    return recover


def iso_2022_kr() -> Decoder:
    """ISO-2022-KR (RFC 1557), also without the designation at its beginning, as in encoded words."""
    designation = b"\x1b$)C"
    stray = re.compile(rb"\x1b(?!\$\)C)").sub

    def before(octets: bytes) -> bytes:
        octets = stray(_NO_SEVEN_BITS, octets, DAMAGE_LIMIT)
        return octets if octets.startswith(designation) else designation + octets

    return patched_codec("iso2022_kr", recovering("iso-2022-kr", _seven_bits({})), before=before)


def hz() -> Decoder:
    """HZ (RFC 1843); its Chinese text ends at the end of the line at the latest."""
    lines_with_text = re.compile(rb"^[^\n]*~\{[^\n]*", re.MULTILINE).sub

    def close(line: re.Match[bytes]) -> bytes:
        return line[0] + b"~}" if line[0].rfind(b"~{") > line[0].rfind(b"~}") else line[0]

    def recover(octets: bytes, start: int, stop: int) -> Recovery:
        pair = octets[start : start + 2]
        if pair[0] <= 0x20 or pair[0] == 0x7F:
            return chr(pair[0]), start + 1
        is_pair = len(pair) == 2 and pair[0] < 0x7E and 0x21 <= pair[1] <= 0x7E
        return REPLACEMENT, start + (2 if is_pair and octets[start + 1 : start + 3] != b"~}" else 1)

    return patched_codec(
        "hz", recovering("hz", recover), before=lambda octets: lines_with_text(close, octets, DAMAGE_LIMIT)
    )


def utf_7() -> Decoder:
    """UTF-7 (RFC 2152)."""
    base64 = re.compile(rb"[A-Za-z0-9+/-]").match

    def recover(octets: bytes, start: int, stop: int) -> Recovery:
        # The octet at which the error was found is often valid itself.
        kept = stop - start > 1 and octets[stop - 1] < 0x80 and not base64(octets, stop - 1)
        return REPLACEMENT, stop - kept

    strict, lenient = patched_codec("utf-7", recovering("utf-7", recover))
    half = re.compile("[\ud800-\udfff]").sub  # a surrogate without its other half
    return Decoder(
        lambda octets: half(REPLACEMENT, strict(octets)), lambda octets: half(REPLACEMENT, lenient(octets))
    )
