"""Groups the queue by its next hops anew where the routes have changed since the last start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mailproto.awaiting import settle
from mailproto.interfaces import IQueue
from mailproto.relay import Routes
from mailproto.service._remembered_routes import are_remembered, remember_routes

__all__ = ["group"]


async def group(queue: IQueue, folder: Path, way: str, hops: Mapping[str, str]) -> None:
    """Regroup the queue if the routes are others than those in the data folder, and remember them there.

    A queue is read from its beginning to its end to be grouped anew, in short steps, which takes some seconds
    for a million messages.  If that fails, or the routes cannot be remembered, it is done again at the next
    start.

    :raises OSError: the file cannot be written; the queue is grouped.
    """
    if not are_remembered(folder, way, hops):
        await settle(queue.regroup(Routes(way, hops).key))
        remember_routes(folder, way, hops)
