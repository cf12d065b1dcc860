"""The store: accounts, and deliveries into their mailboxes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._arguments import text_path
from mailproto._twisted_arguments import check_clock
from mailproto.accounts import account_key
from mailproto.backends._add_ons import ADD_ONS
from mailproto.backends.sqlite import _quotas
from mailproto.backends.sqlite._account import SQLiteAccount
from mailproto.backends.sqlite._bodies import LARGE, Body, Digesting
from mailproto.backends.sqlite._check import check_database
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._directory import SQLiteDirectory
from mailproto.backends.sqlite._mailbox import arrival
from mailproto.backends.sqlite._placing import Arrival, Delivery, Place, deliver_all
from mailproto.backends.sqlite._queue import SQLiteQueue
from mailproto.content import Octets
from mailproto.errors import MailError
from mailproto.interfaces import ICheckable, IQueueStore
from mailproto.interfaces.add_ons import (
    IIndexed,
    IQuotas,
)
from mailproto.model import (
    AppendedMessage,
    CheckResult,
    IndexState,
    Placement,
    Quota,
    QuotaLimits,
    canonical_mailbox_name,
)
from mailproto.typing import Reactor

__all__ = ["SQLiteStore"]


_PROGRESS = 0.1
"""Seconds between two reports while an index is built."""


@implementer(IQueueStore, ICheckable, IIndexed, IQuotas)
class SQLiteStore:
    """A store in one folder (made if it is missing, mode 0700).

    Several processes may have it open: each sees the changes of the others.

    :param path: the folder, or the database in it if the name ends in ``.sqlite3``.
    :ivar path: the path of the database.
    """

    add_ons = ADD_ONS

    def __init__(self, path: str | os.PathLike[str], *, reactor: Reactor) -> None:
        path = text_path("path", path, "the path of a folder, or of a file in .sqlite3")
        check_clock("reactor", reactor)
        self._database = Database(path, cast(IReactorFromThreads, reactor))
        self.path = self._database.path
        self.directory = SQLiteDirectory(self._database)
        self.queue = SQLiteQueue(self._database)

    async def start(self) -> None:
        """See `IStore.start`."""
        await self._database.start()

    async def stop(self) -> None:
        """See `IStore.stop`."""
        await self._database.stop()

    async def check(self, report: Callable[[str], None], *, repair: bool = False) -> CheckResult:
        """See `ICheckable.check`."""
        return await check_database(self._database, report, repair=repair)

    def use_index(self, *, texts: bool | None) -> None:
        """See `IIndexed.use_index`."""
        self._database.search.use(texts=texts)

    async def index_state(self) -> IndexState:
        """See `IIndexed.index_state`."""
        return await self._database.underway(self._database.search.state())

    async def rebuild_index(self, report: Callable[[IndexState], None]) -> None:
        """See `IIndexed.rebuild_index`."""
        database = self._database
        await database.underway(database.search.begin_anew())
        while True:
            state = await self.index_state()
            report(state)
            if state.indexed >= state.messages:
                break
            await database.wait(_PROGRESS)

    async def quota_of(self, name: str) -> Quota:
        """See `IQuotas.quota_of`."""
        return self._database.read(_quotas.quota_of_name, name)

    async def limits_of(self, name: str) -> QuotaLimits:
        """See `IQuotas.limits_of`."""
        return self._database.read(_quotas.limits_of, name)

    async def set_limits(self, name: str, limits: QuotaLimits) -> None:
        """See `IQuotas.set_limits`."""
        await self._database.writer.run(_quotas.set_limits, name, limits)

    async def set_default_limits(self, limits: QuotaLimits) -> None:
        """See `IQuotas.set_default_limits`."""
        await self._database.writer.run(_quotas.set_default_limits, limits)

    async def account(self, name: str) -> SQLiteAccount:
        """See `IStore.account`."""
        return self.directory.account(name)

    def deliver(
        self, content: Octets, placements: Sequence[Placement], internal_date: int | None = None
    ) -> Deferred[Sequence[AppendedMessage | MailError]]:
        """See `IStore.deliver`."""
        database, count = self._database, len(placements)
        if len(content) > LARGE:
            delivered = database.to_its_end(
                lambda is_wanted: self._deliver_large(content, placements, internal_date, is_wanted)
            )
            return delivered.addErrback(_same_for_all, count)
        # The usual case, thousands of times a second: one Deferred and no coroutine.
        try:
            digesting = Digesting(database.bodies.small(content))
            body = digesting.go_on()
            if body is None:
                slowly = self._deliver_slowly(digesting, placements, internal_date)
                return database.underway(Deferred.fromCoroutine(slowly)).addErrback(_same_for_all, count)
            delivery = _delivery(body, placements, internal_date)
        except MailError as error:
            return succeed([error] * count)
        except ValueError:  # a flag that is not valid; protocols refuse these themselves
            return fail()
        return database.writer.submit(deliver_all, delivery).addErrback(_same_for_all, count)

    async def _deliver_slowly(
        self, digesting: Digesting, placements: Sequence[Placement], internal_date: int | None
    ) -> Sequence[AppendedMessage | MailError]:
        """Deliver a message that is made so that it takes long to read."""
        body = await self._database.digested(digesting)
        return await self._database.writer.submit(deliver_all, _delivery(body, placements, internal_date))

    async def _deliver_large(
        self,
        content: Octets,
        placements: Sequence[Placement],
        internal_date: int | None,
        is_wanted: Callable[[], bool],
    ) -> Sequence[AppendedMessage | MailError]:
        bodies = self._database.bodies
        body = await bodies.large(content)
        outcomes: Sequence[AppendedMessage | MailError] = ()
        try:
            if not is_wanted():
                raise CancelledError
            delivery = _delivery(body, placements, internal_date)
            outcomes = await self._database.writer.submit(deliver_all, delivery)
        finally:
            if body.file and all(isinstance(outcome, MailError) for outcome in outcomes):
                bodies.remove([body.file])
        return outcomes


def _delivery(body: Body, placements: Sequence[Placement], internal_date: int | None) -> Delivery:
    placed: list[tuple[Place, Arrival] | MailError] = []
    date = int(time.time()) if internal_date is None else internal_date
    for account, mailbox, flags in map(_FIELDS, placements):
        place = Place(account_key(account), canonical_mailbox_name(mailbox))
        try:
            placed.append((place, arrival(body, flags, date)))
        except MailError as error:
            placed.append(error)
    return Delivery(placed)


def _same_for_all(failure: Failure, count: int) -> Sequence[MailError]:
    if isinstance(failure.value, MailError):
        return [failure.value] * count
    failure.raiseException()
    return None


_FIELDS = attrgetter("account", "mailbox", "flags")
