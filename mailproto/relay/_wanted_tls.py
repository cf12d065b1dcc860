"""What a message itself says about TLS (RFC 8689)."""

from __future__ import annotations

from typing import Final

from mailproto.content import Content
from mailproto.message import header_fields
from mailproto.model import QueuedMessage

__all__ = ["wanted_tls"]

SEARCHED: Final = 1 << 14
"""Octets of a message in which its field TLS-Required is searched for; headers are rarely longer."""


def wanted_tls(message: QueuedMessage) -> bool | None:
    """True if the message must only travel over TLS (REQUIRETLS), False if it shall travel even where TLS
    fails (``TLS-Required: No``), or else None.

    A report travels over any TLS rather than not at all (5).
    """
    parameters, content = message.envelope.parameters, message.content
    if parameters and "REQUIRETLS" in parameters:
        return True if message.envelope.sender else None
    return False if content is not None and _is_tls_optional(content) else None


def _is_tls_optional(content: Content) -> bool:
    try:
        beginning = content[:SEARCHED]
    except (OSError, ValueError):
        return False  # what is wrong shows when it is sent
    if b"tls-required:" not in beginning.lower():  # as nearly always
        return False
    end = beginning.find(b"\r\n\r\n")
    return any(
        field.name.lower() == b"tls-required" and field.value.strip().lower() == b"no"
        for field in header_fields(beginning[: end + 4] if end >= 0 else beginning)
    )
