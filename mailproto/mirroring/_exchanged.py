"""Mailboxes that have exchanged their names, or got the name of one that has another name now.

They are known by their permanent ids (RFC 8474).  Without these it is not seen: then what is in both is put
together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence

from mailproto.mirroring._account_sides import Identity
from mailproto.mirroring._sides import MirrorError
from mailproto.mirroring._state import Mirrored

__all__ = ["Exchanged", "displaced", "names_now"]


class Exchanged(MirrorError):
    """A mailbox has the name of another one: all names must be compared before anything is done."""


async def names_now(
    side: int,
    mirrored: Sequence[Mirrored],
    listed: Iterable[str],
    identity: Callable[[int, str], Awaitable[Identity | None]],
) -> dict[int, str]:
    """The names on one side of the known mailboxes that are found there, by the ids of the state's rows."""
    rows = {known.identity[side]: known.id for known in mirrored if known.identity[side]}
    names: dict[int, str] = {}
    doubtful: set[int] = set()
    for name in listed:
        found = await identity(side, name)
        row = rows.get(found.id) if found is not None and found.id else None
        if row is not None:
            doubtful |= {row} & names.keys()
            names[row] = name
    return {row: name for row, name in names.items() if row not in doubtful}


def displaced(
    side: int, mirrored: Sequence[Mirrored], listed: Container[str], now: Mapping[int, str]
) -> list[Mirrored]:
    """The known mailboxes whose name on a side another one has now."""
    taken = {name for row, name in now.items() if name != _own(row, mirrored, side)}
    return [
        known
        for known in mirrored
        if known.names[side] in (listed if known.id in now else taken)
        and now.get(known.id) != known.names[side]
    ]


def _own(row: int, mirrored: Sequence[Mirrored], side: int) -> str:
    return next(known.names[side] for known in mirrored if known.id == row)
