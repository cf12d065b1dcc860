"""Text from octets: Python's codecs, the names that mail uses for them, and no failure."""

from __future__ import annotations

import codecs
import functools
import re

__all__ = ["decode_text", "supported_charset"]

_ALIASES = {
    "": "us-ascii",
    "ansi_x3.110-1983": "latin-1",
    "gb18030-2000": "gb18030",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1-windows-3.1-latin-1": "cp1252",
    "iso-10646-ucs-2": "utf-16-be",
    "iso-2022-jp-ms": "iso-2022-jp-ext",
    "iso-8859-1": "cp1252",
    "iso_8859-1:1987": "cp1252",
    "l1": "cp1252",
    "latin1": "cp1252",
    "ks_c_5601": "cp949",
    "ks_c_5601-1987": "cp949",
    "cseuckr": "cp949",
    "euc-kr": "cp949",
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "mac-ce": "mac-latin2",
    "uhc": "cp949",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "unknown": "us-ascii",
    "unknown-8bit": "us-ascii",
    "default": "us-ascii",
}

_code_page = re.compile(r"(?:windows|win|cp|ibm|ms)[-_]?([0-9]{2,5})(j?)").fullmatch
_iso_8859 = re.compile(r"iso[-_]?8859[-_]?([0-9]{1,2})(?:-[ei])?").fullmatch

# Codecs that read a programming language or a host name, not text.
_NOT_CHARSETS = frozenset(
    ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "mbcs", "oem", "charmap")
)


@functools.lru_cache(maxsize=256)
def _codec(charset: str) -> codecs.CodecInfo | None:
    name = charset.strip().strip("\"'").lower().removeprefix("x-")
    if match := _code_page(name):
        name = "cp932" if match[2] else f"cp{match[1]}"
    elif match := _iso_8859(name):
        name = f"iso-8859-{match[1]}"
    name = _ALIASES.get(name, name)
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a NUL or a surrogate in the name
        return None
    # Codecs from bytes to bytes ("zlib") are known by nothing public.
    if not getattr(codec, "_is_text_encoding", True) or codec.name.replace("_", "-") in _NOT_CHARSETS:
        return None
    return codec


def supported_charset(charset: str) -> bool:
    """Whether text in ``charset`` (any name that mail uses) can be read."""
    return len(charset) <= 64 and _codec(charset) is not None


def decode_text(octets: bytes, charset: str = "") -> str:
    """``octets`` as text in ``charset``.

    Where the name is unknown or the octets are none of it: UTF-8 if they are that, else
    ``charset`` with replacement characters, else Windows-1252, in which anything is text.
    """
    codec = _codec(charset) if len(charset) <= 64 else None
    if codec is not None:
        try:
            return codec.decode(octets)[0]
        except (UnicodeError, ValueError):
            pass
    try:
        return octets.decode()
    except UnicodeDecodeError:
        pass
    if codec is not None and codec.name != "ascii":
        try:
            return codec.decode(octets, "replace")[0]
        except (UnicodeError, ValueError):  # codecs that know no replacement
            pass
    return octets.decode("cp1252", "replace")
