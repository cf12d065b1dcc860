"""Work for the writer: leases recipients, makes leases longer, and takes them back.

A leased recipient is one that can be leased at the end of its lease: nothing else has to happen for a lease
of a process that was killed to be taken over.  Its token stays until then, so that who comes late can still
settle it.  Where it is known that the process has ended, its leases end at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from mailproto.backends._queue_rules import FORGET
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._queue_schema import NOWHERE, READY, TIMED
from mailproto.backends.sqlite._queue_tally import Destination, Tally, rows_of
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.model import Lease

__all__ = [
    "Leased",
    "Token",
    "Wanted",
    "any_lease",
    "end_leases",
    "insert_leases",
    "lease_all",
    "new_tokens",
    "release_all",
    "release_some_of_gone",
    "renew_all",
]

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

RELEASED = 500
"""Leases of processes that have ended that one transaction gives back."""

_STEP = 2  # recipients a message that are looked at first


class Wanted(NamedTuple):
    """See `IQueue.lease`; the last one is the process, as `Peers` names it."""

    destination: str
    now: float
    until: float
    messages: int
    recipients: int
    lessee: str = ""


Token = tuple[int, int, float]
"""A lease's token, its message, and until when it lasts."""


class Leased(NamedTuple):
    """What one request got.

    :ivar batch: what all requests of the same transaction got.
    :ivar read: by token, for whoever reads the whole batch first.
    """

    leases: Sequence[Token]
    batch: Sequence[Token]
    read: dict[int, Lease]


@in_any_order
def lease_all(transaction: Transaction, requests: Sequence[Wanted]) -> list[Leased]:
    """Lease for each request.

    All destinations are looked at together, because a busy relay leases one or two messages of each of many.
    """
    _forget(transaction, min(wanted.now for wanted in requests))
    tally = transaction.shared(Tally)
    tally.load(wanted.destination for wanted in requests)
    results: list[list[Token]] = [[] for _ in requests]
    left = list(range(len(requests)))
    while left:
        each_once = {requests[at].destination: at for at in reversed(left)}
        leased = _lease(transaction, tally, {name: requests[at] for name, at in each_once.items()})
        for name, at in each_once.items():
            results[at] = leased.get(name, [])
            left.remove(at)
    batch = list(chain.from_iterable(results))
    read: dict[int, Lease] = {}
    return [Leased(each, batch, read) for each in results]


def _forget(transaction: Transaction, now: float) -> None:
    transaction.execute(
        "DELETE FROM queue_destinations WHERE name IN (SELECT name FROM queue_destinations"
        " WHERE waiting = 0 AND paused_until <= ? LIMIT ?)",
        (now - FORGET, FORGOTTEN),
    )


def _lease(transaction: Transaction, tally: Tally, wanted: Mapping[str, Wanted]) -> dict[str, list[Token]]:
    """The leases by destination."""
    _promote(transaction, tally, wanted)
    chosen = _choose(transaction, {name: each for name, each in wanted.items() if tally[name].ready})
    if not chosen:
        return {}
    rows = rows_of(
        transaction,
        "SELECT json_group_array(json_array(destination, message, number, token)) FROM ("
        "SELECT destination, message, number, token, chosen.value ->> 2 AS most,"
        " row_number() OVER (PARTITION BY destination, message ORDER BY number) AS place"
        " FROM json_each(?) AS chosen CROSS JOIN queued_recipients ON message = chosen.value ->> 0"
        " AND destination = chosen.value ->> 1 WHERE phase = 2) WHERE place <= most",
        (
            json.dumps(
                [
                    (message, name, wanted[name].recipients)
                    for name, messages in chosen.items()
                    for message in messages
                ]
            ),
        ),
    )
    end_leases(transaction, {(message, token) for _, message, _, token in rows if token is not None})
    counts: dict[tuple[str, int], int] = {}
    for name, message, _, _ in rows:
        counts[name, message] = counts.get((name, message), 0) + 1
        tally[name].ready -= 1
    tokens = dict(zip(counts, new_tokens(transaction, len(counts)), strict=True))
    transaction.execute(
        "UPDATE queued_recipients SET phase = 1, token = of.value ->> 2, time = of.value ->> 3"
        " FROM json_each(?) AS of WHERE message = of.value ->> 0 AND number = of.value ->> 1",
        (
            json.dumps(
                [
                    (message, number, tokens[name, message], wanted[name].until)
                    for name, message, number, _ in rows
                ]
            ),
        ),
    )
    insert_leases(
        transaction,
        [
            (token, message, each.now, each.until, counts[name, message], each.lessee)
            for (name, message), token in tokens.items()
            for each in (wanted[name],)
        ],
    )
    for name, messages in chosen.items():
        _take_turns(transaction, tally[name], max(messages.values()), wanted[name].now)
    return {
        name: [(tokens[name, message], message, wanted[name].until) for message in messages]
        for name, messages in chosen.items()
    }


