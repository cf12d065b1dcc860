"""The few connections of one account to the other server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.backends.remote._failures import translated
from mailproto.client.errors import (
    AuthenticationRefused,
    ClientError,
    CommandRefused,
    ConnectionLost,
    ProtocolViolation,
)
from mailproto.errors import MailError, NoSuchMailbox, Unavailable
from mailproto.imap import IMAPClient
from mailproto.imap.values import Events, SelectedMailbox
from mailproto.typing import ReactorTime

__all__ = ["LONGEST", "MAX_WAITING", "Connections", "Link", "OpenClient"]

T = TypeVar("T")
OpenClient = Callable[[], Awaitable[IMAPClient]]

REFUSED_FOR = 60.0
"""Seconds for which credentials that were refused are not tried again."""

LONGEST = 1800.0
"""Seconds that one request may take, whatever the other server says meanwhile."""

MAX_WAITING = 1000
"""Requests of one account that wait for a connection; more are refused."""


class Link:
    """One connection.

    :ivar mailbox: the other server's name of the mailbox that is selected; None for none.
    :ivar selected: what SELECT has told of it.
    """

    def __init__(self, client: IMAPClient) -> None:
        self.client = client
        self.mailbox: str | None = None
        self.selected = SelectedMailbox("")
        self.is_busy = True
        self.is_fresh = True  # whether it was opened for its first request just now
        self.used = 0  # when it was last used, as a count
        self.events: Events | None = None

    def leave(self) -> None:
        """The next request selects its mailbox anew."""
        self.mailbox = None


class Connections:
    """Gives each request a connection of its own, with the right mailbox selected.

    :param name: the account's, for the log.
    :param heard: called with the other server's name of a mailbox, when the server tells of a change in it.
    :param watched: the mailboxes whose connections should stay with them, because somebody waits for changes.
    :param lost: called when a connection has ended.
    """

    _log = PackageLogger()

    def __init__(
        self,
        clock: ReactorTime,
        open_client: OpenClient,
        *,
        name: str,
        most: int,
        wait: float,
        heard: Callable[[Link], None],
        watched: Callable[[], Collection[str]],
        lost: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._open_client = open_client
        self._name = name
        self._most = most
        self._wait = wait
        self._heard = heard
        self._watched = watched
        self._lost = lost
        self._links: list[Link] = []
        self._opening: set[Deferred[None]] = set()  # each fires when a connection was opened, or was not
        self._waiting: dict[Deferred[Link], str | None] = {}
        self._count = 0
        self._is_closed = False
        self._is_down = False  # whether the log has been told that the server cannot be used
        self._refused: tuple[float, AuthenticationRefused] | None = None
        self.capabilities: frozenset[str] = frozenset()
        self.has_qresync = False

    async def adopt(self, client: IMAPClient) -> None:
        """Take a connection that has signed in."""
        with translated(), self._limited(client):
            link = await self._made(client)
            link.is_fresh = self._is_down = False
            self._refused = None
        if len(self._links) > self._most or self._is_closed:
            self._drop(link)
            client.quit()
        else:
            self._release(link)

    def close(self) -> Deferred[None]:
        """End all connections; whoever waits for one gets an error.  It fires when they are closed."""
        self._is_closed = True
        ends = list(self._opening)
        for waiter in list(self._waiting):
            self._refuse(waiter, "the account was closed")
        for link in list(self._links):
            self._drop(link)
            ends.append(link.client.quit())
        return DeferredList(ends).addCallback(lambda _: None)

    def holds(self, mailbox: str) -> bool:
        """Whether a connection has this mailbox selected, and hears of its changes."""
        return any(link.mailbox == mailbox for link in self._links)

    @property
    def are_there(self) -> bool:
        """Whether there is a connection."""
        return bool(self._links)

    @property
    def has_room(self) -> bool:
        """Whether a mailbox can be selected without taking a connection from one that is watched."""
        watched = self._watched()
        return len(self._links) + len(self._opening) < self._most or any(
            link.mailbox not in watched for link in self._links
        )

    async def leave(self, mailbox: str) -> None:
        """Let no connection have a mailbox selected, which is about to go or to be renamed."""
        for link in list(self._links):
            if link.mailbox != mailbox:
                continue
            link.leave()
            if not link.is_busy:
                with suppress(ClientError):
                    await link.client.unselect()

    async def run(
        self, work: Callable[[Link], Awaitable[T]], mailbox: str | None = None, *, again: bool = False
    ) -> T:
        """Call ``work`` with a connection that nobody else uses meanwhile.

        :param mailbox: is selected; None if that does not matter.
        :param again: whether the work may be done again, if the connection ends meanwhile.
        :raises MailError: what the work or the other server raises, translated.
        """
        # All open connections may have ended, and be noticed only now; a new one was all right just now.
        tries = self._most + 1 if again else 1
        with translated():
            while True:
                tries -= 1
                link = await self._take(mailbox)
                was_fresh = link.is_fresh
                try:
                    return await self._run(link, work, mailbox)
                except ConnectionLost as error:
                    if not tries or was_fresh or self._is_closed or isinstance(error, ProtocolViolation):
                        raise

    async def _run(self, link: Link, work: Callable[[Link], Awaitable[T]], mailbox: str | None) -> T:
        try:
            with _translated(), self._limited(link.client):
                if mailbox is not None and link.mailbox != mailbox:
                    await self._select(link, mailbox)
                return await settle(work(link))
        finally:
            link.is_fresh = False
            self._release(link)

    @contextmanager
    def _limited(self, client: IMAPClient) -> Iterator[None]:
        """End a connection over which the server goes on talking, and does not come to an end."""
        timer = self._clock.callLater(LONGEST, client.abort)
        try:
            yield
        except (ConnectionLost, Unavailable):
            if timer.active():
                raise
            raise Unavailable(
                detail=f"The other server has not done within {LONGEST:g} s what it was asked for"
            ) from None
        finally:
            if timer.active():
                timer.cancel()

    async def _select(self, link: Link, mailbox: str) -> None:
        link.leave()
        with _translated(NoSuchMailbox):
            link.selected = await link.client.select(mailbox)
        link.mailbox = mailbox
        if link.events is None:
            link.events = link.client.idle()
            Deferred.fromCoroutine(self._listen(link, link.events)).addErrback(_nothing)

    async def _listen(self, link: Link, events: Events) -> None:
        with suppress(ClientError):
            async for _ in events:
                if link.mailbox is not None:
                    self._heard(link)

    # -- which connection

    async def _take(self, mailbox: str | None) -> Link:
        if self._is_closed:
            raise Unavailable(detail="the account was closed")
        watched = self._watched()
        free = [link for link in self._links if not link.is_busy and link.client.is_usable]
        free.sort(key=lambda link: link.used)
        best = next((link for link in free if mailbox is None or link.mailbox == mailbox), None)
        best = best or next((link for link in free if link.mailbox not in watched), None)
        if best is None and len(self._links) + len(self._opening) < self._most:
            try:
                return await self._open()
            except MailError:  # perhaps the server wants no more connections
                if not self._links:
                    raise
                free = [link for link in self._links if not link.is_busy and link.client.is_usable]
        best = best or next(iter(free), None)
        return await self._next_free(mailbox) if best is None else self._taken(best)

    def _taken(self, link: Link) -> Link:
        link.is_busy = True
        self._count += 1
        link.used = self._count
        return link

    async def _open(self) -> Link:
        ended: Deferred[None] = Deferred()
        self._opening.add(ended)
        try:
            with _translated():
                client = await self._connected()
                if self._is_closed:
                    await client.quit()
                    raise Unavailable(detail="the account was closed")
                with self._limited(client):
                    return self._taken(await self._made(client))
        finally:
            self._opening.remove(ended)
            ended.callback(None)

    async def _connected(self) -> IMAPClient:
        """A connection that has signed in; what is wrong is told to the log once.

        Credentials that were refused are not tried again for a minute: servers lock out who goes on.
        """
        if self._refused is not None:
            until, refusal = self._refused
            if self._clock.seconds() < until:
                raise refusal
        try:
            client = await settle(self._open_client())
        except ClientError as error:
            if not self._is_down:
                self._is_down = True
                self._log_down(error)
            if isinstance(error, AuthenticationRefused):
                self._refused = self._clock.seconds() + REFUSED_FOR, error
            raise
        self._refused = None
        if self._is_down:
            self._is_down = False
            self._log.info("{name}: the server of this account can be used again", name=self._name)
        return client

    def _log_down(self, error: ClientError) -> None:
        if isinstance(error, AuthenticationRefused):
            advice = f"give it the right password; it is tried again in {REFUSED_FOR:g} s at the earliest"
        else:
            advice = "look whether it runs and can be reached; every request tries again"
        self._log.warn(
            "{name}: the server of this account cannot be used, and clients are told so (UNAVAILABLE):"
            " {error}: {advice}",
            name=self._name,
            error=str(error),
            advice=advice,
        )

    async def _made(self, client: IMAPClient) -> Link:
        link = Link(client)
        self._links.append(link)
        client.closed().addCallback(self._ended, link)
        try:
            with suppress(CommandRefused):  # offered, and refused: it is done without that
                await client.enable("QRESYNC")
            if not client.capabilities:
                await client.capability()
        except BaseException:  # also if this is cancelled: nobody would ever give it back
            if link in self._links:
                self._drop(link)
            client.abort()
            raise
        self.capabilities = client.capabilities
        self.has_qresync = "QRESYNC" in client.enabled
        return link

    def _next_free(self, mailbox: str | None) -> Deferred[Link]:
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable(detail=f"{MAX_WAITING} requests wait for a connection")
        waiter: Deferred[Link] = Deferred(self._cancelled)
        self._waiting[waiter] = mailbox
        timer = self._clock.callLater(self._wait, self._refuse, waiter, f"none was free for {self._wait:g} s")
        return waiter.addBoth(_without, timer)

    def _cancelled(self, waiter: Deferred[Link]) -> None:
        self._waiting.pop(waiter, None)

    def _refuse(self, waiter: Deferred[Link], why: str) -> None:
        if self._waiting.pop(waiter, _ABSENT) is not _ABSENT:
            waiter.errback(Unavailable(detail=f"No connection to the other server: {why}"))

    def _release(self, link: Link) -> None:
        link.is_busy = False
        if link not in self._links or not link.client.is_usable:
            self._go_on()
            return
        if self._waiting:
            same = (each for each, mailbox in self._waiting.items() if mailbox == link.mailbox)
            waiter = next(iter(self._waiting)) if self._count % 8 == 0 else next(same, None)
            waiter = waiter or next(iter(self._waiting))
            del self._waiting[waiter]
            waiter.callback(self._taken(link))

    def _ended(self, _: None, link: Link) -> None:
        if link in self._links:
            self._drop(link)
            self._go_on()
            if not self._is_closed:
                self._log.info(
                    "{name}: a connection to {peer} has ended; it is made again when it is needed",
                    name=self._name,
                    peer=link.client.peer,
                )
                self._lost()

    def _drop(self, link: Link) -> None:
        self._links.remove(link)
        link.leave()
        if link.events is not None:
            link.events.close()

    def _go_on(self) -> None:
        """If the last connection has ended, one that waits opens another."""
        if self._waiting and not self._links and not self._opening and not self._is_closed:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            opened = Deferred.fromCoroutine(self._open())
            opened.addBoth(self._give, waiter).addCallback(lambda _: self._go_on())

    def _give(self, opened: Link | Failure, waiter: Deferred[Link]) -> None:
        """Give a connection to the one that has waited for it; to others if that was cancelled."""
        if not waiter.called:
            waiter.callback(opened)
        elif isinstance(opened, Link):
            self._release(opened)


@contextmanager
def _translated(otherwise: type[MailError] | None = None) -> Iterator[None]:
    """`translated`, but a lost connection stays what it is, so that the work can be done again."""
    try:
        with translated(otherwise=otherwise):
            yield
    except Unavailable as error:
        if isinstance(error.__cause__, ConnectionLost):
            raise error.__cause__ from None
        raise


_ABSENT = object()


def _without(result: T, timer: IDelayedCall) -> T:
    if timer.active():
        timer.cancel()
    return result


def _nothing(_: object) -> None:
    """The connection's end is noticed elsewhere."""
