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
from mailproto.backends.sqlite._queue_leasing import insert_leases, new_tokens
from mailproto.backends.sqlite._queue_schema import READY, TIMED, WAITING
from mailproto.backends.sqlite._queue_tally import Tally
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import MailError
from mailproto.message import Summary
from mailproto.model import NULL_PATH, AppendedMessage, NewQueued, canonical_mailbox_name

__all__ = ["UNREAD", "Added", "Adding", "Entry", "add_all", "entry"]

UNREAD = Digest(Summary(b"", b"", b""), ThreadKeys((), None, joins_by_subject=False))
"""The digest of a body that is in no mailbox: nobody asks for it."""


class Entry(NamedTuple):
    """A message to be accepted.

    :ivar recipients: those that need another server, each with its destination.
    :ivar until: until when its only recipient is leased at once, if it is the next one; 0.0 not to lease it.
    :ivar lessee: who leases, as `Peers` names it.
    """

    body: Body
    placements: Sequence[tuple[Place, Arrival]]
    recipients: Sequence[tuple[int, str]]
    envelope: str
    message: NewQueued
    until: float = 0.0
    lessee: str = ""


class Added(NamedTuple):
    """What became of an entry.

    :ivar placed: where its placements are.
    :ivar id: its number in the queue.
    :ivar token: of its lease; 0 if there is none.
    """

    placed: Sequence[AppendedMessage]
    id: int
    token: int


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
) -> Sequence[Sequence[Added] | Failure]:
    """For each request, which is accepted or refused as a whole: what became of its entries, or a failure."""
    tally = transaction.shared(Tally)
    adding = Adding(transaction, tally, requests)
    results: list[Sequence[Added] | Failure] = []
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
        self._shares = [  # at which destinations they send
            (to, each.message.share) for entries in coming for each in entries for _, to in each.recipients
        ]
        tally.load(to for to, _ in self._shares)
        self._messages: list[tuple[object, ...]] = []
        self._recipients: list[tuple[object, ...]] = []
        self._leases: list[tuple[object, ...]] = []
        asked = sum(each.until > 0 for entries in coming for each in entries)
        self._tokens = new_tokens(transaction, asked) if asked else iter(())

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
                    return full(place.folded)
        return None

    def add(self, entries: Sequence[Entry]) -> list[Added]:
        """Add messages that are not refused."""
        placing, added = self._placing, []
        for each in entries:
            where = []
            for place, coming in each.placements:
                mailbox = placing.mailbox(place)
                assert not isinstance(mailbox, MailError)  # noqa: S101
                where.append(placing.put(mailbox, coming))
            added.append(Added(where, *(self._queue(each) if each.recipients else (0, 0))))
        return added

    def _queue(self, entry: Entry) -> tuple[int, int]:
        """Returns its number, and the token of its lease."""
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
                min(message.notice, message.expires) if message.notice else message.expires,
            )
        )
        tally.messages += 1
        tally.octets += size
        tally.waiting += len(entry.recipients)
        if entry.until and self._is_next(entry):
            return id_, self._lease(id_, entry)
        phase, due = (TIMED, message.due) if message.due > message.arrived else (READY, message.arrived)
        if phase == READY and self._shares:  # what is leased at once needs none
            tally.load_shares(self._shares)
            self._shares = []
        for number, to in entry.recipients:
            destination = tally[to]
            turn = tally.turn(destination, message.share) if phase == READY else 0
            destination.enter(phase, due)
            self._recipients.append(
                (id_, number, to, WAITING, phase, due, due, -message.priority, turn, None)
            )
        tally.is_sooner = True
        return id_, 0

    def _is_next(self, entry: Entry) -> bool:
        """Whether nobody is before the only recipient of a message that is due."""
        [(_, to)] = entry.recipients
        destination = self._tally[to]
        is_paused = destination.failures or destination.paused_until > entry.message.arrived
        return not (destination.ready or is_paused)

    def _lease(self, id_: int, entry: Entry) -> int:
        """Lease it; it needs no turn, because nobody waits."""
        [(number, to)] = entry.recipients
        token, due = next(self._tokens), entry.message.arrived
        self._tally[to].enter(TIMED, due)
        urgency = -entry.message.priority
        self._recipients.append((id_, number, to, WAITING, TIMED, due, entry.until, urgency, 0, token))
        self._leases.append((token, id_, due, entry.until, 1, entry.lessee))
        return token

    def finish(self) -> None:
        """Write the collected rows."""
        self._placing.finish()
        execute = self._transaction.execute
        insert(
            execute,
            "INSERT INTO queued (id, arrived, expires, priority, share, skip, size, unfinished, envelope,"
            " deadline)",
            self._messages,
        )
        insert(
            execute,
            "INSERT INTO queued_recipients"
            " (message, number, destination, state, phase, due, time, urgency, turn, token)",
            self._recipients,
        )
        insert_leases(self._transaction, self._leases)
