"""PREVIEW (RFC 8970): the beginning of the text that a person reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._sections import FetchedMessage, FetchPiece
from mailproto.imap.wire import ArgumentReader, FetchItem, quoted_or_literal
from mailproto.message import preview
from mailproto.model import Part

__all__ = ["EXTENSION"]

_LAZY_OCTETS = 1 << 18
"""A message with more octets takes too long for LAZY: it is in a file, and may have very many parts."""

_LAZY = re.compile(rb" \(LAZY(?: LAZY)*\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preview(FetchItem):
    """The item.

    :ivar lazy: whether NIL is an answer, too.
    """

    lazy: bool


def _preview(arguments: ArgumentReader) -> Preview:
    """``[SP "(LAZY)"]``; another list has modifiers of FETCH."""
    return Preview(arguments.match(_LAZY) is not None)


async def _render(message: FetchedMessage, item: Preview) -> bytes:
    if item.lazy and len(message.content) > _LAZY_OCTETS:
        return b"PREVIEW NIL"
    text = preview(message.content, await message.index())
    return b"PREVIEW %b" % quoted_or_literal(text)


EXTENSION = Extension(
    "PREVIEW",
    capabilities=("PREVIEW",),
    fetch_pieces=(
        FetchPiece(
            Preview, lambda item: Part.CONTENT | Part.OFFSETS, _render, readers={b"PREVIEW": _preview}
        ),
    ),
)
