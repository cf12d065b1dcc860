"""Python's codecs, made to read what the WHATWG Encoding Standard's decoders read.

Python has nearly all of the standard's tables.  Three things are done here to each codec
that needs them: characters that its table does not have are put in by its error handler
(NEC's and IBM's in Japanese, some of Big5), characters that its table has otherwise are
exchanged in the text, and damage costs one U+FFFD and no neighbour.  Python's own "replace"
takes one octet for damaged: the other one of a pair is then read with the first one of the
next, and so on to the end of the line.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import functools
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mailproto.message._big5 import BIG5_ADDED, BIG5_CHANGED

__all__ = ["US_ASCII", "Decoder", "decoder_of"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNDEFINED = "\ufffe"  # in a table of `codecs.charmap_decode`

DAMAGE_LIMIT = 1 << 18
"""Damaged characters of one text that are looked at one by one; more are left to Python's "replace"."""

_Recovery = tuple[str, int]
"""What stands for the damage, and the offset at which reading goes on."""


class Decoder(NamedTuple):
    """How the octets of one encoding are read.

    :ivar strict: the text of octets; raises ValueError where some are none of the encoding.
    :ivar lenient: the text of any octets.
    """

    strict: Callable[[bytes], str]
    lenient: Callable[[bytes], str]


def decoder_of(name: str) -> Decoder | None:
    """The decoder of an encoding, by its name in the standard or in Python; None if there is none."""
    if name not in _MULTIPLE and name not in _SINGLE:
        name = encodings.normalize_encoding(name)
        name = encodings.aliases.aliases.get(name, name)
        if name not in _PYTHON_CODECS:  # `codecs.lookup` would remember each name that it is asked for
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
    # Codecs from bytes to bytes ("zlib") are known by nothing public.
    if not getattr(codec, "_is_text_encoding", True) or codec.name.replace("_", "-") in _NOT_CHARSETS:
        return None
    return Decoder(lambda octets: decode(octets)[0], lambda octets: decode(octets, "replace")[0])


_PYTHON_CODECS = (
    frozenset(encodings.aliases.aliases.values()) - {"mbcs"}
    | frozenset(("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u"))
    | {"mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian", "utf_8_sig"}
)

# Codecs that read a programming language or a host name, not text.
_NOT_CHARSETS = frozenset(
    ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "charmap")
)


def _mended(
    codec: str,
    errors: str,
    changed: Mapping[str, str] | None = None,
    before: Callable[[bytes], bytes] = bytes,
) -> Decoder:
    """Python's ``codec`` with an error handler, with some characters of its text ``changed``."""
    decode = codecs.getdecoder(codec)
    changes = tuple((changed or {}).items())

    def read(octets: bytes, errors: str) -> str:
        text = decode(before(octets), errors)[0]
        for wrong, right in changes:
            text = text.replace(wrong, right)
        return text

    def lenient(octets: bytes) -> str:
        if len(octets) > DAMAGE_LIMIT:
            text = read(octets, "replace")
            if text.count(_REPLACEMENT) > DAMAGE_LIMIT:
                return text
        return read(octets, errors)

    return Decoder(lambda octets: read(octets, "strict"), lenient)


# Encodings of one octet a character.


