"""Work for the writer: accepts messages for mailboxes and for other servers, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from twisted.python.failure import Failure

from mailproto.accounts import account_key
from mailproto.backends._envelopes import dump_envelope
from mailproto.backends._threading import ThreadKeys
from mailproto.backends._usage import full
from mailproto.backends.sqlite._bodies import Body, Digest
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._mailbox import arrival
from mailproto.backends.sqlite._placing import Arrival, Place, Placing
from mailproto.backends.sqlite._queue_schema import READY, TIMED, WAITING
from mailproto.backends.sqlite._queue_tally import Tally
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import MailError
from mailproto.message import Summary
from mailproto.model import NULL_PATH, AppendedMessage, NewQueued, canonical_mailbox_name

__all__ = ["UNREAD", "Adding", "Entry", "add_all", "entry"]

UNREAD = Digest(Summary(b"", b"", b""), ThreadKeys((), None, joins_by_subject=False))
"""The digest of a body that is in no mailbox: nobody asks for it."""


class Entry(NamedTuple):
    """A message to be accepted.

    :ivar recipients: those that need another server, each with its destination.
    """

    body: Body
    placements: Sequence[tuple[Place, Arrival]]
    recipients: Sequence[tuple[int, str]]
    envelope: str
    message: NewQueued


def entry(message: NewQueued, body: Body) -> Entry:
    """Make the writer's input.

    :raises MailError: a placement's flags are not allowed.
    :raises ValueError: a flag is none.
    """
    date = int(message.arrived)
    placements = [
        (
            Place(account_key(each.account), canonical_mailbox_name(each.mailbox)),
            arrival(body, each.flags, date),
        )
        for each in message.placements
    ]
    recipients = [(number, to) for number, to in enumerate(message.destinations) if to is not None]
    return Entry(body, placements, recipients, dump_envelope(message.envelope) if recipients else "", message)


@in_any_order
@adds_content
def add_all(
    transaction: Transaction, requests: Sequence[Sequence[Entry]]
) -> Sequence[Sequence[Sequence[AppendedMessage]] | Failure]:
    """For each request, which is accepted or refused as a whole: where its placements are, or a failure."""
    tally = transaction.shared(Tally)
    adding = Adding(transaction, tally, requests)
    results: list[Sequence[Sequence[AppendedMessage]] | Failure] = []
    for entries in requests:
        error = adding.refusal(entries)
        results.append(adding.add(entries) if error is None else Failure(error))
    adding.finish()
    return results


class Adding:
    """Collects the rows of accepted messages, and inserts them together.

    :param coming: all that may be added.
    """

    def __init__(self, transaction: Transaction, tally: Tally, coming: Sequence[Sequence[Entry]]) -> None:
        self._transaction = transaction
        self._tally = tally
        self._placing = Placing(transaction)
        self._placing.find(place for entries in coming for each in entries for place, _ in each.placements)
        there = [
            (to, each.message.share) for entries in coming for each in entries for _, to in each.recipients
        ]
        tally.load(to for to, _ in there)
        tally.load_shares(there)
        self._messages: list[tuple[object, ...]] = []
        self._recipients: list[tuple[object, ...]] = []

    def refusal(self, entries: Sequence[Entry]) -> MailError | None:
        """Why these cannot be accepted."""
        coming: dict[int, list[int]] = {}  # the sizes, by account
        for each in entries:
            for place, message in each.placements:
                mailbox = self._placing.mailbox(place)
                if isinstance(mailbox, MailError):
                    return mailbox
                if each.message.envelope.sender == NULL_PATH:
                    continue  # a notification, which nobody would send again
                sizes = coming.setdefault(mailbox.account.id, [])
                sizes.append(message.body.size)
                if not self._placing.has_room(mailbox, sum(sizes), len(sizes)):
                    return full()
        return None

    def add(self, entries: Sequence[Entry]) -> list[list[AppendedMessage]]:
        """Add messages that are not refused; returns where their placements are."""
        placing, appended = self._placing, []
        for each in entries:
            where = []
            for place, coming in each.placements:
                mailbox = placing.mailbox(place)
                assert not isinstance(mailbox, MailError)  # noqa: S101
                where.append(placing.put(mailbox, coming))
            appended.append(where)
            if each.recipients:
                self._queue(each)
        return appended

    def _queue(self, entry: Entry) -> None:
        message, tally = entry.message, self._tally
        id_, size = self._placing.keep(entry.body), entry.body.size - message.skip
        self._messages.append(
            (
                id_,
                message.arrived,
                message.expires,
                message.priority,
                message.share,
                message.skip,
                size,
                len(entry.recipients),
                entry.envelope,
            )
        )
        phase, due = (TIMED, message.due) if message.due > message.arrived else (READY, message.arrived)
        for number, to in entry.recipients:
            destination = tally[to]
            turn = tally.turn(destination, message.share) if phase == READY else 0
            destination.enter(phase, due)
            destination.paused_until = min(destination.paused_until, message.expires)
            self._recipients.append((id_, number, to, WAITING, phase, due, due, -message.priority, turn))
        tally.messages += 1
        tally.octets += size
        tally.waiting += len(entry.recipients)
        tally.is_sooner = True

    def finish(self) -> None:
        """Write the collected rows."""
        self._placing.finish()
        execute = self._transaction.execute
        insert(
            execute,
            "INSERT INTO queued (id, arrived, expires, priority, share, skip, size, unfinished, envelope)",
            self._messages,
        )
        insert(
            execute,
            "INSERT INTO queued_recipients"
            " (message, number, destination, state, phase, due, time, urgency, turn)",
            self._recipients,
        )
