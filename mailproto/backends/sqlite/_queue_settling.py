"""Work for the writer: notes the results of attempts, many in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twisted.python.failure import Failure

from mailproto.backends._envelopes import dump_reply
from mailproto.backends.sqlite._queue_adding import Adding, Entry
from mailproto.backends.sqlite._queue_removing import remove_messages
from mailproto.backends.sqlite._queue_schema import HELD, NOWHERE, READY, TIMED, WAITING, number_of
from mailproto.backends.sqlite._queue_tally import Tally, rows_of
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import LeaseLost
from mailproto.model import RecipientResult

__all__ = ["Settlement", "settle_all", "settle_and_report_all", "settlement"]


class Settlement(NamedTuple):
    """The results of one lease, by the recipients' numbers, and the reports that they cause."""

    token: int
    results: Mapping[int, RecipientResult]
    reports: Sequence[Entry]


class _Leased(NamedTuple):
    """A leased recipient."""

    token: int
    leased: float
    message: int
    number: int
    destination: str
    state: int
    phase: int
    due: float
    attempts: int
    attempted: float | None
    is_deferred: int
    is_reported_late: int
    unfinished: int
    size: int
    refs: int | None  # of its body; None if that is lost
    file: str | None


def settlement(token: int, results: Sequence[RecipientResult], reports: Sequence[Entry]) -> Settlement:
    """Make the writer's input."""
    return Settlement(token, {result.number: result for result in results}, reports)


@in_any_order
def settle_all(transaction: Transaction, settlements: Sequence[Settlement]) -> list[Failure | None]:
    """For each settlement, None or why nothing was changed."""
    tally = transaction.shared(Tally)
    settling = _Settling(transaction, tally, settlements)
    reports = [each.reports for each in settlements]
    adding = Adding(transaction, tally, reports) if any(reports) else None
    failures: list[Failure | None] = []
    for each in settlements:
        error: Exception | None = settling.refusal(each)
        if error is None and adding is not None:
            error = adding.refusal(each.reports)
        if error is None:
            settling.settle(each)
            if adding is not None:
                adding.add(each.reports)
        failures.append(None if error is None else Failure(error))
    if adding is not None:
        adding.finish()
    settling.finish()
    return failures


@in_any_order
@adds_content
def settle_and_report_all(
    transaction: Transaction, settlements: Sequence[Settlement]
) -> list[Failure | None]:
    """The same, with reports: on a full disk they may not use the reserve."""
    return settle_all(transaction, settlements)


