"""Boundaries of multiparts (RFC 2046 5.1.1)."""

from __future__ import annotations

import secrets
from email.message import Message
from typing import Any, cast

from mailproto.smtp.client._content_type import content_type

__all__ = ["give_boundaries"]

_LENGTH_MAX = 200
"""More than the 70 that there should be: a line has room for it."""


def give_boundaries(part: Message[Any, Any], *, signed: bool = False) -> None:
    """One to each multipart that has none, or one that cannot be sent.

    :param signed: whether a signature covers it, so that what is there stays (RFC 1847 2.1).
    """
    payload = part.get_payload()
    if isinstance(payload, str):
        return
    if content_type(part).startswith("multipart/"):
        boundary = part.get_boundary("")
        if not boundary or not (signed or _is_sendable(boundary)):
            part.set_boundary(f"==============={secrets.token_hex(16)}==")
    if part.is_multipart():
        for inner in cast("list[Message[Any, Any]]", payload):
            give_boundaries(inner, signed=signed or content_type(part) == "multipart/signed")


def _is_sendable(boundary: str) -> bool:
    return boundary.isascii() and boundary.isprintable() and len(boundary) <= _LENGTH_MAX
