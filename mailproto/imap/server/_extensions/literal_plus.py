"""LITERAL+ (RFC 7888 4): literals of any size that come without being asked for."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension

__all__ = ["EXTENSION"]

EXTENSION = Extension("LITERAL+", capabilities=("LITERAL+",))
