"""A change of some messages, as it is recorded, and what does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mailproto.backends.sqlite import _changing
from mailproto.backends.sqlite._writer import Transaction
from mailproto.model import FlagChange, FlagOperation

__all__ = ["KINDS", "LongChange", "copying", "expunging", "moving", "storing"]


class LongChange(NamedTuple):
    """A change of some messages of a mailbox.

    :ivar kind: a name in `KINDS`.
    :ivar target: the mailbox to copy or move to.
    :ivar arguments: further arguments, as JSON.
    """

    kind: str
    mailbox: int
    target: int | None = None
    arguments: str = ""


def copying(source: int, target: int) -> LongChange:
    """`IMailbox.copy`."""
    return LongChange("copy", source, target)


def moving(source: int, target: int) -> LongChange:
    """`IMailbox.move`."""
    return LongChange("move", source, target)


def expunging(mailbox: int) -> LongChange:
    """`IMailbox.expunge` of some UIDs."""
    return LongChange("expunge", mailbox)


def storing(mailbox: int, change: FlagChange, unchanged_since: int | None) -> LongChange:
    """`IMailbox.store`."""
    arguments = json.dumps([change.operation.name, sorted(change.flags), unchanged_since])
    return LongChange("store", mailbox, arguments=arguments)


def _store(transaction: Transaction, change: LongChange, uids: Sequence[int]) -> Any:
    operation, flags, unchanged_since = json.loads(change.arguments)
    flag_change = FlagChange(FlagOperation[operation], frozenset(flags))
    return _changing.store(transaction, change.mailbox, uids, flag_change, unchanged_since)


KINDS: Mapping[str, Callable[[Transaction, LongChange, Sequence[int]], Any]] = {
    "copy": lambda transaction, change, uids: _changing.copy(
        transaction, change.mailbox, uids, change.target or 0
    ),
    "move": lambda transaction, change, uids: _changing.move(
        transaction, change.mailbox, uids, change.target or 0
    ),
    "expunge": lambda transaction, change, uids: _changing.expunge(transaction, change.mailbox, uids),
    "remove": lambda transaction, change, uids: _changing.remove(transaction, change.mailbox, uids),
    "store": _store,
}
"""The work for a slice of each kind; "remove" undoes a copy."""
