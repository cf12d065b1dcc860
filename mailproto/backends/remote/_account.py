"""One account on another server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from zope.interface import alsoProvides, implementer

from mailproto._arguments import check_bool, check_call, check_seconds, check_type, check_whole
from mailproto._twisted_arguments import check_clock
from mailproto.backends._names import check_name, check_special_use
from mailproto.backends._watch import ModSeqs
from mailproto.backends.remote._add_ons import Annotations, Quotas
from mailproto.backends.remote._checked import uid_validity_of
from mailproto.backends.remote._connections import Connections, Link, OpenClient
from mailproto.backends.remote._mailbox import RemoteMailbox
from mailproto.backends.remote._names import NameMap
from mailproto.backends.remote._rights import AccessControl
from mailproto.backends.remote._watching import Watching
from mailproto.errors import (
    InvalidMailboxName,
    MailboxExists,
    MailError,
    NoSuchMailbox,
    UnsupportedSpecialUse,
)
from mailproto.imap import IMAPClient
from mailproto.imap.values import MailboxCounts
from mailproto.interfaces import IAccount
from mailproto.interfaces.add_ons import IAccessControl, IAnnotations, IQuota
from mailproto.model import INBOX, MailboxEntry, MailboxStatus, canonical_mailbox_name
from mailproto.typing import ReactorTime

__all__ = ["RemoteAccount"]

T = TypeVar("T")


@implementer(IAccount)
class RemoteAccount(Quotas, Annotations, AccessControl):
    """An account on another IMAP server, as an `IAccount` that our servers can serve::

        server = ServerAddress("imap.example.org", tls="implicit", credentials=Password("bob", "secret"))
        account = RemoteAccount("bob", reactor, lambda: IMAPClient.open(reactor, server))

    The first connection is opened when something is asked for.  One that is lost is made again; what was
    only being read is read again then, and anything else raises `Unavailable`.  So does everything while
    the server cannot be reached, or does not accept the credentials any more; the log says once what it is.

    After `connect` it provides `IQuota`, `IAnnotations` and `IAccessControl`, if the other server has QUOTA,
    METADATA and ACL.

    :param name: the account's name here.
    :param clock: the reactor.
    :param open_client: opens a connection that is signed in, as above.
    :param connections: the most simultaneous connections.  Each mailbox that somebody watches (IDLE) keeps
        one, as long as there are enough.
    :param wait: seconds that a request waits for one of them.
    :param poll: seconds after which the server is asked about watched mailboxes that have none.
    :param finds_there: True if what the other server finds, sorts and threads counts here: then its mailboxes
        are `IFinding`, if it has SORT, THREAD=REFERENCES and THREAD=ORDEREDSUBJECT.
    :raises TypeError, ValueError: an argument is none of these.
    """

    def __init__(
        self,
        name: str,
        clock: ReactorTime,
        open_client: OpenClient,
        *,
        connections: int = 3,
        wait: float = 60,
        poll: float = 60,
        finds_there: bool = False,
    ) -> None:
        check_type("name", name, str, "the account's name, a str")
        check_clock("clock", clock)
        check_call("open_client", open_client, "a function that opens an IMAPClient", 0)
        check_whole("connections", connections, 1)
        check_seconds("wait", wait)
        check_seconds("poll", poll)
        check_bool("finds_there", finds_there)
        self.name = name
        self.finds_there = finds_there
        self.other_users = self.shared = ""
        self.clock = clock
        self.watching = Watching(self, poll)
        self.connections = Connections(
            clock,
            open_client,
            name=name,
            most=connections,
            wait=wait,
            heard=self.watching.heard,
            watched=self.watching.watched,
            lost=self.watching.lost,
        )
        # Our own modseqs rise from one process to the next.
        self.modseqs = ModSeqs()
        self.modseqs.last = int(time.time() * 1_000_000)
        self.highest = 1
        self.names = NameMap()
        self.opened: WeakValueDictionary[str, RemoteMailbox] = WeakValueDictionary()
        self._knows_names = False

    async def connect(self, client: IMAPClient | None = None) -> None:
        """Open a connection if there is none, and learn what the server has.

        :param client: a connection that is there already, and has signed in.
        :raises MailError: the server cannot be used; as the methods of `IAccount`.
        """
        if client is not None:
            await self.connections.adopt(client)
        if not self._knows_names:
            await self._learn_names()
        has = self.connections.capabilities
        if "QUOTA" in has:
            alsoProvides(self, IQuota)
        if "METADATA" in has:
            alsoProvides(self, IAnnotations)
        if "ACL" in has:
            await self._learn_namespaces()
            alsoProvides(self, IAccessControl)

    def close(self) -> Deferred[None]:
        """End all connections, for good; fires when they are closed."""
        self.watching.close()
        return self.connections.close()

    # -- IAccount

    async def list(self) -> Sequence[MailboxEntry]:
        """See `IAccount.list`; without names that our clients could not write."""
        await self._learn_names()

        async def work(link: Link) -> Sequence[MailboxEntry]:
            found = await link.client.list()
            subscribed = {each.name for each in await link.client.list(subscribed=True)}
            self.names.begin_list()
            entries: dict[str, MailboxEntry] = {}
            there = {each.name for each in found}
            for each in found:
                name = self.names.ours(each.name)
                if name is not None and not each.has("\\NonExistent"):
                    entries[name] = MailboxEntry(
                        name,
                        each.is_selectable,
                        each.name in subscribed,
                        True,
                        each.special_use - {"\\Inbox"},
                    )
                elif name is not None and each.name not in subscribed:
                    entries[name] = MailboxEntry(name, selectable=False)
                elif name is not None:
                    there.discard(each.name)
            for each_name in subscribed - there:
                name = self.names.ours(each_name)
                if name is not None:
                    entries.setdefault(
                        name, MailboxEntry(name, selectable=False, subscribed=True, exists=False)
                    )
            entries.setdefault(INBOX, MailboxEntry(INBOX))
            return [entries[name] for name in sorted(entries)]

        return await self._run(work, again=True)

    async def open(self, name: str) -> RemoteMailbox:
        """See `IAccount.open`."""
        await self._learn_names()
        name = canonical_mailbox_name(name)
        try:
            check_name(name)
        except InvalidMailboxName:
            raise NoSuchMailbox from None
        remote = self.names.theirs(name)
        known = self.opened.get(remote)
        is_there = known is not None and await self.validity(remote) == known.uid_validity
        if known is not None and is_there and not known.is_gone:
            return known.under(name)
        if known is not None:
            known.go()

        async def work(link: Link) -> RemoteMailbox:
            return RemoteMailbox(self, name, remote, link.selected)

        opened = await self.connections.run(work, remote, again=True)
        if known is not None:
            return self._replace(remote, opened)
        return self.opened.setdefault(remote, opened).under(name)

    async def create(self, name: str, special_use: str | None = None) -> None:
        """See `IAccount.create`."""
        name = canonical_mailbox_name(name)
        use = check_special_use(special_use)
        if name == INBOX:
            raise MailboxExists
        check_name(name)
        await self._learn_names()

        async def work(link: Link) -> None:
            if use is not None and "CREATE-SPECIAL-USE" not in link.client.capabilities:
                raise UnsupportedSpecialUse
            await link.client.create(self.names.theirs(name), special_use=use)

        await self._run(work)
        await self._list_changed(name)

    async def delete(self, name: str) -> None:
        """See `IAccount.delete`."""
        name = canonical_mailbox_name(name)
        if name == INBOX:
            raise InvalidMailboxName
        await self._learn_names()
        remote = self.names.theirs(name)
        await self.connections.leave(remote)
        await self._run(lambda link: link.client.delete(remote), otherwise=NoSuchMailbox)
        gone = self.opened.pop(remote, None)
        if gone is not None:
            gone.go()
            self.watching.tell_end(gone)
        await self._list_changed()

    async def rename(self, old: str, new: str) -> None:
        """See `IAccount.rename`."""
        old, new = canonical_mailbox_name(old), canonical_mailbox_name(new)
        check_name(new)
        if new == INBOX:
            raise MailboxExists
        await self._learn_names()
        source, target = self.names.theirs(old), self.names.theirs(new)
        below = source + (self.names.delimiter or "\0")
        moved = [each for each in self.opened if each == source or each.startswith(below)]
        for each in moved:
            await self.connections.leave(each)
        await self._run(lambda link: link.client.rename(source, target), otherwise=NoSuchMailbox)
        if old == INBOX:
            inbox = self.opened.get(source)
            if inbox is not None:
                inbox.tracking.forget(None)
                self.watching.look_soon(inbox)
        else:
            for each in moved:
                mailbox = self.opened.pop(each, None)
                if mailbox is not None:
                    mailbox.is_renamed(target + each[len(source) :])
                    self.opened[mailbox.remote_name] = mailbox
        await self._list_changed(new)

    async def subscribe(self, name: str) -> None:
        """See `IAccount.subscribe`."""
        await self._learn_names()
        remote = self.names.theirs(name)

        async def work(link: Link) -> None:
            if not await link.client.list(remote):
                raise NoSuchMailbox
            await link.client.subscribe(remote)

        await self._run(work)
        await self._list_changed()

    async def unsubscribe(self, name: str) -> None:
        """See `IAccount.unsubscribe`."""
        await self._learn_names()
        remote = self.names.theirs(name)

        async def work(link: Link) -> None:
            if remote in {each.name for each in await link.client.list(remote, subscribed=True)}:
                await link.client.unsubscribe(remote)

        await self._run(work)
        await self._list_changed()

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        """See `IAccount.status`: each mailbox is asked for by itself."""
        found: dict[str, MailboxStatus] = {}
        for name in names:
            try:
                found[name] = await (await self.open(name)).status()
            except NoSuchMailbox:
                continue
        return found

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`; what nobody here has done, or watches, is found after ``poll`` seconds.

        Its modseqs are in order only as far as the other server's are.
        """
        return self.watching.watch_all(listener)

    # -- for the account's parts

    async def run(self, work: Callable[[Link], Awaitable[T]], mailbox: str | None = None) -> T:
        """Call a function with a connection."""
        return await self._run(work, mailbox)

    async def glance(self) -> dict[str, object]:
        """What there is in the account, to see whether it has changed."""
        items = ("MESSAGES", "UIDNEXT", "UNSEEN", "UIDVALIDITY")

        async def work(link: Link) -> dict[str, object]:
            has = link.client.capabilities
            if not has & {"LIST-STATUS", "IMAP4REV2"}:
                names: dict[str, object] = {each.name: None for each in await link.client.list()}
                return names | {INBOX: await link.client.status(INBOX, *items)}
            more = ("HIGHESTMODSEQ",) if self.connections.has_qresync else ()
            return {each.name: each.counts for each in await link.client.list(status=[*items, *more])}

        return await self._run(work, again=True)

    # -- inside

    async def _run(
        self,
        work: Callable[[Link], Awaitable[T]],
        mailbox: str | None = None,
        *,
        again: bool = False,
        otherwise: type[MailError] | None = None,
    ) -> T:
        try:
            return await self.connections.run(work, mailbox, again=again)
        except MailError as error:
            if otherwise is not None and type(error) is MailError:
                raise otherwise(detail=str(error)) from error
            raise

    def _replace(self, remote: str, opened: RemoteMailbox) -> RemoteMailbox:
        self.opened[remote] = opened
        return opened

    async def validity(self, remote: str) -> int:
        """The mailbox's UIDVALIDITY now; 0 if it is gone."""

        async def work(link: Link) -> MailboxCounts:
            return await link.client.status(remote, "UIDVALIDITY")

        try:
            counts = await self._run(work, again=True, otherwise=NoSuchMailbox)
            return uid_validity_of(counts.uid_validity)
        except NoSuchMailbox:
            return 0

    async def _learn_names(self) -> None:
        if self._knows_names:
            return

        async def work(link: Link) -> str:
            return next((each.delimiter for each in await link.client.list(INBOX)), "/")

        self.names.delimiter = await self._run(work, again=True)
        self._knows_names = True

    async def _list_changed(self, made: str = "") -> None:
        """The list of mailboxes has changed, perhaps with a new one."""
        if made and self.watching.is_watching_all:
            found = await self.status([made])
            if made in found:
                self.highest = max(self.highest, found[made].modseq)
        self.watching.tell_all(self.highest)
