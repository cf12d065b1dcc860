"""``mailproto store check``: prints a store's faults, one in each line, and its numbers of objects."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.interfaces import ICheckable, IStore

__all__ = ["check_store"]


async def check_store(store: IStore, *, repair: bool) -> int:
    """Check a started store, and print the result.

    :returns: the exit status: 1 if there are faults that were not repaired.
    :raises ValueError: the store does not support checks.
    """
    if not ICheckable.providedBy(store):
        raise ValueError("this store has nothing to check")
    result = await settle(store.check(lambda line: print(line, flush=True), repair=repair))
    print(", ".join(f"{count} {what}" for what, count in result.counts.items()))
    left = result.faults - result.repaired
    if not result.faults:
        print("nothing is wrong")
    elif repair:
        print(f"faults: {result.faults}; repaired: {result.repaired}; left: {left}")
    else:
        print(f"faults: {result.faults}; to mend what can be mended: --repair")
    return 1 if left else 0
