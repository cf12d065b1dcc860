"""Reading many messages with few octets in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from mailproto.awaiting import settle
from mailproto.content import CHUNK
from mailproto.interfaces import IMailbox
from mailproto.model import MessageInfo, Part

__all__ = ["CONTENT_AT_ONCE", "MESSAGES_AT_ONCE", "read_in_batches"]

MESSAGES_AT_ONCE = 1000
"""How many messages are read together without their content."""

CONTENT_AT_ONCE = 1 << 20
"""How many octets of content are read together; a single message may have more."""

_FEW = CONTENT_AT_ONCE // CHUNK
"""So many messages never take more memory than that, because a larger content comes as a file."""


async def read_in_batches(
    mailbox: IMailbox, uids: Sequence[int], parts: Part
) -> AsyncIterator[Sequence[MessageInfo]]:
    """Read ``parts`` of the messages ``uids``; those that do not exist are left out."""
    for start in range(0, len(uids), MESSAGES_AT_ONCE):
        batch = uids[start : start + MESSAGES_AT_ONCE]
        if Part.CONTENT not in parts or len(batch) <= _FEW:
            yield await settle(mailbox.read(batch, parts))
            continue
        sizes = {info.uid: info.size or 0 for info in await settle(mailbox.read(batch, Part.SIZE))}
        for group in _groups(batch, sizes):
            yield await settle(mailbox.read(group, parts))


def _groups(uids: Sequence[int], sizes: dict[int, int]) -> list[list[int]]:
    """Group neighbours whose sizes add up to at most `CONTENT_AT_ONCE`; an unknown size counts as 0."""
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
