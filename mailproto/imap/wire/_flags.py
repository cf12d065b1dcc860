"""Reading flags (RFC 9051 2.3.2)."""

from __future__ import annotations

import re

from mailproto.imap.wire._arguments import ArgumentReader
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.model import SYSTEM_FLAGS

__all__ = ["bare_flags", "flag_keyword", "flag_list"]

_FLAG = rb'\\?+[^\x00-\x20\x7f-\xff(){%*"\\\]]++'
_BARE = re.compile(_FLAG + rb"(?: " + _FLAG + rb")*")
_LIST = re.compile(rb"\((?:(" + _FLAG + rb"(?: " + _FLAG + rb")*))?\)")
_KEYWORD = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]++')

# The system flags that a client can set; only the server sets \Recent.
_SYSTEM = {flag.upper().encode("ascii"): flag for flag in SYSTEM_FLAGS}


def flag_list(arguments: ArgumentReader) -> frozenset[str]:
    """Flags in parentheses; there may be none."""
    return _flags(arguments.expect(_LIST, "a list of flags")[1] or b"")


def bare_flags(arguments: ArgumentReader) -> frozenset[str]:
    """One or more flags without parentheses, which STORE allows, too."""
    return _flags(arguments.expect(_BARE, "flags")[0])


def flag_keyword(arguments: ArgumentReader) -> str:
    """A keyword, as written."""
    return arguments.expect(_KEYWORD, "a keyword")[0].decode("ascii")


def _flags(text: bytes) -> frozenset[str]:
    # Names that differ only in case are one flag; the first spelling is kept.
    flags: dict[str, str] = {}
    for name in text.split():
        flag = _SYSTEM.get(name.upper()) if name[:1] == b"\\" else name.decode("ascii")
        if flag is None:
            raise IMAPWireError("No such system flag, or not one that a client can set")
        flags.setdefault(flag.lower(), flag)
    return frozenset(flags.values())
