"""What is fetched, and what is told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailproto.content import Content

__all__ = ["FetchProgress", "FetchResult", "Incoming", "Listed", "digest_of"]


class Listed(NamedTuple):
    """A message on the server.

    :ivar handle: by which the server is asked for it in this session.
    :ivar id: which holds for all sessions; "" if there is none.
    :ivar size: as the server says it; -1 if it says none.
    """

    handle: int
    id: str
    size: int


class Incoming(NamedTuple):
    """A message on its way.

    :ivar date: when it came to the server, in seconds since the epoch; None if that is not known.
    :ivar zone: of ``date``, in minutes east of UTC.
    """

    id: str
    digest: bytes
    content: Content
    flags: frozenset[str] = frozenset()
    date: int | None = None
    zone: int = 0


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far `fetch_new` has come.

    :ivar done: messages that are kept now, or need not be.
    :ivar total: messages to be fetched.
    :ivar octets: of the messages that were fetched.
    :ivar total_octets: of all that are to be fetched, as the server says it; 0 if it does not.
    """

    done: int
    total: int
    octets: int
    total_octets: int


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What `fetch_new` has done.

    :ivar listed: messages on the server, at the beginning.
    :ivar new: those that were not known; with ``dry_run`` they are there still.
    :ivar kept: messages that are in the target now, and were not before.
    :ivar octets: their octets.
    :ivar removed: messages that the server has removed.
    :ivar refused: what the server did not give, in one line each.
    """

    listed: int = 0
    new: int = 0
    kept: int = 0
    octets: int = 0
    removed: int = 0
    refused: Sequence[str] = ()


def digest_of(content: Content) -> bytes:
    """SHA-256 of a message's octets.  It takes a moment for a large one: use a thread."""
    found = hashlib.sha256()
    for piece in content.chunks():
        found.update(piece)
    return found.digest()
