# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Work for the writer: new messages, for many requests with few statements.

Each statement in the writer's thread releases the interpreter lock and has to get it back from a busy
reactor, whatever its size.  So the rows of all requests in a batch are collected and inserted by the dozen.

For the same reason, messages are summarised here and not in the reactor's thread: this thread does a whole
batch, while the reactor waits for the next octets.  With messages of 5 KB and a reactor that is busy with
SMTP, this gives 4,200 deliveries a second instead of 3,200, and saves 60 us of processor time for each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from twisted.python.failure import Failure

from mailproto.backends._flags import TooManyKeywords
from mailproto.backends._threading import ThreadKeys
from mailproto.backends._usage import full
from mailproto.backends.sqlite import _contents
from mailproto.backends.sqlite._bodies import Body, digest
from mailproto.backends.sqlite._flagbits import DELETED_BIT, SEEN_BIT, Columns
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._quotas import LIMITS, ROOM
from mailproto.backends.sqlite._requests import in_any_order
from mailproto.backends.sqlite._room import adds_content
from mailproto.backends.sqlite._threads import Threads
from mailproto.backends.sqlite._transactions import Transaction
from mailproto.errors import MailError, NoSuchAccount, NoSuchMailbox
from mailproto.message import RENDER_VERSION
from mailproto.model import AppendedMessage

__all__ = ["Append", "Arrival", "Delivery", "Place", "Placing", "append_all", "deliver_all"]


class Arrival(NamedTuple):
    """A new message to be put into a mailbox."""

    body: Body
    flags: Columns
    internal_date: int
    zone: int = 0


class Place(NamedTuple):
    """A destination: the key of an account's name, and a mailbox's name."""

    folded: str
    mailbox: str


class Delivery(NamedTuple):
    """One message for several destinations, with its flags for each, or the error for a destination."""

    placements: Sequence[tuple[Place, Arrival] | MailError]


class Append(NamedTuple):
    """Some messages for one mailbox, given by its id.

    :ivar has_room: whether there is room for them anyway.
    """

    mailbox: int
    arrivals: Sequence[Arrival]
    has_room: bool = False


@in_any_order
@adds_content
def deliver_all(
    transaction: Transaction, deliveries: Sequence[Delivery]
) -> Sequence[Sequence[AppendedMessage | MailError]]:
    """For each delivery and each of its destinations: where the message is, or the error."""
    placing = Placing(transaction)
    placing.find(
        placement[0]
        for delivery in deliveries
        for placement in delivery.placements
        if not isinstance(placement, MailError)
    )
    results: list[list[AppendedMessage | MailError]] = []
    for delivery in deliveries:
        outcomes: list[AppendedMessage | MailError] = []
        for placement in delivery.placements:
            if isinstance(placement, MailError):
                outcomes.append(placement)
                continue
            found = placing.mailbox(placement[0])
            if isinstance(found, MailError):
                outcomes.append(found)
                continue
            try:
                outcomes.append(
                    placing.put(found, placement[1])
                    if placing.has_room(found, placement[1].body.size)
                    else full()
                )
            except TooManyKeywords as error:
                outcomes.append(error)
        results.append(outcomes)
    placing.finish()
    return results


@adds_content
def append_all(
    transaction: Transaction, appends: Sequence[Append]
) -> Sequence[Sequence[AppendedMessage] | Failure]:
    """For each append: where its messages are, or that there is no room.

    :raises NoSuchMailbox:
    :raises TooManyKeywords: a mailbox has too many.
    """
    mailboxes: dict[int, Mailbox] = {}
    placing = Placing(transaction)
    results: list[Sequence[AppendedMessage] | Failure] = []
    for append in appends:
        mailbox = mailboxes.get(append.mailbox)
        if mailbox is None:
            row = transaction.execute(
                f"SELECT mailboxes.uid_next, accounts.id, accounts.modseq, {ROOM} FROM mailboxes"
                f" JOIN accounts ON accounts.id = mailboxes.account {LIMITS} WHERE mailboxes.id = ?",
                (append.mailbox,),
            ).fetchone()
            if row is None:
                raise NoSuchMailbox
            uid_next, *account = row
            mailbox = mailboxes[append.mailbox] = Mailbox(append.mailbox, placing.account(*account), uid_next)
        octets = sum([arrival.body.size for arrival in append.arrivals])
        results.append(
            [placing.put(mailbox, arrival) for arrival in append.arrivals]
            if append.has_room or placing.has_room(mailbox, octets, len(append.arrivals))
            else Failure(full())
        )
    placing.finish()
    return results


class _Account:
    """An account, with its last modseq, and how many octets and messages it may still get."""

    __slots__ = ("id", "messages", "modseq", "octets")

    def __init__(self, id_: int, modseq: int, octets: int, messages: int) -> None:
        self.id = id_
        self.modseq = modseq
        self.octets = octets
        self.messages = messages


class Mailbox:
    """A mailbox, with its next UID and the counts of new messages."""

    __slots__ = ("account", "deleted", "id", "messages", "modseq", "size", "uid_next", "unseen")

    def __init__(self, id_: int, account: _Account, uid_next: int) -> None:
        self.id = id_
        self.account = account
        self.uid_next = uid_next
        self.modseq = self.messages = self.unseen = self.deleted = self.size = 0


class _NewBody(NamedTuple):
    """A new body in this transaction, with its row."""

    row: list[Any]
    keys: ThreadKeys


