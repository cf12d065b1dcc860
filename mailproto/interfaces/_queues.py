"""The queue: messages on their way to other servers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.interfaces._stores import IStore
from mailproto.model import (
    AppendedMessage,
    DestinationState,
    Lease,
    NewQueued,
    QueueChange,
    QueueCounts,
    QueuedMessage,
    QueueFilter,
    RecipientResult,
)

__all__ = ["IHandover", "IQueue", "IQueueStore"]


@contract
class IQueue(Contract, metaclass=ContractClass):
    """Messages that other servers are to get, each recipient by itself.

    It keeps what was accepted; when and where something is tried, `mailproto.relay` decides.  All times are
    seconds since the epoch, and may be rounded to milliseconds.

    Several processes, on several machines, may work with one queue.  Who wants to try some recipients leases
    them: the lease is committed at once, nothing is locked while a message is sent, and what was leased by a
    process that has died is taken over when the lease has run out, or earlier if the queue knows of that.
    A lease that ran out, and that nobody has taken over, can still be settled.

    A recipient belongs to a destination, a short text that means nothing here.  Recipients of one
    destination are leased in the order of their messages' priority; among equal ones, the shares take turns
    (`NewQueued.share`), and each share's are leased in the order in which they became due.  (If very many
    become due at the same time, a queue may order some of them later.)

    A message is removed when each of its recipients is sent or failed.
    """

    def add(self, messages: Sequence[NewQueued]) -> Result[Sequence[Sequence[AppendedMessage]]]:
        """Accept all of ``messages`` or none, in one transaction, with their placements.

        A quota does not count for a notification (null reverse-path), because nobody would send it again.
        :returns: for each message, where its placements are.
        :raises OverQuota: the account of a placement, which the error names, has no room for all that comes;
            nothing was accepted.
        :raises MailError: a placement is not possible, or there is no room on the disk; nothing was accepted.
        """

    def destinations(self, *, after: str = "", limit: int = 1000) -> Result[Sequence[DestinationState]]:
        """The destinations that have waiting recipients or are paused, by name, those after ``after``."""

    def due(self, now: float, limit: int) -> Result[Sequence[DestinationState]]:
        """The destinations that have waiting recipients, by `DestinationState.due`, the earliest first.

        Those that are due after ``now`` come, too, so that the caller knows how long it may sleep.
        """

    def lease(
        self, destination: str, *, now: float, until: float, messages: int, recipients: int
    ) -> Result[Sequence[Lease]]:
        """Lease recipients of a destination that are due, whether it is paused or not.

        There may be fewer than could be leased; if there are none, nothing is due.

        :param messages: the most messages, one lease for each.
        :param recipients: the most recipients of each message; more are leased by a later call.
        """

    def next_deadline(self) -> Result[float | None]:
        """When `lease_overdue` may find something, in seconds since the epoch; None if nothing is queued.

        The deadline of a message is `NewQueued.notice`; after a result that `is_reported_late`, and without a
        notice, it is `NewQueued.expires`.
        """

    def lease_overdue(self, *, now: float, until: float, messages: int) -> Result[Sequence[Lease]]:
        """Lease what waits for paused destinations although its deadline is over, due or not: it cannot be
        sent, but its sender can be told.

        The messages with the earliest deadlines come first, with a lease for each destination.  What was
        looked at has a new deadline, so that it is not found over and over: the end of these leases, or later
        by a quarter of its age, but at the latest when it expires.

        :param messages: the most to be looked at.  There may be no leases although there are more.
        """

    def renew(self, leases: Sequence[Lease], until: float) -> Result[Sequence[Lease]]:
        """Make leases last until another time; those that somebody has taken over are left out of the
        result."""

    def release(self, leases: Sequence[Lease]) -> Result[None]:
        """Give back leases of which nothing was tried; those that somebody has taken over stay.

        Their recipients keep their turns.
        """

    def settle(
        self, lease: Lease, results: Sequence[RecipientResult], reports: Sequence[NewQueued] = ()
    ) -> Result[None]:
        """Note the results of an attempt, give the lease back, and `add` reports, in one transaction.

        :param results: of the leased recipients; those without a result are given back.
        :raises LeaseLost: somebody else has taken over the lease or a part of it, or an operator has deleted
            the message; nothing was changed.
        :raises ValueError: a result is not of a leased recipient, or two are of the same one.
        :raises MailError: as `add`; nothing was changed.
        """

    def pause(self, destination: str, until: float, failures: int = 0, reason: str = "") -> Result[None]:
        """Note that a destination should not be tried before a certain time; 0 to try it again.

        A destination for which nothing waits may be forgotten some time after its pause.
        """

    def regroup(self, destination_of: Callable[[str], str]) -> Result[None]:
        """Give waiting and held recipients new destinations, because other routes hold.

        It is done in short steps; what is added meanwhile may be left alone, and so is a recipient whose
        address has no domain.

        :param destination_of: called with each domain that recipients in the queue have: in lower case with
            A-labels, or an address literal.
        """

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener()`` in the reactor's thread when something may have become due earlier.

        It is a hint like that of `IMailbox.watch`, also of what other processes do.

        :returns: a function that ends the watch; it may be called more than once.
        """

    def find(
        self, filter: QueueFilter, *, after: int = 0, limit: int = 100
    ) -> Result[Sequence[QueuedMessage]]:
        """Messages with all their recipients and without content, by ascending id, those after ``after``.

        It may give fewer than ``limit`` although there are more; the last page is empty.
        """

    def get(self, id: int) -> Result[QueuedMessage]:
        """A message with its content.

        :raises NoSuchQueued: there is none.
        """

    def change(self, ids: Sequence[int], change: QueueChange) -> Result[Sequence[int]]:
        """Hold, release, retry or delete messages; returns the ids of those that were changed, ascending.

        Many are changed in short steps, each message at once.  A message that is being sent at that moment
        may arrive although it is deleted.
        """

    def counts(self, now: float) -> Result[QueueCounts]:
        """How much is in the queue."""


@contract
class IHandover(Contract, metaclass=ContractClass):
    """An `IQueue` that leases messages as it accepts them, and hands them to whoever sends in this process.

    That spares a second transaction, and reading what has just been written.  It is only for messages that
    would be leased next in any case: of those with one recipient that needs another server, which is due,
    at a destination that is not paused, has not failed, and has no other recipients ready.  Nobody may rely
    on it: of any message the queue may decide not to do it.
    """

    def hand_over(
        self, reserve: Callable[[str], float], take: Callable[[str, Lease | None], None]
    ) -> Callable[[], None]:
        """Hand over leases from now on; if several want them, the first one gets them.

        :param reserve: called in the reactor's thread with a destination for which a message comes; returns
            until when it may be leased, in seconds since the epoch, or 0 to leave it in the queue.
        :param take: called there once for each time that was not 0, with the destination: with the lease,
            which is committed, or with None if there is none.
        :returns: a function that ends this: then ``reserve`` is not called any more.
        """


@contract
class IQueueStore(IStore, Contract, metaclass=ContractClass):
    """An IStore that keeps a queue, too: what is accepted for mailboxes and for other servers is one
    transaction."""

    @property
    @abstractmethod
    def queue(self) -> IQueue:
        """The queue; it starts and stops with the store."""
