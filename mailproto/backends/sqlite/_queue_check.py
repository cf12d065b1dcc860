# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""``mailproto store check``: checks the queue's rows, and what is kept with them.

What is kept for a destination is repaired by counting again, in the transaction of the repair.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from mailproto.backends.sqlite._faults import Fault, Look
from mailproto.printable import printable

__all__ = ["QUEUE_COUNTERS", "QUEUE_ROWS"]


def _messages(connection: sqlite3.Connection) -> Iterator[Fault]:
    of_recipients = "SELECT count(*) FROM queued_recipients WHERE message = queued.id AND state IN (0, 1)"
    for id_, kept, count in connection.execute(
        f"SELECT id, unfinished, ({of_recipients}) AS count FROM queued WHERE unfinished != count"
    ):
        yield Fault(
            "queue",
            f"message {id_} in the queue counts {kept} recipients that are not done, and has {count}",
            (f"UPDATE queued SET unfinished = ({of_recipients}) WHERE id = ?", (id_,)),
        )
    for (id_,) in connection.execute(f"SELECT id FROM queued WHERE ({of_recipients}) = 0"):
        yield Fault(
            "queue",
            f"message {id_} in the queue is done, but still there",
            (f"DELETE FROM queued WHERE id = ? AND ({of_recipients}) = 0", (id_,)),
        )
    for (id_,) in connection.execute("SELECT id FROM queued WHERE NOT json_valid(envelope)"):
        yield Fault("lost", f"message {id_} in the queue has lost its envelope")


def _recipients(connection: sqlite3.Connection) -> Iterator[Fault]:
    for message, count in connection.execute(
        "SELECT message, count(*) FROM queued_recipients WHERE message NOT IN (SELECT id FROM queued)"
        " GROUP BY message"
    ):
        yield Fault(
            "strays",
            f"{count} recipients belong to message {message} in the queue, which is not there",
            (
                "DELETE FROM queued_recipients WHERE message = ? AND message NOT IN (SELECT id FROM queued)",
                (message,),
            ),
        )
    wrong = "(state = 0) != (phase > 0)"
    for message, number in connection.execute(f"SELECT message, number FROM queued_recipients WHERE {wrong}"):
        yield Fault(
            "queue",
            f"recipient {number} of message {message} in the queue waits for nothing, or should not",
            (
                f"UPDATE queued_recipients SET phase = iif(state = 0, 1, 0) WHERE message = ? AND number = ?"
                f" AND {wrong}",
                (message, number),
            ),
        )


def _leases(connection: sqlite3.Connection) -> Iterator[Fault]:
    held = (
        "SELECT count(*) FROM queued_recipients WHERE message = queue_leases.message"
        " AND token = queue_leases.token"
    )
    for token, message, kept, count in connection.execute(
        f"SELECT token, message, recipients, ({held}) AS count FROM queue_leases WHERE recipients != count"
    ):
        yield Fault(
            "leases",
            f"lease {token} of message {message} in the queue counts {kept} recipients, and has {count}",
            (f"UPDATE queue_leases SET recipients = ({held}) WHERE token = ?", (token,))
            if count
            else (f"DELETE FROM queue_leases WHERE token = ? AND ({held}) = 0", (token,)),
        )
    lost = "token IS NOT NULL AND token NOT IN (SELECT token FROM queue_leases)"
    for message, number, token in connection.execute(
        f"SELECT message, number, token FROM queued_recipients WHERE {lost}"
    ):
        yield Fault(
            "leases",
            f"recipient {number} of message {message} in the queue has lease {token}, which is not there",
            (
                f"UPDATE queued_recipients SET token = NULL WHERE message = ? AND number = ? AND {lost}",
                (message, number),
            ),
        )


_WITH_PHASE = "SELECT count(*) FROM queued_recipients WHERE destination = name AND phase"
_WAKE = (
    "CASE WHEN waiting = 0 THEN NULL WHEN ready > 0 THEN max(since, paused_until) ELSE max(paused_until,"
    " (SELECT min(time) FROM queued_recipients WHERE destination = name AND phase = 1)) END"
)


def _destinations(connection: sqlite3.Connection) -> Iterator[Fault]:
    for (name,) in connection.execute(
        "SELECT DISTINCT destination FROM queued_recipients WHERE phase > 0"
        " AND destination NOT IN (SELECT name FROM queue_destinations)"
    ):
        yield Fault(
            "queue",
            f"destination {printable(name)} is not there, but recipients wait for it",
            (
                "INSERT OR IGNORE INTO queue_destinations (name, waiting, ready, since, virtual, top,"
                " paused_until, failures, reason) VALUES (?, 0, 0, 0, 0, 0, 0, 0, '\"\"')",
                (name,),
            ),
        )