class Placing:
    """Collects the rows of new messages, and inserts them together."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._now = int(time.time())
        self._threads = Threads(transaction.connection)
        self._accounts: dict[int, _Account] = {}
        self._mailboxes: dict[Place, Mailbox | None] = {}
        self._changed: dict[int, Mailbox] = {}
        self._bodies: dict[int, _NewBody] = {}  # by id() of the Body
        self._contents: list[tuple[int, bytes]] = []
        self._messages: list[tuple[Mailbox, _NewBody, list[Any]]] = []

    def find(self, places: Iterable[Place]) -> None:
        """Look up the mailboxes of these places, for `mailbox`."""
        wanted = list(set(places))
        if not wanted:
            return
        # If the mailbox does not exist, its columns are NULL; without the account, there is no row.
        rows = self._transaction.execute(
            "SELECT wanted.key, accounts.folded, mailboxes.name, mailboxes.id, mailboxes.uid_next,"
            f" accounts.id, accounts.modseq, {ROOM}"
            " FROM json_each(?) AS wanted CROSS JOIN accounts ON accounts.folded = wanted.value ->> 0"
            f" {LIMITS} LEFT JOIN mailboxes"
            " ON mailboxes.account = accounts.id AND mailboxes.name = wanted.value ->> 1",
            (json.dumps(wanted),),
        )
        for index, folded, name, mailbox, uid_next, *account in rows:
            place = wanted[index]
            if folded == place.folded:  # compared again, because SQLite's JSON ends a text at NUL
                is_there = name == place.mailbox
                self._mailboxes[place] = (
                    Mailbox(mailbox, self.account(*account), uid_next) if is_there else None
                )

    def mailbox(self, place: Place) -> Mailbox | MailError:
        """The mailbox of a place that was looked up, or why there is none."""
        try:
            return self._mailboxes[place] or NoSuchMailbox()
        except KeyError:
            return NoSuchAccount()

    def account(self, id_: int, modseq: int, octets: int, messages: int) -> _Account:
        """The object for an account; there is one for each, made of what was read first."""
        return self._accounts.setdefault(id_, _Account(id_, modseq, octets, messages))

    def has_room(self, mailbox: Mailbox, octets: int, messages: int = 1) -> bool:
        """Whether the mailbox's account may get so much more; nothing has room everywhere."""
        account = mailbox.account
        return not messages or (octets <= account.octets and messages <= account.messages)

    def put(self, mailbox: Mailbox, arrival: Arrival) -> AppendedMessage:
        """Add a message for a mailbox.

        :raises TooManyKeywords: the mailbox has too many.
        """
        body, (bits, keywords), date, zone = arrival
        if keywords:
            self._transaction.keywords.check(self._transaction.connection, mailbox.id, (keywords,))
        new = self._counted(body)
        self._changed[mailbox.id] = mailbox
        uid = mailbox.uid_next
        account = mailbox.account
        account.modseq += 1
        account.octets -= body.size
        account.messages -= 1
        mailbox.uid_next, mailbox.modseq = uid + 1, account.modseq
        mailbox.messages += 1
        mailbox.unseen += not bits & SEEN_BIT
        mailbox.deleted += bool(bits & DELETED_BIT)
        mailbox.size += body.size
        row = [mailbox.id, uid, bits, keywords, mailbox.modseq, date, zone]
        row += [body.size, new.row[0], self._now, 0]
        self._messages.append((mailbox, new, row))
        return AppendedMessage(uid, mailbox.modseq)

    def keep(self, body: Body) -> int:
        """Add a body for something else than a mailbox, which counts in its refs; returns its id."""
        id_: int = self._counted(body).row[0]
        return id_

    def finish(self) -> None:
        """Write the collected rows."""
        execute, threads = self._transaction.execute, self._threads
        if not self._bodies:
            return
        placed = threads.place(
            [(mailbox.account.id, new.row[0], new.keys) for mailbox, new, _ in self._messages]
        )
        for thread, (_, _, row) in zip(placed, self._messages, strict=True):
            row[-1] = thread
        _contents.add(execute, self._contents)
        insert(
            execute,
            "INSERT INTO bodies (id, refs, rendered, file, envelope, body_structure, offsets)",
            [new.row for new in self._bodies.values()],
        )
        insert(
            execute,
            "INSERT INTO messages"
            " (mailbox, uid, flags, keywords, modseq, internal_date, zone, size, body, saved, thread)",
            [row for _, _, row in self._messages],
        )
        if self._changed:
            self._count()

    def _count(self) -> None:
        """Write the counters of mailboxes and accounts."""
        transaction = self._transaction
        changed = self._changed.values()
        transaction.connection.executemany(
            "UPDATE mailboxes SET uid_next = ?, modseq = ?, messages = messages + ?,"
            " recent = recent + ?, unseen = unseen + ?, deleted = deleted + ?, size = size + ?"
            " WHERE id = ?",
            [
                (
                    mailbox.uid_next,
                    mailbox.modseq,
                    mailbox.messages,
                    mailbox.messages,
                    mailbox.unseen,
                    mailbox.deleted,
                    mailbox.size,
                    mailbox.id,
                )
                for mailbox in changed
            ],
        )
        accounts = {account.id: account.modseq for account in (mailbox.account for mailbox in changed)}
        transaction.connection.executemany(
            "UPDATE accounts SET modseq = ? WHERE id = ?", [(modseq, id_) for id_, modseq in accounts.items()]
        )
        transaction.touched.update((mailbox.id, mailbox.modseq) for mailbox in changed)
        transaction.accounts.update(accounts)

    def _counted(self, body: Body) -> _NewBody:
        new = self._bodies.get(id(body)) or self._new_body(body)
        new.row[1] += 1
        return new

    def _new_body(self, body: Body) -> _NewBody:
        made = body.digest or digest(body.octets)
        id_ = self._threads.next_id()
        new = _NewBody([id_, 0, RENDER_VERSION, body.file, *made.summary], made.keys)
        self._bodies[id(body)] = new
        if body.file is None:
            self._contents.append((id_, body.octets))
        return new
