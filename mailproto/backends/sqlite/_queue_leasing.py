"""Work for the writer: leases recipients, makes leases longer, and takes them back.

A leased recipient is one that can be leased at the end of its lease: nothing else has to happen for a lease
of a process that was killed to be taken over.  Its token stays until then, so that who comes late can still
settle it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from mailproto.backends._queue_rules import FORGET
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._queue_schema import NOWHERE, READY, TIMED
from mailproto.backends.sqlite._queue_tally import Destination, Tally, rows_of
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._transactions import Transaction

__all__ = ["Wanted", "lease_all", "release_all", "renew_all"]

PROMOTED = 1000
"""The most recipients of one destination that become ready with one lease, those first that are due first.

If there are more at once, such as after a day without a server, later leases go on with the rest.
"""

FORGOTTEN = 100
"""The most destinations that are forgotten with one lease (`FORGET`)."""

TURNS = 1000
"""Turns of a destination after which the rows of its shares are looked through."""

LOOKED_AT = 4096
"""The most ready recipients that are looked at for one lease, if many are of the same messages."""

_STEP = 2  # recipients a message that are looked at first


class Wanted(NamedTuple):
    """See `IQueue.lease`."""

    destination: str
    now: float
    until: float
    messages: int
    recipients: int


@in_any_order
def lease_all(transaction: Transaction, requests: Sequence[Wanted]) -> list[list[tuple[int, int]]]:
    """For each request, the tokens of the leases with their messages."""
    return [_lease(transaction, *wanted) for wanted in requests]


def _lease(
    transaction: Transaction, destination: str, now: float, until: float, messages: int, recipients: int
) -> list[tuple[int, int]]:
    transaction.execute(
        "DELETE FROM queue_destinations WHERE name IN (SELECT name FROM queue_destinations"
        " WHERE waiting = 0 AND paused_until <= ? LIMIT ?)",
        (now - FORGET, FORGOTTEN),
    )
    tally = Tally(transaction)
    tally.load([destination])
    there = tally[destination]
    if not there.waiting:
        return []
    _promote(transaction, tally, there, now)
    chosen = _choose(transaction, there, messages, recipients)
    if not chosen:
        tally.finish()
        return []
    ids = json.dumps([message for message, _ in chosen])
    rows = rows_of(
        transaction,
        "SELECT json_group_array(json_array(message, number, token)) FROM ("
        "SELECT message, number, token, row_number() OVER (PARTITION BY message ORDER BY number) AS place"
        " FROM json_each(?) CROSS JOIN queued_recipients ON message = value"
        " WHERE phase = 2 AND destination = ?) WHERE place <= ?",
        (ids, destination, recipients),
    )
    _end_leases(transaction, {(message, token) for message, _, token in rows if token is not None})
    [last] = transaction.execute(
        "UPDATE queue_counts SET token = token + ? RETURNING token", (len(chosen),)
    ).fetchone()
    tokens = {message: last - len(chosen) + place for place, (message, _) in enumerate(chosen, 1)}
    counts = dict.fromkeys(tokens, 0)
    for message, _, _ in rows:
        counts[message] += 1
    transaction.execute(
        "UPDATE queued_recipients SET phase = 1, time = ?, token = of.value ->> 2 FROM json_each(?) AS of"
        " WHERE message = of.value ->> 0 AND number = of.value ->> 1",
        (until, json.dumps([(message, number, tokens[message]) for message, number, _ in rows])),
    )
    insert(
        transaction.execute,
        "INSERT INTO queue_leases (token, message, leased, until, recipients)",
        [(token, message, now, until, counts[message]) for message, token in tokens.items()],
    )
    before = there.virtual
    there.virtual = max(before, *(turn for _, turn in chosen))
    there.ready -= len(rows)
    there.since = now
    if there.virtual // TURNS != before // TURNS:
        # Shares that are not ahead of the others need no row.
        transaction.execute(
            "DELETE FROM queue_shares WHERE destination = ? AND turn <= ?", (destination, there.virtual)
        )
    tally.finish()
    return [(token, message) for message, token in tokens.items()]


def _promote(transaction: Transaction, tally: Tally, destination: Destination, now: float) -> None:
    """Make ready what is due."""
    if destination.waiting == destination.ready:
        return
    due = rows_of(
        transaction,
        "SELECT json_group_array(json_array(message, number, share)) FROM"
        " (SELECT message, number FROM queued_recipients WHERE phase = 1 AND destination = ? AND time <= ?"
        " ORDER BY time, message, number LIMIT ?) JOIN queued ON id = message",
        (destination.name, now, PROMOTED),
    )
    if not due:
        return
    tally.load_shares((destination.name, share) for _, _, share in due)
    turns = [(message, number, tally.turn(destination, share)) for message, number, share in due]
    destination.ready += len(due)
    transaction.execute(
        "UPDATE queued_recipients SET phase = 2, turn = of.value ->> 2 FROM json_each(?) AS of"
        " WHERE message = of.value ->> 0 AND number = of.value ->> 1",
        (json.dumps(turns),),
    )


def _choose(
    transaction: Transaction, destination: Destination, messages: int, recipients: int
) -> list[tuple[int, int]]:
    """The messages whose turn it is, each with its first turn."""
    limit = min(_STEP * messages, LOOKED_AT)
    while True:
        found: dict[int, int] = {}
        rows = rows_of(
            transaction,
            "SELECT json_group_array(json_array(message, turn)) FROM"
            " (SELECT message, turn FROM queued_recipients WHERE phase = 2 AND destination = ?"
            " ORDER BY urgency, turn, message, number LIMIT ?)",
            (destination.name, limit),
        )
        for message, turn in rows:
            found.setdefault(message, turn)
        if len(found) >= messages or len(rows) < limit or limit >= LOOKED_AT:
            return list(found.items())[:messages]
        limit = min(8 * limit, LOOKED_AT)


def _end_leases(transaction: Transaction, leases: set[tuple[int, int]]) -> None:
    """End leases that have run out, each given with its message, for those recipients, too, that stay."""
    if leases:
        ended = json.dumps(list(leases))
        transaction.execute(
            "DELETE FROM queue_leases WHERE token IN (SELECT value ->> 1 FROM json_each(?))", (ended,)
        )
        transaction.execute(
            "UPDATE queued_recipients SET token = NULL FROM json_each(?) AS of"
            " WHERE message = of.value ->> 0 AND token = of.value ->> 1",
            (ended,),
        )


_LEASED = (
    "SELECT json_group_array(json_array(queue_leases.token, queued_recipients.message, number, destination,"
    " phase, due)) FROM json_each(?) CROSS JOIN queue_leases ON queue_leases.token = value"
    " CROSS JOIN queued_recipients ON queued_recipients.message = queue_leases.message"
    " AND queued_recipients.token = queue_leases.token"
)


@in_any_order
def renew_all(transaction: Transaction, requests: Sequence[tuple[Sequence[int], float]]) -> list[set[int]]:
    """Make the leases with these tokens last until a time; returns those that are still there."""
    tally, results = Tally(transaction), []
    for tokens, until in requests:
        rows = rows_of(transaction, _LEASED, (json.dumps(list(set(tokens))),))
        tally.load(row[3] for row in rows)
        for _, _, _, name, phase, _ in rows:
            if phase == READY:  # it had run out
                tally[name].ready -= 1
        values = (until, json.dumps([row[:3] for row in rows]))
        transaction.execute(
            "UPDATE queued_recipients SET phase = min(phase, 1), time = ? FROM json_each(?) AS of"
            " WHERE message = of.value ->> 1 AND number = of.value ->> 2",
            values,
        )
        left = {row[0] for row in rows}
        transaction.execute(
            "UPDATE queue_leases SET until = ? WHERE token IN (SELECT value FROM json_each(?))",
            (until, json.dumps(list(left))),
        )
        results.append(left)
    tally.finish()
    return results


@in_any_order
def release_all(transaction: Transaction, requests: Sequence[Sequence[int]]) -> list[None]:
    """Give back the leases with these tokens: their recipients keep their turns."""
    tally = Tally(transaction)
    tokens = json.dumps(list({token for request in requests for token in request}))
    rows = rows_of(transaction, _LEASED, (tokens,))
    tally.load(row[3] for row in rows)
    for _, _, _, name, phase, due in rows:
        if phase == TIMED:
            tally[name].leave(phase)
            tally[name].enter(READY, due)
        tally.is_sooner = tally.is_sooner or phase != NOWHERE
    transaction.execute(
        "UPDATE queued_recipients SET phase = iif(phase = 0, 0, 2), token = NULL, time = due"
        " FROM json_each(?) AS of WHERE message = of.value ->> 1 AND number = of.value ->> 2",
        (json.dumps([row[:3] for row in rows]),),
    )
    transaction.execute("DELETE FROM queue_leases WHERE token IN (SELECT value FROM json_each(?))", (tokens,))
    tally.finish()
    return [None] * len(requests)
