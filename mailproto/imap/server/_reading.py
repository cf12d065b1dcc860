"""Reading many messages without having many octets in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mailproto.interfaces import IMailbox
from mailproto.model import MessageInfo, Part

__all__ = ["CONTENT_AT_ONCE", "MESSAGES_AT_ONCE", "read_in_batches"]

MESSAGES_AT_ONCE = 1000
"""Messages that are read together, if their content is not."""

CONTENT_AT_ONCE = 1 << 20
"""Octets of content that are read together; one message may have more."""


async def read_in_batches(
    mailbox: IMailbox, uids: Sequence[int], parts: Part
) -> AsyncIterator[tuple[Sequence[int], Sequence[MessageInfo]]]:
    """Read ``parts`` of the messages ``uids``.

    :returns: the UIDs that were asked for together, and what was there.
    """
    for start in range(0, len(uids), MESSAGES_AT_ONCE):
        batch = uids[start : start + MESSAGES_AT_ONCE]
        if Part.CONTENT not in parts:
            yield batch, await mailbox.read(batch, parts)
            continue
        sizes = {info.uid: info.size or 0 for info in await mailbox.read(batch, Part.SIZE)}
        for group in _groups(batch, sizes):
            yield group, await mailbox.read(group, parts)


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
