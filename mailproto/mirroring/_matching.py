"""Finds the messages that are on both sides already, by their octets.

That is needed when nothing is known (a first run, or another UIDVALIDITY), and after a crash: then some
messages may have been appended, but not noted.
"""

from __future__ import annotations

from functools import partial

from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._sides import Side
from mailproto.mirroring._state import MailboxState

__all__ = ["match"]


async def _any(state: MailboxState, side: int, breather: Breather) -> bool:
    """Whether there are new messages on a side."""
    async for page in breather.each(state.new(side)):
        if page:
            return True
    return False


async def match(state: MailboxState, sides: tuple[Side, Side], breather: Breather) -> int:
    """Note the pairs of new messages on both sides; only messages of equal sizes are read.

    Their flags are not agreed upon: what either side has is a change.

    :returns: how many there are.
    """
    for side in (0, 1):
        if not await _any(state, 1 - side, breather):
            return 0
        for uids in state.new(side):
            if uids := state.without_size(side, uids):
                state.note_sizes(side, [each async for each in sides[side].sizes(uids)])
            await breather.breathe()
    for side in (0, 1):
        await breather.aside(partial(state.collect_sizes, 1 - side))
        for uids in state.new(side):
            if uids and (wanted := state.of_size_elsewhere(side, uids)):
                async for message in sides[side].read(wanted):
                    if message.content is not None:
                        state.note_digest(side, message.uid, await breather.digest(message.content))
            await breather.breathe()
    found = 0
    for pairs in state.equal_messages():
        # In a thread, because they come in the order of their digests, each for another page of the file.
        await breather.aside(partial(state.add, [(source, target, "") for source, target in pairs]))
        found += len(pairs)
        await breather.breathe()
    return found
