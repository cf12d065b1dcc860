"""Does the work of a batch in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

from twisted.python.failure import Failure

from mailproto.backends.sqlite._failures import is_of_storage
from mailproto.backends.sqlite._keywords import Keywords
from mailproto.backends.sqlite._requests import Request, Work
from mailproto.errors import MailError

__all__ = ["Transaction", "do_each_kind", "do_together"]


class Finishing(Protocol):
    """What collects changes of a transaction, to write them together."""

    def finish(self) -> None:
        """Write them."""


FinishingT = TypeVar("FinishingT", bound=Finishing)


class Transaction:
    """A transaction, and what must be done after its commit.

    :ivar keywords: limits the keywords of mailboxes.
    :ivar touched: the changed mailboxes, each with its modseq.
    :ivar accounts: the changed accounts, each with its modseq.
    :ivar accounts_changed: whether the listeners of `IAccountChanges.watch` must be called.
    :ivar sharing_changed: whether what ``anyone`` sees may have changed.
    :ivar queue_changed: whether the listeners of `IQueue.watch` must be called.
    :ivar unused: the names of body files that are no longer used.
    :ivar leaves_work: whether there is data to be cleared away afterwards.
    """

    def __init__(self, connection: sqlite3.Connection, keywords: Keywords | None = None) -> None:
        self.connection = connection
        self.keywords = keywords or Keywords()
        self.execute = connection.execute
        self.touched: dict[int, int] = {}
        self.accounts: dict[int, int] = {}
        self.accounts_changed = False
        self.sharing_changed = False
        self.queue_changed = False
        self.unused: list[str] = []
        self.leaves_work = False
        self._shared: dict[object, Finishing] = {}

    def shared(self, kind: Callable[[Transaction], FinishingT]) -> FinishingT:
        """The one object of a class that all work of this transaction uses; `finish` is its last call."""
        found = self._shared.get(kind)
        if found is None:
            found = self._shared[kind] = kind(self)
        return cast(FinishingT, found)

    def finish(self) -> None:
        """Finish what is shared, after all other work."""
        while self._shared:
            self._shared.popitem()[1].finish()

    def forget(self) -> None:
        """Forget what is shared, because the work was undone."""
        self._shared.clear()


def do_together(
    connection: sqlite3.Connection, keywords: Keywords, kinds: Sequence[tuple[Work, Sequence[Request]]]
) -> tuple[Sequence[Any], Transaction] | None:
    """Do and commit a batch; None if a kind of work failed and all was undone.

    This is the usual case.  It needs no savepoints, for which SQLite would open another file, and write there
    each page that it changes.
    """
    transaction = Transaction(connection, keywords)
    connection.execute("BEGIN IMMEDIATE")
    results: list[Any] = []
    try:
        for work, requests in kinds:
            results += work(transaction, [request.argument for request in requests])
        transaction.finish()
    except Exception as error:
        if not connection.in_transaction or is_of_storage(error):
            raise  # the batch is given up: the disk is full or failing
        connection.execute("ROLLBACK")
        return None
    connection.execute("COMMIT")
    return results, transaction


def do_each_kind(
    connection: sqlite3.Connection, keywords: Keywords, kinds: Sequence[tuple[Work, Sequence[Request]]]
) -> tuple[Sequence[Any], Transaction]:
    """Do and commit a batch in which each kind of work may fail by itself."""
    transaction = Transaction(connection, keywords)
    connection.execute("BEGIN IMMEDIATE")
    results: list[Any] = []
    for work, requests in kinds:
        results += _perform(transaction, work, [request.argument for request in requests])
    connection.execute("COMMIT")
    return results, transaction


def _perform(transaction: Transaction, work: Work, arguments: Sequence[Any]) -> Sequence[Any]:
    """Do one kind of work for many arguments; returns results or Failures."""
    connection = transaction.connection
    touched, accounts = dict(transaction.touched), dict(transaction.accounts)
    unused, leaves_work = len(transaction.unused), transaction.leaves_work
    connection.execute("SAVEPOINT work")
    try:
        results = work(transaction, arguments)
        transaction.finish()
    except Exception as error:
        if not connection.in_transaction or is_of_storage(error):
            raise  # the whole batch is given up: the disk is full or failing
        connection.execute("ROLLBACK TO work")
        transaction.forget()
        transaction.touched, transaction.accounts = touched, accounts
        transaction.leaves_work = leaves_work
        del transaction.unused[unused:]
        connection.execute("RELEASE work")
        if len(arguments) == 1:
            return [_failure(error)]
    else:
        connection.execute("RELEASE work")
        return results
    return [_perform(transaction, work, [argument])[0] for argument in arguments]


def _failure(error: Exception) -> Failure:
    """The result of a request that failed.

    What clients do wrong has no traceback: its frames would be garbage that only the collector finds, which
    stops everything.
    """
    return Failure(error.with_traceback(None) if isinstance(error, MailError) else error)
