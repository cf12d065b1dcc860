"""Boundaries of multiparts (RFC 2046 5.1.1)."""

from __future__ import annotations

import secrets
from email.message import Message
from typing import Any

__all__ = ["give_boundaries"]

_LENGTH_MAX = 200
"""More than the 70 that there should be: a line has room for it."""


def give_boundaries(message: Message[Any, Any]) -> None:
    """One to each multipart that has none, or one that cannot be sent."""
    for part in message.walk():
        if part.get_content_maintype() != "multipart" or isinstance(part.get_payload(), str):
            continue
        boundary = part.get_boundary("")
        if not boundary or not boundary.isascii() or not boundary.isprintable() or len(boundary) > _LENGTH_MAX:
            part.set_boundary(f"==============={secrets.token_hex(16)}==")
