"""LITERAL- (RFC 7888 5): only short literals come without being asked for; instead of LITERAL+."""

from __future__ import annotations

from typing import Final

from mailproto.imap.server._extension import Extension

__all__ = ["EXTENSION"]

_OCTETS: Final = 4096

EXTENSION = Extension("LITERAL-", capabilities=("LITERAL-",), unasked=_OCTETS)
