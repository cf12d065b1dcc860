# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Reads the queue; what the reactor's thread calls is short, however much is in the queue."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from twisted.logger import Logger

from mailproto.backends._envelopes import load_envelope, load_reply
from mailproto.backends.sqlite._contents import OCTETS
from mailproto.backends.sqlite._queue_schema import STATES, number_of
from mailproto.content import Content
from mailproto.errors import NoSuchQueued, Unavailable
from mailproto.model import (
    DestinationState,
    Lease,
    QueueCounts,
    QueuedMessage,
    QueuedRecipient,
    QueueFilter,
    Recipient,
)

__all__ = [
    "ENVELOPES",
    "IDS",
    "Found",
    "counts",
    "destinations",
    "due",
    "find_some",
    "get",
    "messages_of",
    "sizes_of",
    "unfinished",
]

IDS = 1000
"""Ids of messages that are looked at in one step."""

ENVELOPES = 1 << 15
"""Octets of envelopes that are read in one step: some 3 ms."""

OpenFile = Callable[[str, int, int], Content]
"""`Bodies.content`."""

_log = Logger()

_STATE = "SELECT name, wake, waiting, paused_until, failures, reason FROM queue_destinations"


def destinations(connection: sqlite3.Connection, after: str, limit: int) -> list[DestinationState]:
    """See `IQueue.destinations`."""
    return _states(connection.execute(f"{_STATE} WHERE name > ? ORDER BY name LIMIT ?", (after, limit)))


def due(connection: sqlite3.Connection, limit: int) -> list[DestinationState]:
    """See `IQueue.due`."""
    return _states(
        connection.execute(f"{_STATE} WHERE wake IS NOT NULL ORDER BY wake, name LIMIT ?", (limit,))
    )


def next_deadline(connection: sqlite3.Connection) -> float | None:
    """See `IQueue.next_deadline`."""
    found: float | None = connection.execute("SELECT min(deadline) FROM queued").fetchone()[0]
    return found


def _states(rows: Iterable[Sequence[Any]]) -> list[DestinationState]:
    return [
        DestinationState(
            name, paused_until if wake is None else wake, waiting, paused_until, failures, json.loads(reason)
        )
        for name, wake, waiting, paused_until, failures, reason in rows
    ]


def counts(connection: sqlite3.Connection, now: float) -> QueueCounts:
    """See `IQueue.counts`; for a thread, because it counts what has become due since the last leases."""
    messages, waiting, deferred, held, octets, oldest, leased, ready, timed = connection.execute(
        "SELECT messages, waiting, deferred, held, octets, (SELECT arrived FROM queued ORDER BY id LIMIT 1),"
        " (SELECT coalesce(sum(recipients), 0) FROM queue_leases WHERE until > :now),"
        " (SELECT coalesce(sum(ready), 0) FROM queue_destinations WHERE paused_until <= :now),"
        " (SELECT coalesce(sum((SELECT count(*) FROM queued_recipients"
        " WHERE phase = 1 AND destination = name AND time <= :now)), 0) FROM queue_destinations"
        " WHERE paused_until <= :now AND waiting > ready) FROM queue_counts",
        {"now": now},
    ).fetchone()
    return QueueCounts(messages, waiting, ready + timed, deferred, held, leased, octets, oldest)


# -- messages

_MESSAGE = "queued.id, arrived, expires, priority, size, queued.envelope"
_RECIPIENT = "message, number, destination, state, due, attempts, reply, attempted, is_reported_late"


def messages_of(
    connection: sqlite3.Connection, leases: Sequence[tuple[int, int, float]], open_file: OpenFile
) -> list[Lease]:
    """Leases, given by tokens, messages and ends, in that order; without those that were deleted since."""
    asked = (json.dumps([lease[:2] for lease in leases]),)
    ends = {token: until for token, _, until in leases}
    rows: dict[int, list[Sequence[Any]]] = {}
    for row in connection.execute(
        f"SELECT token, {_RECIPIENT} FROM json_each(?) AS wanted CROSS JOIN queued_recipients"
        " ON message = wanted.value ->> 1 AND token = wanted.value ->> 0",
        asked,
    ):
        rows.setdefault(row[0], []).append(row[1:])  # a message may have several leases
    found = []
    for token, skip, file, octets, *message in connection.execute(
        f"SELECT wanted.value ->> 0, skip, file, {OCTETS}, {_MESSAGE} FROM json_each(?) AS wanted"
        " CROSS JOIN queued ON queued.id = wanted.value ->> 1"
        " LEFT JOIN bodies ON bodies.id = queued.id LEFT JOIN contents ON contents.body = queued.id",
        asked,
    ):
        if recipients := rows.get(token):
            content = _content(open_file, message[0], message[4], skip, file, octets)
            queued = _readable(message, recipients, content)
            if queued is not None:
                found.append(Lease(token, queued, ends[token]))
    return found


def get(connection: sqlite3.Connection, id_: int, open_file: OpenFile) -> QueuedMessage:
    """See `IQueue.get`."""
    row = connection.execute(
        f"SELECT skip, file, {OCTETS}, {_MESSAGE} FROM queued"
        " LEFT JOIN bodies ON bodies.id = queued.id LEFT JOIN contents ON contents.body = queued.id"
        " WHERE queued.id = ?",
        (id_,),
    ).fetchone()
    if row is None:
        raise NoSuchQueued
    skip, file, octets, *message = row
    recipients = connection.execute(
        f"SELECT {_RECIPIENT} FROM queued_recipients WHERE message = ? ORDER BY number", (id_,)
    )
    queued = _readable(message, recipients, _content(open_file, id_, message[4], skip, file, octets))
    if queued is None:
        raise Unavailable(detail=f"message {id_} in the queue cannot be read")
    return queued