def _single_octets(codec: str, changed: Mapping[int, str] | None = None) -> Decoder:
    """What ``codec`` does not have is a control character from 80 to 9F in the standard, else nothing."""
    characters = [bytes((octet,)).decode(codec, "replace") for octet in range(256)]
    for octet, character in (changed or {}).items():
        characters[octet] = character
    table = "".join(characters)
    strict = table.replace(_REPLACEMENT, _UNDEFINED)
    lenient = "".join(
        chr(octet) if character == _REPLACEMENT and 0x80 <= octet < 0xA0 else character
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
"""For text that is said to be ASCII, or of which nothing is said, as Japanese mail did for years."""


# Encodings of one or two octets a character.


def _recovering(name: str, recover: Callable[[bytes, int, int], _Recovery]) -> str:
    """Register ``recover(octets, start, stop)`` as an error handler for decoding; its name."""

    def handle(error: UnicodeError) -> _Recovery:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        return recover(error.object, error.start, error.end)

    codecs.register_error(name := f"mailproto.{name}", handle)
    return name


def _pairs(leads: frozenset[int], added: Mapping[bytes, str]) -> Callable[[bytes, int, int], _Recovery]:
    """Damage is a whole pair, but for an ASCII octet that follows its lead octet."""

    def recover(octets: bytes, start: int, stop: int) -> _Recovery:
        pair = octets[start : start + 2]
        if pair in added:
            found = []
            while pair in added:
                found.append(added[pair])
                start += 2
                pair = octets[start : start + 2]
            return "".join(found), start
        if len(pair) == 2 and pair[0] in leads and pair[1] >= 0x80:
            return _REPLACEMENT, start + 2
        return _REPLACEMENT, start + 1

    return recover


_LEADS = frozenset(range(0x81, 0xFF))
_SHIFT_JIS_LEADS = frozenset((*range(0x81, 0xA0), *range(0xE0, 0xFD)))
_EUC_JP_LEADS = frozenset((0x8E, 0x8F, *range(0xA1, 0xFF)))


def _euc_kr() -> Decoder:
    return _mended("cp949", _recovering("euc-kr", _pairs(_LEADS, {})))


def _shift_jis() -> Decoder:
    single = dict.fromkeys("\uf8f0\uf8f1\uf8f2\uf8f3", _REPLACEMENT)
    return _mended("cp932", _recovering("shift_jis", _pairs(_SHIFT_JIS_LEADS, {})), single)


def _other_pairs(codec: str) -> Decoder:
    return _mended(codec, _recovering(codec, _pairs(_LEADS, {})))


def _big5() -> Decoder:
    """With HKSCS, and with what ETEN and Microsoft added."""
    plain = _mended("big5hkscs", _recovering("big5", _pairs(_LEADS, BIG5_ADDED)), BIG5_CHANGED)
    slashes = _mended(
        "big5hkscs",
        _recovering("big5-slashes", _pairs(_LEADS, {**BIG5_ADDED, **_BIG5_SLASHES})),
        BIG5_CHANGED,
        lambda octets: _big5_pairs(lambda pair: _BIG5_SLASHES_AS.get(pair[0], pair[0]), octets),
    )

    def suited(octets: bytes) -> Decoder:
        return slashes if b"\xa2A" in octets or b"\xa2B" in octets else plain

    return Decoder(
        lambda octets: suited(octets).strict(octets), lambda octets: suited(octets).lenient(octets)
    )


# Python has other slashes for A241 and A242, which have codes of their own as well: in a text
# with these two they get codes that mean nothing to Python or to the standard.
_BIG5_SLASHES = {b"\x81A": "\N{DIVISION SLASH}", b"\x81B": "\N{SMALL REVERSE SOLIDUS}"}
_BIG5_SLASHES_AS = {b"\xa2A": b"\x81A", b"\xa2B": b"\x81B"}
_big5_pairs = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xff]").sub


@functools.cache
def _gb18030() -> Decoder:
    return _mended("gb18030", _recovering("gb18030", _recover_gb18030), _GB18030_2022)


_four = re.compile(rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]").match
_recover_gb_pair = _pairs(_LEADS, {})


def _recover_gb18030(octets: bytes, start: int, stop: int) -> _Recovery:
    if octets[start] == 0x80:
        return "\N{EURO SIGN}", start + 1
    if _four(octets, start):
        return _REPLACEMENT, start + 4
    return _recover_gb_pair(octets, start, stop)


# What the first edition had no characters for in Unicode yet.
_GB18030_2022 = dict(
    zip(
        "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
        "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
        "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
        "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
        strict=True,
    )
)


# Japanese in EUC and in ISO 2022.

_MICROSOFT = {
    "\N{WAVE DASH}": "\N{FULLWIDTH TILDE}",
    "\N{DOUBLE VERTICAL LINE}": "\N{PARALLEL TO}",
    "\N{MINUS SIGN}": "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{CENT SIGN}": "\N{FULLWIDTH CENT SIGN}",
    "\N{POUND SIGN}": "\N{FULLWIDTH POUND SIGN}",
    "\N{NOT SIGN}": "\N{FULLWIDTH NOT SIGN}",
}
"""JIS X 0208 as Python reads it outside of Shift_JIS, and as the standard does."""


@functools.cache
def _nec_and_ibm() -> dict[bytes, str]:
    """Row 13 and rows 89 to 92 of the standard's JIS X 0208, by the octets that ISO-2022-JP has for them."""
    found = {}
    for row in (13, 89, 90, 91, 92):
        for cell in range(1, 95):
            lead = (row + 1) // 2 + (0x80 if row <= 62 else 0xC0)
            trail = cell + (0x9E if row % 2 == 0 else 0x40 if cell >= 64 else 0x3F)
            try:
                found[bytes((row + 0x20, cell + 0x20))] = bytes((lead, trail)).decode("cp932")
            except UnicodeDecodeError:
                continue
    return found


def _euc_jp() -> Decoder:
    added = {bytes((pair[0] | 0x80, pair[1] | 0x80)): text for pair, text in _nec_and_ibm().items()}
    recover_pair = _pairs(_EUC_JP_LEADS, added)

    def recover(octets: bytes, start: int, stop: int) -> _Recovery:
        triple = octets[start : start + 3]
        if len(triple) == 3 and triple[0] == 0x8F and 0xA1 <= triple[1] <= 0xFE:
            return _REPLACEMENT, start + (3 if triple[2] >= 0x80 else 2)
        return recover_pair(octets, start, stop)

    # JIS X 0212 has a tilde that Python reads as ASCII's.
    return _mended(
        "euc_jp",
        _recovering("euc-jp", recover),
        _MICROSOFT,
        lambda octets: octets.replace(b"\x8f\xa2\xb7", b"\xa1\xc1"),
    )


