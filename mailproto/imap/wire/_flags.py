"""Reading flags (RFC 9051 2.3.2)."""

from __future__ import annotations

import re

from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.model import SYSTEM_FLAGS

__all__ = ["bare_flags", "flag_keyword", "flag_list"]

_FLAG = rb'\\?+[^\x00-\x20\x7f-\xff(){%*"\\\]]++'
_BARE = re.compile(_FLAG + rb"(?: " + _FLAG + rb")*")
_LIST = re.compile(rb"\((?:(" + _FLAG + rb"(?: " + _FLAG + rb")*))?\)")
_KEYWORD = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]++')

# The system flags that a client can set; only the server sets \Recent.
_SYSTEM = {flag.upper().encode("ascii"): flag for flag in SYSTEM_FLAGS}


def flag_list(cursor: Cursor) -> frozenset[str]:
    """Flags in parentheses; there may be none."""
    return _flags(cursor.expect(_LIST, "a list of flags")[1] or b"")


def bare_flags(cursor: Cursor) -> frozenset[str]:
    """One or more flags without parentheses, which STORE allows, too."""
    return _flags(cursor.expect(_BARE, "flags")[0])


def flag_keyword(cursor: Cursor) -> str:
    """A keyword, as written."""
    return cursor.expect(_KEYWORD, "a keyword")[0].decode("ascii")


def _flags(text: bytes) -> frozenset[str]:
    # Names that differ only in case are one flag; the first spelling is kept.
    flags: dict[str, str] = {}
    for name in text.split():
        flag = _SYSTEM.get(name.upper()) if name[:1] == b"\\" else name.decode("ascii")
        if flag is None:
            raise IMAPWireError("No such system flag, or not one that a client can set")
        flags.setdefault(flag.lower(), flag)
    return frozenset(flags.values())
