"""``mailproto store``: ``check`` prints a store's faults, one in each line, and its numbers of objects;
``reindex`` builds the search index anew; ``stats`` prints how large it is."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from mailproto.awaiting import settle
from mailproto.interfaces import ICheckable, IStore
from mailproto.interfaces.add_ons import IIndexed
from mailproto.model import IndexState
from mailproto.service._command_error import CommandError
from mailproto.service._progress import ShownProgress

__all__ = ["add_store_actions"]


def add_store_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    options = add_action("check", "look for faults in the store; status 1 if there are any")
    options.set_defaults(run=_check)
    options.add_argument("--repair", action="store_true", help="repair what can be repaired")
    add_action("reindex", "build the search index anew; the server may be running").set_defaults(run=_reindex)
    add_action("stats", "print what the store has, and how large its search index is").set_defaults(
        run=_stats
    )


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


async def _reindex(store: IStore, options: Namespace) -> None:
    """Build the search index anew, and show the progress."""
    if not IIndexed.providedBy(store):
        raise CommandError("this store has no search index")
    with ShownProgress("messages") as progress:

        def report(state: IndexState) -> None:
            progress.show(state.indexed, state.messages)

        await settle(store.rebuild_index(report))
    await _stats(store, options)


async def _stats(store: IStore, options: Namespace) -> None:
    """Print figures, one in each line."""
    print(f"accounts: {len(await settle(store.directory.names()))}")
    if not IIndexed.providedBy(store):
        return
    state = await settle(store.index_state())
    print(f"messages: {state.messages}")
    print(f"indexed: {state.indexed}")
    if state.has_texts:
        print(f"left out, with too much text: {state.left_out}")
        print(f"octets of decoded text: {state.text_octets}")
    else:
        print("octets of decoded text: not indexed")
    print(f"octets of the search index: {state.index_octets}")
