"""A message's summary, which a backend makes at delivery and stores ready to send."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._envelope import envelope_steps
from mailproto.message._index import Index, scan, scan_steps
from mailproto.message._steps import Steps, finish
from mailproto.message._structure import structure_steps

__all__ = ["RENDER_VERSION", "Summary", "body", "body_steps", "summarise", "summarise_steps"]

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
    return finish(summarise_steps(content, index or scan(content)))


def summarise_steps(content: Octets, index: Index | None = None) -> Steps[Summary]:
    """As `summarise`, in steps."""
    if index is None:
        index = yield from scan_steps(content)
    root = index.root
    envelope = yield from envelope_steps(root.fields(content), root.body - root.header)
    structure = yield from structure_steps(content, root, extended=True)
    return Summary(envelope, structure, (yield from index.dump_steps()))


def body(content: Octets, index: Index) -> bytes:
    """Render the value of BODY, which is BODYSTRUCTURE without extension data."""
    return finish(structure_steps(content, index.root, extended=False))


def body_steps(content: Octets, index: Index) -> Steps[bytes]:
    """As `body`, in steps."""
    return structure_steps(content, index.root, extended=False)
