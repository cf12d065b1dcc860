"""Multibyte encodings of Chinese, Japanese and Korean."""

from __future__ import annotations

import functools
import re

from mailproto.message._big5 import BIG5_ADDED, BIG5_CHANGED
from mailproto.message._codec_errors import (
    DAMAGE_LIMIT,
    LEADS,
    REPLACEMENT,
    Decoder,
    Recovery,
    pairs,
    patched_codec,
    recovering,
)

__all__ = ["MICROSOFT", "big5", "euc_jp", "euc_kr", "gb18030", "nec_and_ibm", "other_pairs", "shift_jis"]

_SHIFT_JIS_LEADS = frozenset((*range(0x81, 0xA0), *range(0xE0, 0xFD)))
_EUC_JP_LEADS = frozenset((0x8E, 0x8F, *range(0xA1, 0xFF)))


def euc_kr() -> Decoder:
    return patched_codec("cp949", recovering("euc-kr", pairs(LEADS, {})))


def shift_jis() -> Decoder:
    single = dict.fromkeys("\uf8f0\uf8f1\uf8f2\uf8f3", REPLACEMENT)
    return patched_codec("cp932", recovering("shift_jis", pairs(_SHIFT_JIS_LEADS, {})), single)


def other_pairs(codec: str) -> Decoder:
    return patched_codec(codec, recovering(codec, pairs(LEADS, {})))


def big5() -> Decoder:
    """Big5 with HKSCS, and with the additions of ETEN and Microsoft."""
    plain = patched_codec("big5hkscs", recovering("big5", pairs(LEADS, BIG5_ADDED)), BIG5_CHANGED)
    slashes = patched_codec(
        "big5hkscs",
        recovering("big5-slashes", pairs(LEADS, {**BIG5_ADDED, **_BIG5_SLASHES})),
        BIG5_CHANGED,
        lambda octets: _octets_up_to_slash(_other_slash, octets, DAMAGE_LIMIT),
    )

    def decoder_for(octets: bytes) -> Decoder:
        return slashes if b"\xa2A" in octets or b"\xa2B" in octets else plain

    return Decoder(
        lambda octets: decoder_for(octets).strict(octets),
        lambda octets: decoder_for(octets).lenient(octets),
    )


# Python decodes A241 and A242 as other slashes, and these slashes have codes of their own, too.  So in
# a text with these two, their codes are replaced by codes that have no meaning in Python or the standard.
_BIG5_SLASHES = {b"\x81A": "\N{DIVISION SLASH}", b"\x81B": "\N{SMALL REVERSE SOLIDUS}"}
_octets_up_to_slash = re.compile(rb"(?<![\x81-\xfe])([\x81-\xfe]*+)(?<=\xa2)([AB])").sub


def _other_slash(found: re.Match[bytes]) -> bytes:
    """Replace the code of a slash, if the octets before it are whole pairs."""
    return found[1][:-1] + b"\x81" + found[2] if len(found[1]) % 2 else found[0]


@functools.cache
def gb18030() -> Decoder:
    return patched_codec("gb18030", recovering("gb18030", _recover_gb18030), _GB18030_2022)


_four = re.compile(rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]").match
_recover_gb_pair = pairs(LEADS, {})


def _recover_gb18030(octets: bytes, start: int, stop: int) -> Recovery:
    if octets[start] == 0x80:
        return "\N{EURO SIGN}", start + 1
    if _four(octets, start):
        return REPLACEMENT, start + 4
    return _recover_gb_pair(octets, start, stop)


# Characters that Unicode did not have yet at the time of the first edition.
_GB18030_2022 = dict(
    zip(
        "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
        "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
        "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
        "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
        strict=True,
    )
)


MICROSOFT = {
    "\N{WAVE DASH}": "\N{FULLWIDTH TILDE}",
    "\N{DOUBLE VERTICAL LINE}": "\N{PARALLEL TO}",
    "\N{MINUS SIGN}": "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{CENT SIGN}": "\N{FULLWIDTH CENT SIGN}",
    "\N{POUND SIGN}": "\N{FULLWIDTH POUND SIGN}",
    "\N{NOT SIGN}": "\N{FULLWIDTH NOT SIGN}",
}
"""Characters of JIS X 0208 as Python decodes them outside of Shift_JIS, and as the standard does."""


@functools.cache
def nec_and_ibm() -> dict[bytes, str]:
    """Rows 13 and 89 to 92 of the standard's JIS X 0208, by their octets in ISO-2022-JP."""
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


def euc_jp() -> Decoder:
    added = {bytes((pair[0] | 0x80, pair[1] | 0x80)): text for pair, text in nec_and_ibm().items()}
    recover_pair = pairs(_EUC_JP_LEADS, added)

    def recover(octets: bytes, start: int, stop: int) -> Recovery:
        triple = octets[start : start + 3]
        if len(triple) == 3 and triple[0] == 0x8F and 0xA1 <= triple[1] <= 0xFE:
            return REPLACEMENT, start + (3 if triple[2] >= 0x80 else 2)
        return recover_pair(octets, start, stop)

    # JIS X 0212 has a tilde that Python decodes as ASCII's tilde.
    return patched_codec(
        "euc_jp",
        recovering("euc-jp", recover),
        MICROSOFT,
        lambda octets: octets.replace(b"\x8f\xa2\xb7", b"\xa1\xc1"),
    )
