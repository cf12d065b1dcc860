"""Reading many messages without having many octets in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mailproto.content import CHUNK
from mailproto.interfaces import IMailbox
from mailproto.model import MessageInfo, Part

__all__ = ["CONTENT_AT_ONCE", "MESSAGES_AT_ONCE", "read_in_batches"]

MESSAGES_AT_ONCE = 1000
"""Messages that are read together, if their content is not."""

CONTENT_AT_ONCE = 1 << 20
"""Octets of content that are read together; one message may have more."""

_FEW = CONTENT_AT_ONCE // CHUNK
"""Messages that cannot have more than that in memory, since what is larger comes as a file."""


async def read_in_batches(
    mailbox: IMailbox, uids: Sequence[int], parts: Part
) -> AsyncIterator[Sequence[MessageInfo]]:
    """Read ``parts`` of those of the messages ``uids`` that are there."""
    for start in range(0, len(uids), MESSAGES_AT_ONCE):
        batch = uids[start : start + MESSAGES_AT_ONCE]
        if Part.CONTENT not in parts or len(batch) <= _FEW:
            yield await mailbox.read(batch, parts)
            continue
        sizes = {info.uid: info.size or 0 for info in await mailbox.read(batch, Part.SIZE)}
        for group in _groups(batch, sizes):
            yield await mailbox.read(group, parts)


def _groups(uids: Sequence[int], sizes: dict[int, int]) -> list[list[int]]:
    """Neighbours that together have no more than `CONTENT_AT_ONCE`; those without a size are there, too."""
    groups: list[list[int]] = [[]]
    total = 0
    for uid in uids:
        size = sizes.get(uid, 0)
        if total + size > CONTENT_AT_ONCE and groups[-1]:
            groups.append([])
            total = 0
        groups[-1].append(uid)
        total += size
    return groups