def _content(
    open_file: OpenFile, id_: int, size: int, skip: int, file: str | None, octets: bytes | None
) -> Content:
    if file is None and octets is not None and len(octets) == skip + size:
        return Content(octets[skip:] if skip else octets)
    # Of a body that is lost, there is no such file, which whoever reads it learns.
    return open_file(file or f"lost-{id_}", size, skip)


def _readable(
    row: Sequence[Any], recipients: Iterable[Sequence[Any]], content: Content | None = None
) -> QueuedMessage | None:
    """A message; None if its envelope is damaged, so that it does not keep the others from being sent."""
    try:
        return _message(row, recipients, content)
    except (LookupError, TypeError, ValueError) as error:
        _log.error(
            "queue: message {id} cannot be read, and is not sent: {error}; delete it", id=row[0], error=error
        )
        return None


def _message(
    row: Sequence[Any], recipients: Iterable[Sequence[Any]], content: Content | None = None
) -> QueuedMessage:
    id_, arrived, expires, priority, size, text = row
    envelope = load_envelope(text)
    to = envelope.recipients
    return QueuedMessage(
        id_,
        envelope,
        tuple([_recipient(to[each[1]], *each[1:]) for each in recipients]),
        arrived,
        expires,
        priority,
        size,
        content,
    )


def _recipient(
    recipient: Recipient,
    number: int,
    destination: str,
    state: int,
    due: float,
    attempts: int,
    reply: str | None,
    attempted: float | None,
    is_late: int,
) -> QueuedRecipient:
    outcome, host = load_reply(reply)
    return QueuedRecipient(
        number, recipient, destination, STATES[state], due, attempts, outcome, host, attempted, bool(is_late)
    )


# -- in steps over ids


class Found(NamedTuple):
    """What one step gives.

    :ivar messages: those that may fit.
    :ivar upto: the greatest id that was looked at; None if there are no more.
    """

    messages: Sequence[QueuedMessage]
    upto: int | None


def find_some(connection: sqlite3.Connection, filter: QueueFilter, after: int, limit: int) -> Found:
    """Messages after an id which fit what the database can tell: all but the parts of addresses."""
    condition, values = _condition(filter)
    if filter.ids is None:
        [last] = connection.execute(
            "SELECT max(id) FROM (SELECT id FROM queued WHERE id > ? ORDER BY id LIMIT ?)", (after, IDS)
        ).fetchone()
    else:
        wanted = sorted({id_ for id_ in filter.ids if id_ > after})[:IDS]
        last = wanted[-1] if wanted else None
        condition += " AND id IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(wanted))
    if last is None:
        return Found((), None)
    rows: list[Sequence[Any]] = []
    octets = 0
    for row in connection.execute(
        f"SELECT {_MESSAGE} FROM queued WHERE id > ? AND id <= ?{condition} ORDER BY id LIMIT ?",
        (after, last, *values, limit + 1),
    ):
        octets += len(row[5])
        if len(rows) == limit or (rows and octets > ENVELOPES):
            last = rows[-1][0]  # the next step goes on with this one
            break
        rows.append(row)
    recipients: dict[int, list[Sequence[Any]]] = {row[0]: [] for row in rows}
    if rows:
        for each in connection.execute(
            f"SELECT {_RECIPIENT} FROM queued_recipients"
            " WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, number",
            (json.dumps(list(recipients)),),
        ):
            recipients[each[0]].append(each)
    messages = (_readable(row, recipients[row[0]]) for row in rows)
    return Found([message for message in messages if message is not None], last)


def _condition(filter: QueueFilter) -> tuple[str, list[Any]]:
    condition = ""
    values: list[Any] = []
    if filter.arrived_before is not None:
        condition += " AND arrived < ?"
        values.append(filter.arrived_before)
    of_recipient = ""
    if filter.destination:
        of_recipient += " AND destination = ?"
        values.append(filter.destination)
    if filter.state is not None:
        of_recipient += " AND state = ?"
        values.append(number_of[filter.state])
    if filter.is_deferred is not None:
        is_deferred = "state < 2 AND reply IS NOT NULL"
        of_recipient += f" AND {'' if filter.is_deferred else 'NOT '}({is_deferred})"
    if of_recipient:
        condition += f" AND EXISTS (SELECT 1 FROM queued_recipients WHERE message = queued.id{of_recipient})"
    return condition, values


def unfinished(
    connection: sqlite3.Connection, after: tuple[int, int], limit: int
) -> list[tuple[int, int, str, str | None]]:
    """Recipients that are waiting or held, by message and number, those after ``after``: each with its
    destination, and with the domain of its address; None if the envelope is damaged."""
    return connection.execute(
        "SELECT message, number, destination, CASE WHEN typeof(envelope) = 'text' AND json_valid(envelope)"
        " THEN envelope ->> ('$[2][' || number || '][1]') END"
        " FROM queued_recipients CROSS JOIN queued ON id = message"
        " WHERE (message, number) > (?, ?) AND state < 2 ORDER BY message, number LIMIT ?",
        (*after, limit),
    ).fetchall()


def sizes_of(connection: sqlite3.Connection, ids: Sequence[int]) -> list[tuple[int, int]]:
    """The messages among ``ids``, each with the number of its recipients."""
    return connection.execute(
        "SELECT message, count(*) FROM queued_recipients"
        " WHERE message IN (SELECT value FROM json_each(?)) GROUP BY message ORDER BY message",
        (json.dumps(ids),),
    ).fetchall()
