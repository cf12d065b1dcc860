"""Return-Path, the trace field of final delivery (RFC 5321 4.4)."""

from __future__ import annotations

import re

from mailproto.content import Content
from mailproto.model import Address

__all__ = ["return_path", "with_return_path"]

_MARK = b"\nreturn-path"
_FIELD = re.compile(rb"^return-path[ \t]*:.*(?:\n[ \t].*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)


def return_path(sender: Address) -> bytes:
    """The field, with CRLF."""
    return f"Return-Path: <{sender}>\r\n".encode()


def with_return_path(sender: Address, content: Content) -> Content:
    """``content`` after a new Return-Path; any Return-Path that it already had is removed.

    Of a content in a file only the octets in memory are searched: a server keeps the whole header there.
    """
    field = return_path(sender)
    prefix = content.prefix
    end = prefix.find(b"\r\n\r\n") + len(b"\r\n")
    header = prefix[:end] if end > 1 else prefix
    if _MARK in (b"\n" + header).lower():
        return content.with_prefix(field + _FIELD.sub(b"", header) + prefix[len(header) :])
    return content.prepend(field)
