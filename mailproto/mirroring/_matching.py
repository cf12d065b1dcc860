"""Finds the messages that are on both sides already, by their octets.

That is needed when nothing is known (a first run, or another UIDVALIDITY), and after a crash: then some
messages may have been appended, but not noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._sides import Side
from mailproto.mirroring._state import MailboxState

__all__ = ["match"]

_SAMPLE = 5
"""Messages of each side that are read in any case, to see whether the sizes are right."""


async def _any(state: MailboxState, side: int, breather: Breather) -> bool:
    """Whether there are new messages on a side."""
    async for page in breather.each(state.new(side)):
        if page:
            return True
    return False


async def _digest(
    state: MailboxState, sides: tuple[Side, Side], breather: Breather, *, by_size: bool
) -> bool:
    """Note the digests of new messages.

    :param by_size: only of those for which the other side has one of the same size, and of some others,
        because some servers only estimate sizes.
    :returns: whether all sizes were right.
    """
    for side in (0, 1):
        await breather.aside(partial(state.collect_sizes, 1 - side))
        looked_at = 0
        for uids in state.new(side):
            wanted = state.without_digest(side, uids)
            if by_size and wanted:
                others = wanted[: max(0, _SAMPLE - looked_at)]
                looked_at += len(others)
                wanted = sorted({*state.of_size_elsewhere(side, wanted), *others})
            sizes = state.sizes(side, wanted) if by_size and wanted else {}
            if wanted and not await _digest_page(state, side, sides[side], wanted, sizes, breather):
                return False
            await breather.breathe()
    return True


async def _digest_page(
    state: MailboxState,
    number: int,
    side: Side,
    uids: Sequence[int],
    sizes: Mapping[int, int],
    breather: Breather,
) -> bool:
    left = set(uids)
    async for message in side.read(uids):
        if message.content is not None:
            left.discard(message.uid)
            state.note_digest(number, message.uid, await breather.digest(message.content))
            if sizes.get(message.uid, len(message.content)) != len(message.content):
                return False
    for uid in left:
        state.note_digest(number, uid, b"")
    return not (left and sizes)  # whether the sizes of these are right is not known


async def match(state: MailboxState, sides: tuple[Side, Side], breather: Breather) -> int:
    """Note the pairs of new messages on both sides.  If sizes are right, only those of equal ones are read.

    Their flags are not agreed upon: what either side has is a change.  A message that a server does not give
    cannot be compared, and so must not be copied either (`MailboxState.withheld`).

    :returns: how many there are.
    """
    has_sizes = True
    for side in (0, 1):
        if not await _any(state, 1 - side, breather):
            return 0
        for uids in state.new(side):
            if uids := state.without_size(side, uids):
                state.note_sizes(side, [each async for each in sides[side].sizes(uids)])
                has_sizes = has_sizes and not state.without_size(side, uids)
            await breather.breathe()
    if not (has_sizes and await _digest(state, sides, breather, by_size=True)):
        await _digest(state, sides, breather, by_size=False)
    found = 0
    for pairs in state.equal_messages():
        # In a thread, because they come in the order of their digests, each for another page of the file.
        await breather.aside(partial(state.add, [(source, target, "") for source, target in pairs]))
        found += len(pairs)
        await breather.breathe()
    return found
