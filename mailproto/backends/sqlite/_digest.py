"""The data that is computed once from a new message's octets."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.backends._threading import ThreadKeys, thread_keys
from mailproto.content import Content
from mailproto.message import Summary, relations, scan, summarise

__all__ = ["Digest", "digest"]


class Digest(NamedTuple):
    """The data that is stored besides a message's octets."""

    summary: Summary
    keys: ThreadKeys


def digest(content: Content) -> Digest:
    """Compute a digest.  :raises OSError: the content is in a file that cannot be read."""
    index = scan(content)
    return Digest(summarise(content, index), thread_keys(relations(content, index)))
