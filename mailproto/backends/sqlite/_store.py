"""The store: accounts, and deliveries into their mailboxes."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.accounts import account_key
from mailproto.backends.sqlite._account import SQLiteAccount
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._database import Database
from mailproto.backends.sqlite._directory import SQLiteDirectory
from mailproto.backends.sqlite._mailbox import arrival
from mailproto.backends.sqlite._placing import Delivery, deliver_all
from mailproto.errors import MailError
from mailproto.interfaces import IStore
from mailproto.model import NewMessage

__all__ = ["SQLiteStore"]


@implementer(IStore)
class SQLiteStore:
    """Everybody's mail in one folder (made if missing, mode 0700).

    Several processes may have it open: each sees what the others do.

    :param path: the folder, or the database in it, where its name ends in ``.sqlite3``.
    :ivar path: the database's.
    """

    def __init__(self, path: str, *, reactor: IReactorFromThreads) -> None:
        self._database = Database(path, reactor)
        self.path = self._database.path
        self.directory = SQLiteDirectory(self._database)

    async def start(self) -> None:
        """See `IStore.start`."""
        await self._database.start()

    async def stop(self) -> None:
        """See `IStore.stop`."""
        await self._database.stop()

    async def account(self, name: str) -> SQLiteAccount:
        """See `IStore.account`."""
        return self.directory.account(name)

    def deliver(self, names: Sequence[str], message: NewMessage) -> Deferred[Sequence[MailError | None]]:
        """See `IStore.deliver`."""
        folded = [account_key(name) for name in names]

        def failed(failure: Failure) -> Sequence[MailError | None]:
            if isinstance(failure.value, MailError):
                return [failure.value] * len(names)
            return failure.raiseException()

        database = self._database
        if len(message.content) > LARGE:
            delivered = database.underway(Deferred.fromCoroutine(self._deliver_large(folded, message)))
            return delivered.addErrback(failed)
        # The usual case, of which there are thousands a second: one Deferred, no coroutine.
        try:
            arrived = arrival(message, database.bodies.small(message.content))
        except MailError as error:
            return succeed([error] * len(names))
        return database.writer.submit(deliver_all, Delivery(folded, arrived)).addErrback(failed)

    async def _deliver_large(self, folded: Sequence[str], message: NewMessage) -> Sequence[MailError | None]:
        bodies = self._database.bodies
        body = await bodies.large(message.content)
        outcomes: Sequence[MailError | None] = ()
        try:
            outcomes = await self._database.writer.submit(
                deliver_all, Delivery(folded, arrival(message, body))
            )
        finally:
            if None not in outcomes and body.file:
                bodies.remove([body.file])
        return outcomes
