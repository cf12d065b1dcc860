"""Whether an account is the one that was mirrored before, or was made anew under its name.

What an account made anew lacks was removed by nobody: to remove it on the other side, too, would lose
what may be the only copy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from mailproto.mirroring._account_sides import Identity
from mailproto.mirroring._state import Mirrored
from mailproto.model import INBOX

__all__ = ["is_same_account"]


async def is_same_account(
    side: int,
    mirrored: Sequence[Mirrored],
    listed: Collection[str],
    identity: Callable[[Mirrored], Awaitable[Identity | None]],
) -> bool | None:
    """Whether INBOX, or if that is not known any other mailbox, is still what it was.

    :param listed: the names of the mailboxes on this side.
    :param identity: what a mailbox of this side is now; None if that is not known.
    :returns: None if no known mailbox shows it.
    """
    there = [each for each in mirrored if each.names[side] in listed and each.validity[side]]
    inbox = [each for each in there if each.names[side] == INBOX]
    same: bool | None = None
    for known in inbox or there:
        if (now := await identity(known)) is not None:
            same = _is_unchanged(known, side, now)
            if same:
                break
    return same


def _is_unchanged(known: Mirrored, side: int, now: Identity) -> bool:
    """Both must be equal: another store may give the same ids again."""
    if now.validity != known.validity[side]:
        return False
    return not (known.identity[side] and now.id) or known.identity[side] == now.id
