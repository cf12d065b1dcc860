"""PREVIEW: the beginning of the text that a person reads (RFC 8970)."""

from __future__ import annotations

from mailproto.content import Octets
from mailproto.message._index import Index
from mailproto.message._mime import disposition
from mailproto.message._part_text import part_text
from mailproto.message._scan import MULTIPART, TEXT, Part

__all__ = ["PREVIEW_LENGTH", "preview"]

PREVIEW_LENGTH = 200
"""The most characters of a preview (RFC 8970 3.3, SHOULD)."""

_PREVIEW_OCTETS = 1 << 15

_PARTS = 100
"""Parts, in the order of the message, of which one may be the text; others take too long."""

_HEADER_OCTETS = 1 << 16
"""The same for the octets of their headers, without those of the last one."""


def preview(content: Octets, index: Index, length: int = PREVIEW_LENGTH) -> str:
    """The first ``length`` characters of the text that a person reads, on one line; "" if there is no text.

    Of alternatives, the plain text is used; attachments, only if there is no other text.  Quoted text is left
    out, unless there is no other text.  Only the first 100 parts are looked at.
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
    """The first text part that is no attachment, or a plain text among its alternatives; or an attachment."""
    first: Part | None = None
    attached: Part | None = None
    alternatives: Part | None = None  # those of ``first``
    left, headers_left = _PARTS, _HEADER_OCTETS
    stack: list[tuple[Part, Part | None]] = [(root, None)]
    while stack:
        part, its_alternatives = stack.pop()
        if first is not None and its_alternatives is not alternatives:
            break
        if part.kind == MULTIPART:
            is_alternative = part.content_type(content)[1].lower() == b"alternative"
            inner = part if is_alternative else its_alternatives
            stack.extend([(child, inner) for child in reversed(part.children)])
        elif part.kind == TEXT and part.body < part.end:
            if part is not root and _is_attachment(part, content):
                attached = attached or part
            elif part.content_type(content)[1].lower() == b"plain":
                return part
            elif first is None:
                first, alternatives = part, its_alternatives
                if alternatives is None:
                    break
        left -= 1
        headers_left -= part.body - part.header
        if left <= 0 or headers_left <= 0:
            break
    return first or attached


def _is_attachment(part: Part, content: Octets) -> bool:
    values = part.fields(content).get(b"content-disposition")
    return values is not None and disposition(values)[0].lower() == b"attachment"
