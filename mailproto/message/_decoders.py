"""Decoders by the names of encodings: those of the WHATWG Encoding Standard, and Python's."""

from __future__ import annotations

import codecs
import encodings.aliases
import functools
import re
from collections.abc import Callable, Mapping

from mailproto.message._codec_errors import REPLACEMENT, Decoder
from mailproto.message._multibyte import big5, euc_jp, euc_kr, gb18030, other_pairs, shift_jis
from mailproto.message._seven_bit import hz, iso_2022_jp, iso_2022_kr, utf_7

__all__ = ["US_ASCII", "Decoder", "decoder_of"]

_UNDEFINED = "\ufffe"  # in a table of `codecs.charmap_decode`


def decoder_of(name: str) -> Decoder | None:
    """The decoder of an encoding, by its name in the standard or in Python; or None."""
    if name not in _MULTIPLE and name not in _SINGLE:
        name = encodings.normalize_encoding(name)
        name = encodings.aliases.aliases.get(name, name)
        if name not in _PYTHON_CODECS:  # `codecs.lookup` would cache each name that it is asked for
            return None
    return _made(name)


@functools.cache
def _made(name: str) -> Decoder | None:
    if name in _MULTIPLE:
        return _MULTIPLE[name]()
    if name in _SINGLE:
        return _single_octets(*_SINGLE[name])
    codec = codecs.lookup(name)
    decode = codec.decode
    # Only a private attribute shows that a codec ("zlib") makes bytes from bytes.
    if not getattr(codec, "_is_text_encoding", True) or codec.name.replace("_", "-") in _NOT_CHARSETS:
        return None
    return Decoder(lambda octets: decode(octets)[0], lambda octets: decode(octets, "replace")[0])


_PYTHON_CODECS = (
    frozenset(encodings.aliases.aliases.values()) - {"mbcs"}
    | frozenset(("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u"))
    | {"mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian", "utf_8_sig"}
)

# Codecs for programming languages or host names, not for text.
_NOT_CHARSETS = frozenset(
    ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "charmap")
)


def _single_octets(codec: str, changed: Mapping[int, str] | None = None) -> Decoder:
    """The standard's decoder: an undefined octet from 80 to 9F in ``codec`` is a control character."""
    characters = [bytes((octet,)).decode(codec, "replace") for octet in range(256)]
    for octet, character in (changed or {}).items():
        characters[octet] = character
    table = "".join(characters)
    strict = table.replace(REPLACEMENT, _UNDEFINED)
    lenient = "".join(
        chr(octet) if character == REPLACEMENT and 0x80 <= octet < 0xA0 else character
        for octet, character in enumerate(characters)
    )
    return Decoder(
        lambda octets: codecs.charmap_decode(octets, "strict", strict)[0],
        lambda octets: codecs.charmap_decode(octets, "strict", lenient)[0],
    )


_SINGLE: dict[str, tuple[str, Mapping[int, str]]] = {
    **{f"windows-{number}": (f"cp{number}", {}) for number in (874, *range(1250, 1259))},
    "windows-1255": ("cp1255", {0xCA: "\N{HEBREW POINT HOLAM HASER FOR VAV}"}),
    "koi8-u": (
        "koi8-u",
        {0xAE: "\N{CYRILLIC SMALL LETTER SHORT U}", 0xBE: "\N{CYRILLIC CAPITAL LETTER SHORT U}"},
    ),
    "macintosh": ("mac-roman", {}),
    "x-mac-cyrillic": ("mac-cyrillic", {}),
    "iso-8859-8-i": ("iso-8859-8", {}),
    "x-user-defined": ("latin-1", {octet: chr(0xF700 + octet) for octet in range(0x80, 0x100)}),
}


_windows_1252 = _single_octets("cp1252")
_iso_2022 = re.compile(rb"\x1b\$(?:[@B]|(\)C))").search


def _ascii(octets: bytes) -> str:
    text = octets.decode("ascii")
    if "\x1b" in text and (designation := _iso_2022(octets)):
        asian = decoder_of("iso-2022-kr" if designation[1] else "iso-2022-jp")
        return text if asian is None else asian.lenient(octets)
    return text


US_ASCII = Decoder(_ascii, _windows_1252.lenient)
"""For text with the charset US-ASCII, or with none, which may be ISO-2022-JP in old Japanese mail."""


_MULTIPLE: dict[str, Callable[[], Decoder]] = {
    "big5": big5,
    "euc-jp": euc_jp,
    "euc-kr": euc_kr,
    "gb18030": gb18030,
    "gbk": gb18030,
    "hz": hz,
    "iso-2022-kr": iso_2022_kr,
    "shift_jis": shift_jis,
    "utf-7": utf_7,
    "iso-2022-jp": lambda: iso_2022_jp("iso2022_jp_ext", rb"\([BIJ]|\$[@B]|\$\(D"),
    "iso-2022-jp-2": lambda: iso_2022_jp("iso2022_jp_2", rb"\([BJ]|\$[@AB]|\$\([CD]|\.[AF]|N"),
    "iso-2022-jp-3": lambda: iso_2022_jp("iso2022_jp_3", rb"\([BIJ]|\$[@B]|\$\([OP]"),
    "iso-2022-jp-2004": lambda: iso_2022_jp("iso2022_jp_2004", rb"\([BIJ]|\$[@B]|\$\([PQ]"),
    **{
        name: functools.partial(other_pairs, name)
        for name in ("johab", "shift_jis_2004", "shift_jisx0213", "euc_jis_2004", "euc_jisx0213")
    },
}
