"""CHILDREN (RFC 3348): LIST always tells whether a mailbox has inferiors."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension

__all__ = ["EXTENSION"]

EXTENSION = Extension("CHILDREN", capabilities=("CHILDREN",))