def _shares(connection: sqlite3.Connection) -> Iterator[Fault]:
    nowhere = "destination NOT IN (SELECT name FROM queue_destinations WHERE waiting > 0)"
    for name, count in connection.execute(
        f"SELECT destination, count(*) FROM queue_shares WHERE {nowhere} GROUP BY destination"
    ):
        yield Fault(
            "strays",
            f"{count} shares take turns at {printable(name)}, where nothing waits",
            (f"DELETE FROM queue_shares WHERE destination = ? AND {nowhere}", (name,)),
        )


def _destination_counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    # One pass over the recipients, and not one for each destination.
    for name, *figures in connection.execute(
        "SELECT name, waiting, coalesce(counted, 0), ready, coalesce(counted_ready, 0)"
        " FROM queue_destinations LEFT JOIN (SELECT destination, count(*) AS counted,"
        " sum(phase = 2) AS counted_ready FROM queued_recipients WHERE phase > 0 GROUP BY destination)"
        " ON destination = name WHERE waiting != coalesce(counted, 0) OR ready != coalesce(counted_ready, 0)"
    ):
        yield _wrong_destination(name, figures)


def _wrong_destination(name: str, figures: Sequence[int]) -> Fault:
    waiting, counted, ready, counted_ready = figures
    return Fault(
        "queue",
        f"destination {printable(name)} counts {waiting} recipients, {ready} of them ready;"
        f" there are {counted}, {counted_ready} of them ready",
        (
            f"UPDATE queue_destinations SET waiting = ({_WITH_PHASE} = 1) + ({_WITH_PHASE} = 2),"
            f" ready = ({_WITH_PHASE} = 2) WHERE name = ?",
            (name,),
        ),
    )


def _wakes(connection: sqlite3.Connection) -> Iterator[Fault]:
    for name, wake, right in connection.execute(
        # SQLite's JSON, by which the writer reads times, rounds them.
        f"SELECT name, wake, {_WAKE} AS right FROM queue_destinations"
        " WHERE (wake IS NULL) != (right IS NULL) OR abs(wake - right) > 0.001"
    ):
        yield Fault(
            "queue",
            f"destination {printable(name)} is tried at {wake}, and should be at {right}",
            (f"UPDATE queue_destinations SET wake = {_WAKE} WHERE name = ?", (name,)),
        )


_COUNTED = {
    "messages": "SELECT count(*) FROM queued",
    "octets": "SELECT coalesce(sum(size), 0) FROM queued",
    "waiting": "SELECT count(*) FROM queued_recipients WHERE state = 0",
    "held": "SELECT count(*) FROM queued_recipients WHERE state = 1",
    "deferred": "SELECT count(*) FROM queued_recipients WHERE state = 0 AND reply IS NOT NULL",
}


def _counts(connection: sqlite3.Connection) -> Iterator[Fault]:
    for column, counted in _COUNTED.items():
        row = connection.execute(f"SELECT {column}, ({counted}) FROM queue_counts").fetchone()
        if row is None:
            yield Fault(
                "counters",
                "queue_counts has no row",
                (
                    "INSERT INTO queue_counts SELECT 0, 0, 0, 0, 0, 0, 0"
                    " WHERE NOT EXISTS (SELECT 1 FROM queue_counts)",
                    (),
                ),
            )
            return
        kept, count = row
        if kept != count:
            yield Fault(
                "queue",
                f"the queue counts {kept} {column}, and has {count}",
                (f"UPDATE queue_counts SET {column} = {column} + ?", (count - kept,)),
            )
    token, least = connection.execute(
        "SELECT token, max(coalesce((SELECT max(token) FROM queue_leases), 0),"
        " coalesce((SELECT max(token) FROM queued_recipients WHERE token IS NOT NULL), 0)) FROM queue_counts"
    ).fetchone()
    if token < least:
        yield Fault(
            "counters",
            f"queue_counts.token is {token}, and must be {least} at least: leases would come again",
            ("UPDATE queue_counts SET token = max(token, ?)", (least,)),
        )


QUEUE_ROWS: Sequence[Look] = (_messages, _recipients)
"""To be done before bodies are counted."""

QUEUE_COUNTERS: Sequence[Look] = (_leases, _destinations, _destination_counts, _wakes, _shares, _counts)
"""To be done after it."""
