"""Work for the writer: what operators and new routes change, in slices; and pauses of destinations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from mailproto.backends.sqlite._queue_removing import remove_messages
from mailproto.backends.sqlite._queue_schema import HELD, NOWHERE, READY, TIMED, WAITING
from mailproto.backends.sqlite._queue_tally import Tally, rows_of
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.model import QueueChange

__all__ = ["change_some", "pause", "regroup_some"]


def pause(transaction: Transaction, destination: str, until: float, failures: int, reason: str) -> None:
    """See `IQueue.pause`."""
    tally = transaction.shared(Tally)
    tally.load([destination])
    there = tally[destination]
    tally.is_sooner = tally.is_sooner or until < there.paused_until
    there.paused_until, there.failures, there.reason = until, failures, json.dumps(reason)


class _Recipient(NamedTuple):
    message: int
    number: int
    destination: str
    state: int
    phase: int
    time: float
    turn: int
    due: float
    token: int | None
    is_deferred: int
    arrived: float
    share: str
    size: int


def _recipients(transaction: Transaction, ids: Sequence[int]) -> list[_Recipient]:
    rows = rows_of(
        transaction,
        "SELECT json_group_array(json_array(message, number, destination, state, phase, time, turn, due,"
        " token, reply IS NOT NULL, arrived, share, size)) FROM json_each(?)"
        " CROSS JOIN queued ON queued.id = value CROSS JOIN queued_recipients ON message = value",
        (json.dumps(ids),),
    )
    return [_Recipient(*row) for row in rows]


def change_some(transaction: Transaction, ids: Sequence[int], change: QueueChange) -> list[int]:
    """See `IQueue.change`, for a few messages."""
    tally = transaction.shared(Tally)
    recipients = _recipients(transaction, ids)
    tally.load(each.destination for each in recipients)
    if change is QueueChange.DELETE:
        changed = _delete(transaction, tally, recipients)
    else:
        if change is QueueChange.HOLD:
            chosen = [each for each in recipients if each.state == WAITING]
        elif change is QueueChange.RELEASE:
            chosen = [each for each in recipients if each.state == HELD]
        else:
            chosen = [each for each in recipients if each.state == WAITING and each.token is None]
        tally.load_shares((each.destination, each.share) for each in chosen)
        _write(transaction, [_changed(tally, each, change) for each in chosen])
        changed = [each.message for each in chosen]
    return sorted(set(changed))


def _delete(transaction: Transaction, tally: Tally, recipients: Sequence[_Recipient]) -> list[int]:
    sizes = {each.message: each.size for each in recipients}
    for each in recipients:
        tally[each.destination].leave(each.phase)
        tally.count(each.state, each.is_deferred, -1)
    tokens = {each.token for each in recipients if each.token is not None}
    transaction.execute(
        "DELETE FROM queue_leases WHERE token IN (SELECT value FROM json_each(?))",
        (json.dumps(list(tokens)),),
    )
    remove_messages(transaction, list(sizes))
    tally.messages -= len(sizes)
    tally.octets -= sum(sizes.values())
    return list(sizes)


def _changed(tally: Tally, each: _Recipient, change: QueueChange) -> tuple[Any, ...]:
    """The new row of a recipient, for `_write`."""
    destination = tally[each.destination]
    if change is QueueChange.HOLD:
        destination.leave(each.phase)
        tally.count(WAITING, each.is_deferred, -1)
        tally.count(HELD, each.is_deferred)
        return (*each[:2], each.destination, HELD, NOWHERE, each.time, each.turn, each.due)
    tally.is_sooner = True
    if change is QueueChange.RELEASE:
        tally.count(HELD, each.is_deferred, -1)
        tally.count(WAITING, each.is_deferred)
        if each.token is not None:  # it is still being tried
            destination.enter(TIMED, each.time)
            return (*each[:2], each.destination, WAITING, TIMED, each.time, each.turn, each.due)
    else:
        destination.paused_until = 0.0
        destination.leave(each.phase)
    turn = each.turn if each.phase == READY else tally.turn(destination, each.share)
    destination.enter(READY, each.arrived)
    return (*each[:2], each.destination, WAITING, READY, each.arrived, turn, each.arrived)


def regroup_some(transaction: Transaction, moves: Sequence[tuple[int, int, str, str]]) -> None:
    """Move recipients, given by message and number, from a destination to another one."""
    tally = transaction.shared(Tally)
    wanted = {(message, number): (old, new) for message, number, old, new in moves}
    recipients = [
        each
        for each in _recipients(transaction, list(dict.fromkeys(message for message, _ in wanted)))
        if wanted.get((each.message, each.number), ("", ""))[0] == each.destination
    ]
    tally.load(name for each in recipients for name in wanted[each.message, each.number])
    tally.load_shares((wanted[each.message, each.number][1], each.share) for each in recipients)
    rows = []
    for each in recipients:
        new, turn = tally[wanted[each.message, each.number][1]], each.turn
        tally[each.destination].leave(each.phase)
        if each.phase == READY:
            turn = tally.turn(new, each.share)
        new.enter(each.phase, each.due)
        rows.append((*each[:2], new.name, each.state, each.phase, each.time, turn, each.due))
    tally.is_sooner = tally.is_sooner or bool(rows)
    _write(transaction, rows)


def _write(transaction: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        transaction.execute(
            "UPDATE queued_recipients SET destination = of.value ->> 2, state = of.value ->> 3,"
            " phase = of.value ->> 4, time = of.value ->> 5, turn = of.value ->> 6, due = of.value ->> 7"
            " FROM json_each(?) AS of WHERE message = of.value ->> 0 AND number = of.value ->> 1",
            (json.dumps(rows),),
        )
