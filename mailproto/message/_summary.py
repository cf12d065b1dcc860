"""A message's summary, which a backend makes at delivery and stores ready to send."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._envelope import render_envelope
from mailproto.message._index import Index, scan
from mailproto.message._structure import render_structure

__all__ = ["RENDER_VERSION", "Summary", "body", "summarise"]

RENDER_VERSION = 2
"""Increased whenever the result of `summarise` changes; stores then render older summaries anew."""


class Summary(NamedTuple):
    """The summary of a message.

    :ivar envelope: the value of ENVELOPE, from ``(`` to ``)``.
    :ivar body_structure: the value of BODYSTRUCTURE, from ``(`` to ``)``.
    :ivar index: `Index.dump`.
    """

    envelope: bytes
    body_structure: bytes
    index: bytes  # type: ignore[assignment]  # a column's name; tuple.index is not needed


def summarise(content: Octets, index: Index | None = None) -> Summary:
    """Read ``content`` and make its summary; any octets have one.

    :param index: the index of ``content``, if it was made before.
    """
    index = index or scan(content)
    root = index.root
    return Summary(
        render_envelope(root.fields(content)),
        render_structure(content, root, extended=True),
        index.dump(),
    )


def body(content: Octets, index: Index) -> bytes:
    """Render the value of BODY, which is BODYSTRUCTURE without extension data."""
    return render_structure(content, index.root, extended=False)
