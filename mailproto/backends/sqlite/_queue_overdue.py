"""Work for the writer: leases what waits for paused destinations although its deadline is over."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailproto.backends._queue_rules import later_deadline
from mailproto.backends.sqlite._queue_leasing import Token, end_leases, insert_leases, new_tokens
from mailproto.backends.sqlite._queue_schema import READY
from mailproto.backends.sqlite._queue_tally import Tally, rows_of
from mailproto.backends.sqlite._transactions import Transaction

__all__ = ["lease_overdue"]


def lease_overdue(
    transaction: Transaction, now: float, until: float, messages: int, lessee: str
) -> Sequence[Token]:
    """See `IQueue.lease_overdue`.

    :param lessee: the process, as `Peers` names it.
    """
    over = rows_of(
        transaction,
        "SELECT json_group_array(json_array(id, arrived, expires)) FROM (SELECT id, arrived, expires"
        " FROM queued WHERE deadline <= ? ORDER BY deadline, id LIMIT ?)",
        (now, messages),
    )
    transaction.execute(
        "UPDATE queued SET deadline = of.value ->> 1 FROM json_each(?) AS of"
        " WHERE queued.id = of.value ->> 0",
        (json.dumps([(id_, later_deadline(now, until, *times)) for id_, *times in over]),),
    )
    rows = rows_of(
        transaction,
        "SELECT json_group_array(json_array(message, number, destination, phase, token))"
        " FROM json_each(?) AS over CROSS JOIN queued_recipients ON message = over.value"
        " CROSS JOIN queue_destinations ON name = destination"
        " WHERE paused_until > ? AND (phase = 2 OR (phase = 1 AND (token IS NULL OR time <= ?)))",
        (json.dumps([id_ for id_, *_ in over]), now, now),
    )
    end_leases(transaction, {(message, token) for message, _, _, _, token in rows if token is not None})
    tally = transaction.shared(Tally)
    tally.load(name for _, _, name, _, _ in rows)
    chosen: dict[tuple[int, str], list[int]] = {}
    for message, number, name, phase, _ in rows:
        chosen.setdefault((message, name), []).append(number)
        tally[name].ready -= phase == READY
    tokens = dict(zip(chosen, new_tokens(transaction, len(chosen)), strict=True))
    transaction.execute(
        "UPDATE queued_recipients SET phase = 1, token = of.value ->> 2, time = ?"
        " FROM json_each(?) AS of WHERE message = of.value ->> 0 AND number = of.value ->> 1",
        (until, json.dumps([(message, number, tokens[message, name]) for message, number, name, *_ in rows])),
    )
    insert_leases(
        transaction,
        [
            (token, message, now, until, len(chosen[message, name]), lessee)
            for (message, name), token in tokens.items()
        ],
    )
    return [(token, message, until) for (message, _), token in tokens.items()]
