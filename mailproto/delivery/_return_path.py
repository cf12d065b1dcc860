"""Return-Path, the trace field of final delivery (RFC 5321 4.4)."""

from __future__ import annotations

import re

from mailproto.content import Content, FileContent, prepend
from mailproto.model import Address

__all__ = ["with_return_path"]

_MARK = b"\nreturn-path"
_FIELD = re.compile(rb"^return-path[ \t]*:.*(?:\n[ \t].*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)


def with_return_path(sender: Address, content: Content) -> Content:
    """``content`` after a new Return-Path; any Return-Path that it already had is removed.

    In a `FileContent` only the prefix is searched: a server keeps the whole header there.
    """
    field = f"Return-Path: <{sender}>\r\n".encode()
    if isinstance(content, FileContent):
        header = content.prefix
        if _MARK in (b"\n" + header).lower():
            return content.with_prefix(field + _FIELD.sub(b"", header))
    else:
        end = content.find(b"\r\n\r\n") + len(b"\r\n")
        header = content[:end] if end > 1 else content
        if _MARK in (b"\n" + header).lower():
            return field + _FIELD.sub(b"", header) + content[len(header) :]
    return prepend(field, content)