def new_tokens(transaction: Transaction, number: int) -> Iterator[int]:
    """Tokens of new leases."""
    [last] = transaction.execute(
        "UPDATE queue_counts SET token = token + ? RETURNING token", (number,)
    ).fetchone()
    return iter(range(last - number + 1, last + 1))


def insert_leases(transaction: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert leases: token, message, when it is leased and until when, recipients, and the process."""
    into = "INSERT INTO queue_leases (token, message, leased, until, recipients, lessee)"
    insert(transaction.execute, into, rows)


def _take_turns(transaction: Transaction, destination: Destination, turn: int, now: float) -> None:
    """Go on to a turn of a destination."""
    before = destination.virtual
    destination.virtual = max(before, turn)
    destination.since = now
    if destination.virtual // TURNS != before // TURNS:
        # Shares that are not ahead of the others need no row.
        transaction.execute(
            "DELETE FROM queue_shares WHERE destination = ? AND turn <= ?",
            (destination.name, destination.virtual),
        )


def _promote(transaction: Transaction, tally: Tally, wanted: Mapping[str, Wanted]) -> None:
    """Make ready what is due."""
    timed = [(name, each.now) for name, each in wanted.items() if tally[name].waiting > tally[name].ready]
    if not timed:
        return
    due = rows_of(
        transaction,
        "SELECT json_group_array(json_array(wanted.value ->> 0, json(("
        "SELECT json_group_array(json_array(message, number, share)) FROM"
        " (SELECT message, number FROM queued_recipients"
        " WHERE phase = 1 AND destination = wanted.value ->> 0 AND time <= wanted.value ->> 1"
        " ORDER BY time, message, number LIMIT ?) JOIN queued ON id = message"
        ")))) FROM json_each(?) AS wanted",
        (PROMOTED, json.dumps(timed)),
    )
    tally.load_shares((name, share) for name, found in due for _, _, share in found)
    turns = []
    for name, found in due:
        destination = tally[name]
        turns += [(message, number, tally.turn(destination, share)) for message, number, share in found]
        destination.ready += len(found)
    if turns:
        transaction.execute(
            "UPDATE queued_recipients SET phase = 2, turn = of.value ->> 2 FROM json_each(?) AS of"
            " WHERE message = of.value ->> 0 AND number = of.value ->> 1",
            (json.dumps(turns),),
        )


def _choose(transaction: Transaction, wanted: Mapping[str, Wanted]) -> dict[str, dict[int, int]]:
    """By destination, the messages whose turn it is, each with its first turn."""
    chosen: dict[str, dict[int, int]] = {}
    looked_at = {name: _step(each.messages) for name, each in wanted.items()}
    while looked_at:
        limit = min(looked_at.values())
        names = [name for name, of in looked_at.items() if of == limit]
        found = rows_of(
            transaction,
            "SELECT json_group_array(json_array(value, json(("
            "SELECT json_group_array(json_array(message, turn)) FROM"
            " (SELECT message, turn FROM queued_recipients WHERE phase = 2 AND destination = value"
            " ORDER BY urgency, turn, message, number LIMIT ?))))) FROM json_each(?)",
            (limit, json.dumps(names)),
        )
        for name, rows in found:
            messages: dict[int, int] = {}
            for message, turn in rows:
                messages.setdefault(message, turn)
            most = wanted[name].messages
            if len(messages) >= most or len(rows) < limit or limit >= LOOKED_AT:
                del looked_at[name]
                if messages:
                    chosen[name] = dict(islice(messages.items(), most))
            else:
                looked_at[name] = min(8 * limit, LOOKED_AT)
    return chosen


def _step(messages: int) -> int:
    """How many recipients are looked at first for so many messages: a power of 2, so that one statement is
    for many destinations."""
    return min(1 << (_STEP * messages - 1).bit_length(), LOOKED_AT)


def end_leases(transaction: Transaction, leases: set[tuple[int, int]]) -> None:
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
    tally, results = transaction.shared(Tally), []
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
    return results


@in_any_order
def release_all(transaction: Transaction, requests: Sequence[Sequence[int]]) -> list[None]:
    """Give back the leases with these tokens: their recipients keep their turns."""
    tally = transaction.shared(Tally)
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
    return [None] * len(requests)


def any_lease(connection: sqlite3.Connection) -> bool:
    """Whether something is leased, by any process."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM queue_leases)").fetchone()[0])


def release_some_of_gone(transaction: Transaction, is_gone: Callable[[str], bool]) -> int:
    """Give back leases of processes that have ended; returns how many, 0 if there are no more."""
    lessees = transaction.execute("SELECT DISTINCT lessee FROM queue_leases").fetchall()
    gone = [lessee for (lessee,) in lessees if is_gone(lessee)]
    if not gone:
        return 0
    tokens = rows_of(
        transaction,
        "SELECT json_group_array(json_array(token)) FROM (SELECT token FROM queue_leases"
        " WHERE lessee IN (SELECT value FROM json_each(?)) ORDER BY token LIMIT ?)",
        (json.dumps(gone), RELEASED),
    )
    release_all(transaction, [[token for [token] in tokens]])
    return len(tokens)