class _Settling:
    """Collects changes of recipients, and writes them together."""

    def __init__(self, transaction: Transaction, tally: Tally, settlements: Sequence[Settlement]) -> None:
        self._transaction = transaction
        self._tally = tally
        self._leases: dict[int, list[_Leased]] = {}
        for row in rows_of(
            transaction,
            "SELECT json_group_array(json_array(leases.token, leases.leased, leases.message, number,"
            " destination, state, phase, due, attempts, attempted, reply IS NOT NULL, is_reported_late,"
            " unfinished, queued.size, refs, file))"
            " FROM json_each(?) CROSS JOIN queue_leases AS leases ON leases.token = value"
            " CROSS JOIN queued_recipients AS recipients ON recipients.message = leases.message"
            " AND recipients.token = leases.token CROSS JOIN queued ON queued.id = leases.message"
            " LEFT JOIN bodies ON bodies.id = leases.message",
            (json.dumps(list({each.token for each in settlements})),),
        ):
            self._leases.setdefault(row[0], []).append(_Leased(*row))
        tally.load(leased.destination for lease in self._leases.values() for leased in lease)
        self._unfinished: dict[int, int] = {}
        self._late: set[int] = set()  # messages whose senders are told that they are late
        self._sizes: dict[int, int] = {}
        self._own_bodies: dict[int, str | None] = {}  # bodies that nothing else has, with their files
        self._ended: list[int] = []
        self._rows: list[tuple[Any, ...]] = []

    def refusal(self, settlement: Settlement) -> LeaseLost | None:
        """Why a settlement is not possible."""
        return None if settlement.token in self._leases else LeaseLost()

    def settle(self, settlement: Settlement) -> None:
        """Take over the results of one that is not refused."""
        for leased in self._leases.pop(settlement.token):
            result = settlement.results.get(leased.number)
            if result is None:
                self._give_back(leased)
            else:
                self._note(leased, result)
        self._ended.append(settlement.token)

    def _give_back(self, leased: _Leased) -> None:
        phase = NOWHERE if leased.phase == NOWHERE else READY
        if leased.phase == TIMED:
            destination = self._tally[leased.destination]
            destination.leave(TIMED)
            destination.enter(READY, leased.due)
            self._tally.is_sooner = True
        self._rows.append((leased.message, leased.number, phase, leased.due))

    def _note(self, leased: _Leased, result: RecipientResult) -> None:
        tally = self._tally
        destination, state = tally[leased.destination], number_of[result.state]
        if state == WAITING and leased.state == HELD:
            state = HELD
        phase = TIMED if state == WAITING else NOWHERE
        destination.leave(leased.phase)
        destination.enter(phase, result.due)
        tally.count(leased.state, leased.is_deferred, -1)
        tally.count(state, is_deferred=True)
        if result.state.value == "waiting":
            tally.is_sooner = True
        unfinished = self._unfinished.get(leased.message, leased.unfinished)
        self._unfinished[leased.message] = unfinished - (state not in (WAITING, HELD))
        self._sizes[leased.message] = leased.size
        if result.is_reported_late:
            self._late.add(leased.message)
        if leased.refs is not None and leased.refs <= 1:
            self._own_bodies[leased.message] = leased.file
        is_attempt = result.is_attempt
        self._rows.append(
            (
                leased.message,
                leased.number,
                phase,
                result.due,
                state,
                leased.attempts + is_attempt,
                leased.leased if is_attempt else leased.attempted,
                int(leased.is_reported_late or result.is_reported_late),
                dump_reply(result.outcome, result.host),
            )
        )

    def finish(self) -> None:
        """Write the changes."""
        if not self._ended:
            return
        transaction, tally = self._transaction, self._tally
        transaction.execute(
            "DELETE FROM queue_leases WHERE token IN (SELECT value FROM json_each(?))",
            (json.dumps(self._ended),),
        )
        done = [message for message, unfinished in self._unfinished.items() if not unfinished]
        gone = set(done)
        rows = [row for row in self._rows if row[0] not in gone]
        noted, returned = [row for row in rows if len(row) > 4], [row for row in rows if len(row) == 4]
        if noted:
            transaction.execute(
                "UPDATE queued_recipients SET token = NULL, phase = of.value ->> 2, due = of.value ->> 3,"
                " time = of.value ->> 3, state = of.value ->> 4, attempts = of.value ->> 5,"
                " attempted = of.value ->> 6, is_reported_late = of.value ->> 7, reply = of.value ->> 8"
                " FROM json_each(?) AS of WHERE message = of.value ->> 0 AND number = of.value ->> 1",
                (json.dumps(noted),),
            )
        if returned:
            transaction.execute(
                "UPDATE queued_recipients SET token = NULL, phase = of.value ->> 2, time = of.value ->> 3"
                " FROM json_each(?) AS of WHERE message = of.value ->> 0 AND number = of.value ->> 1",
                (json.dumps(returned),),
            )
        left = [
            (message, count, message in self._late) for message, count in self._unfinished.items() if count
        ]
        if left:
            transaction.execute(
                "UPDATE queued SET unfinished = of.value ->> 1,"
                " deadline = iif(of.value ->> 2, expires, deadline) FROM json_each(?) AS of"
                " WHERE queued.id = of.value ->> 0",
                (json.dumps(left),),
            )
        own = self._own_bodies
        remove_messages(transaction, done, [(id_, own[id_]) for id_ in done if id_ in own])
        tally.messages -= len(done)
        tally.octets -= sum(self._sizes[message] for message in done)
