"""MULTIAPPEND (RFC 3502): several messages with one APPEND, all of them or none."""

from __future__ import annotations

from typing import Final

from mailproto.imap.server._extension import Extension

__all__ = ["EXTENSION"]

MESSAGES: Final = 1000
"""The most messages of one APPEND."""

EXTENSION = Extension("MULTIAPPEND", capabilities=("MULTIAPPEND",), append_messages=MESSAGES)
