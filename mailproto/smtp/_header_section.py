"""Where a message's header section ends (RFC 5322 2.1)."""

from __future__ import annotations

import re

__all__ = ["header_end", "may_be_field", "with_empty_line"]

# So long names are none (RFC 5322 2.1.1), and what may be one need not be kept for longer.
_NAME = rb"[!-9;-~]{1,998}+[ \t]{0,998}+"
_FIELD = re.compile(_NAME + rb":")
_NO_FIELD = re.compile(rb"\n(?!" + _NAME + rb":|[ \t]|\Z)")
_BEGUN = re.compile(rb"(?:" + _NAME + rb"|\r)\Z")
_EMPTY_LINE = b"\r\n"


def header_end(octets: bytes) -> int:
    """How many of ``octets`` are header fields: up to the first line that is none, empty or not."""
    if not _FIELD.match(octets):
        return 0
    end = _NO_FIELD.search(octets)
    return len(octets) if end is None else end.start() + 1


def may_be_field(begun: bytes) -> bool:
    """Whether what begins with no field does so only because there is more to come."""
    return bool(_BEGUN.match(begun))


def with_empty_line(body: bytes) -> bytes:
    """What stands behind the header section; a body that came without the empty line gets it."""
    return body if body.startswith(_EMPTY_LINE) or not body else _EMPTY_LINE + body
