"""What a backend makes of a message once, at delivery, and stores ready to send."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Content
from mailproto.message._envelope import render_envelope
from mailproto.message._index import Index, scan
from mailproto.message._structure import render_structure

__all__ = ["RENDER_VERSION", "Summary", "body", "summarise"]

RENDER_VERSION = 1
"""Raised whenever `summarise` makes something else of any content: stores render older summaries anew."""


class Summary(NamedTuple):
    """Stored with each message.

    :ivar envelope: the value of ENVELOPE, from ``(`` to ``)``.
    :ivar body_structure: the value of BODYSTRUCTURE, from ``(`` to ``)``.
    :ivar index: `Index.dump`.
    """

    envelope: bytes
    body_structure: bytes
    index: bytes  # type: ignore[assignment]  # a column's name; nobody asks a summary for tuple.index


def summarise(content: Content, index: Index | None = None) -> Summary:
    """Read ``content`` once; any octets have a summary.

    :param index: of ``content``, if it is there already.
    """
    index = index or scan(content)
    root = index.root
    return Summary(
        render_envelope(root.fields(content)),
        render_structure(content, root, extended=True),
        index.dump(),
    )


def body(content: Content, index: Index) -> bytes:
    """The value of BODY, which is BODYSTRUCTURE without extension data."""
    return render_structure(content, index.root, extended=False)
