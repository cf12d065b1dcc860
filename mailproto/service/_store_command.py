"""``mailproto store check``: prints a store's faults, one in each line, and its numbers of objects."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from mailproto.awaiting import settle
from mailproto.interfaces import ICheckable, IStore
from mailproto.service._command_error import CommandError

__all__ = ["add_store_actions"]


def add_store_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    options = add_action("check", "look for faults in the store; status 1 if there are any")
    options.set_defaults(run=_check)
    options.add_argument("--repair", action="store_true", help="repair what can be repaired")


async def _check(store: IStore, options: Namespace) -> int:
    """Check the store, and print the result.

    :returns: the exit status: 1 if there are faults that were not repaired.
    """
    if not ICheckable.providedBy(store):
        raise CommandError("this store has nothing to check")
    result = await settle(store.check(lambda line: print(line, flush=True), repair=options.repair))
    print(", ".join(f"{count} {what}" for what, count in result.counts.items()))
    left = result.faults - result.repaired
    if not result.faults:
        print("nothing is wrong")
    elif options.repair:
        print(f"faults: {result.faults}; repaired: {result.repaired}; left: {left}")
    else:
        print(f"faults: {result.faults}; to mend what can be mended: --repair")
    return 1 if left else 0
