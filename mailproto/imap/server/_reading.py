"""Reading many messages with few octets in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence

from mailproto.awaiting import settle
from mailproto.content import CHUNK
from mailproto.interfaces import IBoundedReading, IMailbox
from mailproto.model import MessageInfo, Part

__all__ = ["FEW", "MESSAGES_AT_ONCE", "OCTETS_AT_ONCE", "read_in_batches"]

MESSAGES_AT_ONCE = 1000
"""How many messages are looked at together."""

_READ_AT_ONCE = 500
"""How many messages are read together: some 1 ms, if they are small and the disk has not to be waited for."""

OCTETS_AT_ONCE = 1 << 20
"""How many octets of messages and their summaries are read, or rendered, together; one message may have
more."""

FEW = OCTETS_AT_ONCE // CHUNK
"""So many messages never take more memory than that, because a larger content comes as a file."""

_LONG = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT
"""Parts that may have many octets."""


def _at_once() -> int:
    return OCTETS_AT_ONCE


async def read_in_batches(
    mailbox: IMailbox, uids: Sequence[int], parts: Part, octets: Callable[[], int] = _at_once
) -> AsyncIterator[Sequence[MessageInfo]]:
    """Read ``parts`` of the messages ``uids``; those that do not exist are left out.

    :param octets: says before each batch how many octets it may have, if the mailbox can count them.
    """
    limit = octets()
    if 0 < len(uids) <= FEW and limit == OCTETS_AT_ONCE:
        yield await settle(mailbox.read(uids, parts))
        return
    bounded = mailbox if parts & _LONG and IBoundedReading.providedBy(mailbox) else None
    for start in range(0, len(uids), _READ_AT_ONCE):
        batch = uids[start : start + _READ_AT_ONCE]
        if bounded is not None:
            while batch and (found := [await settle(bounded.read_some(batch, parts, limit))])[0]:
                batch = batch[bisect_right(batch, found[0][-1].uid) :]
                yield found.pop()  # who gets it may forget it while the client is slow
                limit = octets()
        elif Part.CONTENT not in parts:
            yield await settle(mailbox.read(batch, parts))
        else:
            sizes = {info.uid: info.size or 0 for info in await settle(mailbox.read(batch, Part.SIZE))}
            for group in _groups(batch, sizes, limit):
                yield await settle(mailbox.read(group, parts))
            limit = octets()


def _groups(uids: Sequence[int], sizes: dict[int, int], octets: int) -> list[list[int]]:
    """Group neighbours whose sizes add up to at most ``octets``; an unknown size counts as 0."""
    groups: list[list[int]] = [[]]
    total = 0
    for uid in uids:
        size = sizes.get(uid, 0)
        if total + size > octets and groups[-1]:
            groups.append([])
            total = 0
        groups[-1].append(uid)
        total += size
    return groups
