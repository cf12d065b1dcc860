"""The rows that are kept with the queue's recipients: destinations, turns of shares, and counts.

Turns are start-time fair queueing: a recipient that becomes ready gets the turn after its share's last one,
but not before the one that is leased at that moment.  So a share that sends ten thousand messages delays
another share's by one each, and a share that was silent has saved nothing up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._queue_schema import HELD, NOWHERE, READY, WAITING
from mailproto.backends.sqlite._transactions import Transaction

__all__ = ["Destination", "Tally", "rows_of"]

_DESTINATION = "name, waiting, ready, since, wake, virtual, top, paused_until, failures, reason"

_FIRST = "(SELECT min(time) FROM queued_recipients WHERE phase = 1 AND destination = ?)"
_DESTINATION_VALUES = f"(?, ?, ?, ?, max(coalesce(?, {_FIRST}), ?), ?, ?, ?, ?, ?)"
"""Its wake is since when some are ready, or else the time of the first one, but not before the end of a
pause; NULL if nothing waits."""


class Destination:
    """A row of queue_destinations."""

    __slots__ = (
        "failures",
        "has_shares",
        "is_known",
        "name",
        "paused_until",
        "ready",
        "reason",
        "since",
        "top",
        "virtual",
        "waiting",
        "wake",
    )

    def __init__(self, name: str, *row: Any) -> None:
        self.name = name
        self.is_known = bool(row)  # whether it is in the database
        (
            self.waiting,
            self.ready,
            self.since,
            self.wake,
            self.virtual,
            self.top,
            self.paused_until,
            self.failures,
            self.reason,
        ) = row or (0, 0, 0.0, None, 0, 0, 0.0, 0, '""')
        self.has_shares = self.top > 0  # whether rows of queue_shares may be in the database

    def enter(self, phase: int, since: float) -> None:
        """A recipient comes, in this phase; ``since`` is when it became ready."""
        if phase != NOWHERE:
            self.waiting += 1
        if phase == READY:
            self.since = min(self.since, since) if self.ready else since
            self.ready += 1

    def leave(self, phase: int) -> None:
        """A recipient of this phase goes."""
        self.waiting -= phase != NOWHERE
        self.ready -= phase == READY


class Tally:
    """What one transaction changes in these rows (`Transaction.shared`): each is read once and written once,
    whatever is done in between.  Load what is needed first."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._destinations: dict[str, Destination] = {}
        self._shares: dict[tuple[str, str], int] = {}
        self._new_turns: dict[tuple[str, str], int] = {}
        self.messages = self.octets = self.waiting = self.held = self.deferred = 0
        self.is_sooner = False  # whether something may have become due earlier

    def load(self, names: Iterable[str]) -> None:
        """Read the rows of destinations; those that have none become new ones."""
        names = [name for name in dict.fromkeys(names) if name not in self._destinations]
        if names:
            self._destinations.update((name, Destination(name)) for name in names)
            for row in rows_of(
                self._transaction,
                f"SELECT json_group_array(json_array({_DESTINATION})) FROM queue_destinations"  # noqa: S608
                " WHERE name IN (SELECT value FROM json_each(?))",
                (json.dumps(names),),
            ):
                self._destinations[row[0]] = Destination(*row)

    def load_shares(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Read the last turns of shares, each with its destination, which is loaded."""
        wanted = [
            pair
            for pair in dict.fromkeys(pairs)
            if pair not in self._shares and self._destinations[pair[0]].is_known
        ]
        if wanted:
            for destination, share, turn in rows_of(
                self._transaction,
                "SELECT json_group_array(json_array(destination, share, turn)) FROM json_each(?) AS wanted"
                " CROSS JOIN queue_shares ON destination = wanted.value ->> 0 AND share = wanted.value ->> 1",
                (json.dumps(wanted),),
            ):
                self._shares[destination, share] = turn

    def __getitem__(self, name: str) -> Destination:
        return self._destinations[name]

    def turn(self, destination: Destination, share: str) -> int:
        """The next turn of a share, which is loaded."""
        pair = (destination.name, share)
        turn: int = max(destination.virtual, self._shares.get(pair, 0)) + 1
        self._shares[pair] = self._new_turns[pair] = turn
        destination.top = max(destination.top, turn)
        destination.has_shares = True
        return turn

    def count(self, state: int, is_deferred: object, sign: int = 1) -> None:
        """Count a recipient in a state; with the sign -1, no more."""
        if state == WAITING:
            self.waiting += sign
            if is_deferred:
                self.deferred += sign
        elif state == HELD:
            self.held += sign

    def finish(self) -> None:
        """Write the rows; all recipients' rows have been written."""
        transaction = self._transaction
        if self._new_turns:
            rows = sorted((*pair, turn) for pair, turn in self._new_turns.items())
            insert(transaction.execute, "REPLACE INTO queue_shares (destination, share, turn)", rows)
        self._write_destinations()
        changes = (self.messages, self.octets, self.waiting, self.held, self.deferred, int(self.is_sooner))
        if any(changes):
            transaction.execute(
                "UPDATE queue_counts SET messages = messages + ?, octets = octets + ?, waiting = waiting + ?,"
                " held = held + ?, deferred = deferred + ?, revision = revision + ?",
                changes,
            )
        if self.is_sooner:
            transaction.queue_changed = True

    def _write_destinations(self) -> None:
        transaction, all_ = self._transaction, self._destinations.values()
        for each in all_:
            if not each.ready:
                each.virtual = max(each.virtual, each.top)  # nobody is before anybody else
            if not each.waiting:
                each.virtual = each.top = 0
        rows = sorted(
            (
                each.name,
                each.waiting,
                each.ready,
                each.since,
                each.since if each.ready else None,
                each.name,
                each.paused_until,
                each.virtual,
                each.top,
                each.paused_until,
                each.failures,
                each.reason,
            )
            for each in all_
            if each.waiting or each.paused_until
        )
        if rows:
            into = f"REPLACE INTO queue_destinations ({_DESTINATION})"
            insert(transaction.execute, into, rows, _DESTINATION_VALUES)
        empty = [each for each in all_ if not each.waiting]
        for table, column, names in (
            ("queue_destinations", "name", [each.name for each in empty if not each.paused_until]),
            ("queue_shares", "destination", [each.name for each in empty if each.has_shares]),
        ):
            if names:
                transaction.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608
                    (json.dumps(names),),
                )


def rows_of(transaction: Transaction, statement: str, values: Sequence[Any]) -> list[list[Any]]:
    """The rows of a statement that gives them as one JSON array.

    Each row of SQLite's own gives up the interpreter lock, which the reactor may then keep for milliseconds.
    """
    [text] = transaction.execute(statement, values).fetchone()
    found: list[list[Any]] = json.loads(text)
    return found
