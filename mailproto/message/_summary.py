"""What a backend makes of a message once, at delivery, and stores ready to send."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Content
from mailproto.message._envelope import render_envelope
from mailproto.message._index import Index, scan
from mailproto.message._structure import render_structure

__all__ = ["Summary", "body", "summarise"]


class Summary(NamedTuple):
    """Stored with each message.

    :ivar envelope: the value of ENVELOPE, from ``(`` to ``)``.
    :ivar body_structure: the value of BODYSTRUCTURE, from ``(`` to ``)``.
    :ivar index: `Index.dump`.
    """

    envelope: bytes
    body_structure: bytes
    index: bytes  # type: ignore[assignment]  # a column's name; nobody asks a summary for tuple.index


def summarise(content: Content) -> Summary:
    """Read ``content`` once; any octets have a summary."""
    index = scan(content)
    root = index.root
    return Summary(
        render_envelope(root.fields(content)),
        render_structure(content, root, extended=True),
        index.dump(),
    )


def body(content: Content, index: Index) -> bytes:
    """The value of BODY, which is BODYSTRUCTURE without extension data."""
    return render_structure(content, index.root, extended=False)
