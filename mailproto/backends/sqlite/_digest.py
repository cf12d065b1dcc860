"""What is made of a message's octets once, when it comes."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.backends._threading import ThreadKeys, thread_keys
from mailproto.content import Content
from mailproto.message import Summary, relations, scan, summarise

__all__ = ["Digest", "digest"]


class Digest(NamedTuple):
    """What is kept of a message beside its octets."""

    summary: Summary
    keys: ThreadKeys


def digest(content: Content) -> Digest:
    """Read ``content`` once.  :raises OSError: if it is in a file that cannot be read."""
    index = scan(content)
    return Digest(summarise(content, index), thread_keys(relations(content, index)))
