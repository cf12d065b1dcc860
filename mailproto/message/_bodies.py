"""Which parts of a message are its text, and which are attachments (RFC 8621 4.1.4)."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._file_name import has_file_name
from mailproto.message._mime import disposition
from mailproto.message._scan import MULTIPART, TEXT, Part

__all__ = ["Bodies", "find_bodies"]


class Bodies(NamedTuple):
    """The parts without parts of their own, in the order of the message.

    :ivar texts: those that are text/plain and to be read.
    :ivar htmls: those that are text/html and to be read.
    :ivar others: all others, and whether each is embedded: in a multipart/related, but not its root.
    """

    texts: list[Part]
    htmls: list[Part]
    others: list[tuple[Part, bool]]


def find_bodies(content: Octets, root: Part) -> Bodies:
    """Sort the parts of a message; each part without parts is in one of the lists."""
    found = Bodies([], [], [])
    _sort(content, root, found, is_first=True, is_related=False, is_embedded=False)
    return found


def _sort(
    content: Octets, part: Part, found: Bodies, *, is_first: bool, is_related: bool, is_embedded: bool
) -> None:
    """Add ``part``, or the parts in it, to ``found``.

    :param is_first: whether it is the first part of its multipart.
    :param is_related: whether that multipart is a multipart/related.
    """
    if part.kind == MULTIPART and (part.children or part.body == part.end):
        related = part.content_type(content)[1].lower() == b"related"
        for number, child in enumerate(part.children):
            _sort(
                content,
                child,
                found,
                is_first=number == 0,
                is_related=related,
                is_embedded=is_embedded or (related and number > 0),
            )
        return
    subtype = part.content_type(content)[1].lower() if part.kind == TEXT else b""
    if (
        subtype in (b"plain", b"html")
        and (is_first or not is_related)
        and _is_shown(content, part)
        and (is_first or not has_file_name(content, part))
    ):
        (found.texts if subtype == b"plain" else found.htmls).append(part)
    else:
        found.others.append((part, is_embedded))


def _is_shown(content: Octets, part: Part) -> bool:
    """Whether its disposition is inline, or none; an unknown one means attachment (RFC 2183 2.8)."""
    values = part.fields(content).get(b"content-disposition")
    return not values or disposition(values)[0].lower() in (b"", b"inline")
