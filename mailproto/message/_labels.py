"""The names of charsets in mail.

The labels are those of the WHATWG Encoding Standard, from the table in `webencodings`: so
``iso-8859-1`` means windows-1252, ``gb2312`` means GB 18030, and ``big5`` means Big5 with HKSCS, as in
browsers and in the mail clients that are built from them.  Mail also has names of its own, misspelt
names, and charsets that are older than the web.
"""

from __future__ import annotations

import encodings.aliases
import functools
import re

import webencodings
from webencodings.labels import LABELS

from mailproto.message._decoders import US_ASCII, Decoder, decoder_of

__all__ = ["LABEL_LIMIT", "decoder_for"]

LABEL_LIMIT = 64
"""The most characters of a label; a longer one is not the name of a charset."""

# Names that neither the standard nor Python knows, in lower case and without "x-".
_MAIL_LABELS = {
    "ansi-x3-110-1983": "windows-1252",
    "ansi-x3-4-1986": "us-ascii",
    "big5-eten": "big5",
    "csunicode11utf7": "utf-7",
    "euc-jp-ms": "euc-jp",
    "eucjp-ms": "euc-jp",
    "eucjp-win": "euc-jp",
    "eucjpms": "euc-jp",
    "gb18030-2005": "gb18030",
    "gb18030-2022": "gb18030",
    "iso-2022-jp-ext": "iso-2022-jp",
    "iso-646-irv-1991": "us-ascii",
    "iso-2022-jp-1": "iso-2022-jp",
    "iso-2022-jp-ms": "iso-2022-jp",
    "iso-8859-1-windows-3-1-latin-1": "windows-1252",
    "iso-8859-1-windows-3-0-latin-1": "windows-1252",
    "iso-8859-2-windows-latin-2": "windows-1250",
    "iso-8859-9-windows-latin-5": "windows-1254",
    "mac-ce": "mac-latin2",
    "mac-centraleurroman": "mac-latin2",
    "mac-icelandic": "mac-iceland",
    "uhc": "euc-kr",
    "unicode-2-0-utf-7": "utf-7",
    "utf8mb3": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-mac": "utf-8",
    "wtf-8": "utf-8",
}

# Windows' and IBM's code pages that have other names.
_CODE_PAGES = {
    "367": "us-ascii",
    "819": "windows-1252",
    "874": "windows-874",
    "932": "shift_jis",
    "936": "gbk",
    "942": "shift_jis",
    "943": "shift_jis",
    "949": "euc-kr",
    "950": "big5",
    "951": "big5",
    "954": "euc-jp",
    "970": "euc-kr",
    "1200": "utf-16le",
    "1201": "utf-16be",
    "1361": "johab",
    "1363": "euc-kr",
    "1381": "gbk",
    "1386": "gbk",
    "1392": "gb18030",
    "10000": "macintosh",
    "10007": "x-mac-cyrillic",
    "10017": "x-mac-cyrillic",
    "20127": "us-ascii",
    "20866": "koi8-r",
    "20932": "euc-jp",
    "20936": "gbk",
    "21866": "koi8-u",
    "50220": "iso-2022-jp",
    "50221": "iso-2022-jp",
    "50222": "iso-2022-jp",
    "50225": "iso-2022-kr",
    "51932": "euc-jp",
    "51936": "gbk",
    "51949": "euc-kr",
    "52936": "hz",
    "54936": "gb18030",
    "65000": "utf-7",
    "65001": "utf-8",
    **{str(28590 + number): f"iso-8859-{number}" for number in range(1, 16)},
}

_ASCII = frozenset(
    ("us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "unknown", "default", "7bit", "8bit")
)
"""Labels that say nothing about the charset: the text is windows-1252 only if it is not UTF-8."""

_code_page = re.compile(r"(?:windows|win|cp|ibm|ms|dos)?-?0*([1-9][0-9]{2,4})(j?)").fullmatch
_iso_8859 = re.compile(r"iso-?8859-?([0-9]{1,2})(?:-[ei])?(?:-[0-9]{4})?").fullmatch
_spelling = re.compile(r"[\W_]+", re.ASCII).sub
_around = re.compile(r"^[^a-z0-9]+|[^a-z0-9]+$").sub


_STANDARD_LABELS = {_spelling("", label.removeprefix("x-")): label for label in LABELS}
"""The standard's labels by letters and digits: ``ks_c_5601_1989`` and ``x-ks_c_5601-1989`` are the same."""


@functools.lru_cache(maxsize=256)
def _decoder_for(label: str) -> Decoder | None:
    label = label.lower()
    if not label.strip(" \t\r\n\"'"):
        return US_ASCII
    label = _around("", label) or label
    return _decoder_named(label) or _decoder_for_spelling(label)


def decoder_for(label: str) -> Decoder | None:
    """The decoder for a label in any case and with anything around it; None if it is unknown.

    All labels of an encoding have the same decoder.
    """
    return _decoder_for(label) if len(label) <= LABEL_LIMIT else None


def _decoder_named(name: str) -> Decoder | None:
    """The decoder for a label of the standard, or for a value of the tables above."""
    if name in _ASCII:
        return US_ASCII
    try:
        encoding = webencodings.lookup(name)
    except UnicodeEncodeError:  # a surrogate
        return None
    return None if encoding is None or encoding.name == "replacement" else decoder_of(encoding.name)


def _decoder_for_spelling(label: str) -> Decoder | None:
    """The decoder for another spelling, a name of mail's own, a code page, or a name of Python's."""
    label = label.removeprefix("charset=").removeprefix("x-")
    standard = _STANDARD_LABELS.get(_spelling("", label), "-")
    label = _spelling("-", label)
    name = _MAIL_LABELS.get(label, "-")
    if page := _code_page(label):
        name = "shift_jis" if page[2] else _CODE_PAGES.get(page[1], f"cp{page[1]}")
    elif part := _iso_8859(label):
        name = f"iso-8859-{part[1]}"
    return _decoder_named(standard) or _decoder_named(name) or decoder_of(name) or _decoder_in_python(label)


def _decoder_in_python(name: str) -> Decoder | None:
    """The decoder for a name of Python's; if the standard has the encoding too, the standard's decoder."""
    name = encodings.normalize_encoding(name)
    name = encodings.aliases.aliases.get(name, name).replace("_", "-").replace("iso2022", "iso-2022")
    name = _MAIL_LABELS.get(name, name)
    return _decoder_named(name) or _decoder_named(name.replace("-", "")) or decoder_of(name)
