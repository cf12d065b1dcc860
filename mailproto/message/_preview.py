"""PREVIEW: the beginning of the text that a person reads (RFC 8970)."""

from __future__ import annotations

from mailproto.content import Octets
from mailproto.message._index import Index
from mailproto.message._part_text import part_text
from mailproto.message._scan import MULTIPART, TEXT, Part

__all__ = ["PREVIEW_LENGTH", "preview"]

PREVIEW_LENGTH = 200
"""The most characters of a preview (RFC 8970 3.3, SHOULD)."""

_PREVIEW_OCTETS = 1 << 15


def preview(content: Octets, index: Index, length: int = PREVIEW_LENGTH) -> str:
    """The first ``length`` characters of the text that a person reads, on one line; "" if there is no text.

    Of alternatives, the plain text is used.  Quoted text is left out, unless there is no other text.
    """
    part = _preview_part(index.root, content)
    if part is None:
        return ""
    text = part_text(content, part, _PREVIEW_OCTETS)
    own = " ".join(" ".join([line for line in text.splitlines() if not line.startswith(">")]).split())
    whole = own or " ".join(text.split())
    shown = "".join([character for character in whole[:length] if character.isprintable()])
    return shown.rstrip()


def _preview_part(root: Part, content: Octets) -> Part | None:
    """The first text part; if that is HTML, and a plain text is next to it, the plain text."""
    html: Part | None = None
    stack = [root]
    while stack:
        part = stack.pop()
        if part.kind == MULTIPART:
            stack.extend(reversed(part.children))
        elif part.kind == TEXT and part.body < part.end:
            if part.content_type(content)[1].lower() == b"plain":
                return part
            html = html or part
    return html
