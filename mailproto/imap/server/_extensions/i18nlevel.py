"""I18NLEVEL=1 (RFC 5255 4.2): SEARCH, SORT and THREAD compare by i;unicode-casemap (RFC 5051)."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.interfaces.add_ons import IFinding

__all__ = ["EXTENSION"]

EXTENSION = Extension("I18NLEVEL", capabilities=("I18NLEVEL=1",), needs=frozenset({IFinding}))