def _iso_2022_jp(codec: str, designations: bytes) -> Decoder:
    # Python looks up to 16 octets ahead for the end of an escape sequence that it does not know.
    stray = re.compile(rb"\x1b(?!%b)" % designations).sub
    return _mended(
        codec,
        _recovering(codec, _seven_bits(_nec_and_ibm())),
        _MICROSOFT,
        lambda octets: stray(_NO_SEVEN_BITS, octets),
    )


_NO_SEVEN_BITS = b"\xff"  # which is damage, of one octet


def _seven_bits(added: Mapping[bytes, str]) -> Callable[[bytes, int, int], _Recovery]:
    """Of an escape sequence that is none the escape is lost, of a pair what is no control character."""

    def recover(octets: bytes, start: int, stop: int) -> _Recovery:
        first = octets[start]
        if first == 0x1B or first >= 0x80:
            return _REPLACEMENT, start + 1
        if not 0x21 <= first <= 0x7E:  # a blank among pairs
            return chr(first), start + 1
        pair = octets[start:stop]
        if len(pair) == 2 and 0x21 <= pair[1] != 0x7F:
            return added.get(pair, _REPLACEMENT), start + 2
        return _REPLACEMENT, start + 1

    return recover


# What the standard refuses to read, for reasons that web pages have and mail has not.


def _iso_2022_kr() -> Decoder:
    """RFC 1557; an encoded word rarely has the designation that a text begins with."""
    designation = b"\x1b$)C"
    stray = re.compile(rb"\x1b(?!\$\)C)").sub

    def before(octets: bytes) -> bytes:
        octets = stray(_NO_SEVEN_BITS, octets)
        return octets if octets.startswith(designation) else designation + octets

    return _mended("iso2022_kr", _recovering("iso-2022-kr", _seven_bits({})), before=before)


def _hz() -> Decoder:
    """RFC 1843; its text ends with the line if it was not ended before."""

    def close(octets: bytes) -> bytes:
        lines = octets.split(b"\n")
        return b"\n".join([line + b"~}" if line.rfind(b"~{") > line.rfind(b"~}") else line for line in lines])

    def recover(octets: bytes, start: int, stop: int) -> _Recovery:
        pair = octets[start : start + 2]
        if pair[0] <= 0x20 or pair[0] == 0x7F:
            return chr(pair[0]), start + 1
        is_pair = len(pair) == 2 and pair[0] < 0x7E and 0x21 <= pair[1] <= 0x7E
        return _REPLACEMENT, start + (2 if is_pair and octets[start + 1 : start + 3] != b"~}" else 1)

    return _mended("hz", _recovering("hz", recover), before=close)


def _utf_7() -> Decoder:
    """RFC 2152."""
    base64 = re.compile(rb"[A-Za-z0-9+/-]").match

    def recover(octets: bytes, start: int, stop: int) -> _Recovery:
        # The octet that showed the damage is often the first after it.
        kept = stop - start > 1 and octets[stop - 1] < 0x80 and not base64(octets, stop - 1)
        return _REPLACEMENT, stop - kept

    strict, lenient = _mended("utf-7", _recovering("utf-7", recover))
    half = re.compile("[\ud800-\udfff]").sub  # of a pair of surrogates, which are no characters
    return Decoder(
        lambda octets: half(_REPLACEMENT, strict(octets)), lambda octets: half(_REPLACEMENT, lenient(octets))
    )


_MULTIPLE: dict[str, Callable[[], Decoder]] = {
    "big5": _big5,
    "euc-jp": _euc_jp,
    "euc-kr": _euc_kr,
    "gb18030": _gb18030,
    "gbk": _gb18030,
    "hz": _hz,
    "iso-2022-kr": _iso_2022_kr,
    "shift_jis": _shift_jis,
    "utf-7": _utf_7,
    "iso-2022-jp": lambda: _iso_2022_jp("iso2022_jp_ext", rb"\([BIJ]|\$[@B]|\$\(D"),
    "iso-2022-jp-2": lambda: _iso_2022_jp("iso2022_jp_2", rb"\([BJ]|\$[@AB]|\$\([CD]|\.[AF]|N"),
    "iso-2022-jp-3": lambda: _iso_2022_jp("iso2022_jp_3", rb"\([BIJ]|\$[@B]|\$\([OP]"),
    "iso-2022-jp-2004": lambda: _iso_2022_jp("iso2022_jp_2004", rb"\([BIJ]|\$[@B]|\$\([PQ]"),
    **{
        name: functools.partial(_other_pairs, name)
        for name in ("johab", "shift_jis_2004", "shift_jisx0213", "euc_jis_2004", "euc_jisx0213")
    },
}
