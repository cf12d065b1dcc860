"""INPROGRESS (RFC 9585): long commands tell how far they are; see `mailproto.imap.server._progress`."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension

__all__ = ["EXTENSION"]

EXTENSION = Extension("INPROGRESS", capabilities=("INPROGRESS",))
