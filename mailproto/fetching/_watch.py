"""`watch`: the new messages of an IMAP mailbox, as they come, for as long as the program runs."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Self

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_call
from mailproto._in_thread import in_thread
from mailproto._twisted_arguments import check_clock
from mailproto.client import Credentials, MailboxURL
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ClientError,
    CommandRefused,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.fetching._fetch_new import source_name
from mailproto.fetching._watch_state import Place, WatchState, print_of
from mailproto.imap import IMAPClient
from mailproto.imap.values import Events, Exists, FetchedMessage, Missed, SelectedMailbox, UidSet
from mailproto.typing import Reactor, ReactorTime

__all__ = ["Watch", "watch"]

AT_ONCE: Final = 16
"""Messages that are fetched together."""

FIRST_PAUSE: Final = 1.0
"""Seconds until the first attempt to connect again; each pause is twice the one before it."""

LONGEST_PAUSE: Final = 300.0
"""Seconds of the longest of these pauses."""

_PRINTED: Final = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]"
_HOPELESS: Final = (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    TLSFailed,
    TLSUnavailable,
)


def watch(
    reactor: Reactor,
    url: MailboxURL | str,
    credentials: Credentials,
    state: str | os.PathLike[str],
    *,
    existing: bool = False,
    plain: bool = False,
    trust_root: str | os.PathLike[str] | None = None,
    problem: Callable[[ClientError, float], object] | None = None,
) -> Watch:
    """The new messages of an IMAP mailbox, as they come: an asynchronous iterator without an end::

        async with watch(reactor, "imaps://bob@mail.example", credentials, "bob.watch") as messages:
            async for message in messages:
                print(message.uid, message.content.message()["Subject"])

    It connects again when the connection is lost, as often as needed, and goes on where it was.  After a new
    start of the program, too: a message counts as taken when the loop asks for the next one, so that one
    whose loop was not finished is given again.  If the server numbers the messages anew (UIDVALIDITY), those
    that were taken are known by their Message-ID, Date, From and Subject.  Messages are not marked as seen.

    :param reactor: Twisted's reactor.
    :param url: such as ``imaps://bob@mail.example/Lists``.
    :param credentials: a `mailproto.auth.Password`, `Token` or `Certificate`, or a function that returns one.
    :param state: a file of this mailbox; it is made if it is missing.
    :param existing: True to begin, at the first start, with the messages that are there already.
    :param plain: True for no TLS: the password goes in clear.
    :param trust_root: a file of CA certificates in PEM form, instead of the platform's.
    :param problem: called when the connection is lost or cannot be made: with the error, and the seconds
        until the next attempt.
    :returns: an iterator of `mailproto.imap.values.FetchedMessage`, with ``uid``, ``content``, ``flags`` and
        ``internal_date``.  It raises `mailproto.errors.StoreUnusable` if the state file cannot be used, and a
        `mailproto.client.errors.ClientError` if the first connection shows that another would not help: the
        server refuses the password, has no TLS, or has no such mailbox.
    :raises TypeError, ValueError: an argument is none of these.
    """
    check_clock("reactor", reactor)
    url = url if isinstance(url, MailboxURL) else MailboxURL.parse(url)
    if url.is_pop3:
        raise ValueError("url must be that of an IMAP mailbox: a POP3 server cannot be watched")
    check_bool("existing", existing)
    if problem is not None:
        check_call("problem", problem, "a function that takes an error and seconds, or None", 2)
    url.address(None, plain=plain)  # which checks it
    memory = WatchState(state, source_name(url))

    async def connect() -> IMAPClient:
        return await url.open(IMAPClient, reactor, credentials, plain=plain, trust_root=trust_root)

    return Watch(reactor, connect, url.mailbox, memory, existing=existing, problem=problem)


class Watch(AsyncIterator[FetchedMessage]):
    """What `watch` returns: iterate over it, in ``async with``."""

    def __init__(
        self,
        reactor: ReactorTime,
        connect: Callable[[], Awaitable[IMAPClient]],
        mailbox: str,
        state: WatchState,
        *,
        existing: bool,
        problem: Callable[[ClientError, float], object] | None = None,
    ) -> None:
        self._reactor = reactor
        self._connect = connect
        self._mailbox = mailbox
        self._state = state
        self._existing = existing
        self._problem = problem
        self._is_open = self._was_connected = self._is_over = False
        self._waiting: Deferred[None] | None = None
        self._client: IMAPClient | None = None
        self._events: Events | None = None
        self._news = True  # whether there may be messages that have not been looked for
        self._ready: deque[FetchedMessage] = deque()
        self._gone: dict[int, list[int]] = {}  # what is gone just before a ready one, and is taken with it
        self._given: FetchedMessage | None = None
        self._pause = FIRST_PAUSE

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and the state file, and end a loop that waits.

        The message that was given last counts as not taken.
        """
        self._is_over = True
        self._disconnect()
        if self._waiting is not None:
            self._waiting.cancel()
        self._ready.clear()
        self._gone.clear()
        self._given = None
        if self._is_open:
            self._is_open = False
            await in_thread(self._reactor, self._state.close)

    def __del__(self) -> None:
        self._disconnect()

    async def __anext__(self) -> FetchedMessage:
        try:
            return await self._next()
        except Exception:
            if self._is_over:
                raise StopAsyncIteration from None
            raise

    async def _next(self) -> FetchedMessage:
        if self._is_over:
            raise StopAsyncIteration
        if not self._is_open:
            await in_thread(self._reactor, self._state.open)
            self._is_open = True
        if self._given is not None:
            await self._take(self._given)
            self._given = None
        while not self._ready:
            try:
                await self._look()
            except ClientError as error:
                self._disconnect()
                if self._is_over:
                    raise
                if isinstance(error, _HOPELESS) and self._is_hopeless(error):
                    raise
                await self._wait(error)
        self._given = self._ready.popleft()
        return self._given

    def _is_hopeless(self, error: ClientError) -> bool:
        """Whether another connection would not help."""
        if isinstance(error, AuthenticationRefused):
            return error.is_permanent
        return not self._was_connected

    async def _wait(self, error: ClientError) -> None:
        """Wait before the next attempt."""
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311  (so that not all programs come together)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if self._problem is not None:
            self._problem(error, pause)
        self._waiting = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(pause, self._waiting.callback, None)
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        events, self._events = self._events, None
        if events is not None:
            events.close()
        if client is not None:
            client.abort()

    # -- with a connection

    async def _look(self) -> None:
        """Wait for new messages, and fetch some."""
        client = self._client
        if client is None or not client.is_usable:
            self._disconnect()
            client = self._client = await self._connect()
            await self._begin(client, await client.select(self._mailbox, read_only=True))
            self._events = client.idle()
            self._news = self._was_connected = True
        if not self._news:
            await self._news_of(self._events)
        self._news = False
        uids = await self._new(client)
        self._pause = FIRST_PAUSE
        if uids:
            self._news = True  # there may be more
            await self._fetch(client, uids[:AT_ONCE])

    async def _news_of(self, events: Any) -> None:
        """Wait until there are more messages than before."""
        async for event in events:
            if isinstance(event, Exists | Missed):
                return

    async def _new(self, client: IMAPClient) -> list[int]:
        """The UIDs of all messages that are new."""
        place = await in_thread(self._reactor, self._state.place)
        if place is None:
            return []
        found = await client.search(f"UID {place.next}:*")
        # "*" is the last message, even if its UID is less.
        return [*place.pending, *(uid for uid in found.uids if uid >= place.next)]

    async def _fetch(self, client: IMAPClient, uids: Sequence[int]) -> None:
        """Fetch messages; those that are gone need not be given."""
        found: dict[int, FetchedMessage] = {}
        async for message in client.fetch(UidSet(uids), "FLAGS", "INTERNALDATE", "BODY.PEEK[]", _PRINTED):
            if message.content is not None:
                found[message.uid] = message
        gone: list[int] = []
        for uid in uids:
            if uid not in found:
                gone.append(uid)
                continue
            self._gone[uid], gone = gone, []
            self._ready.append(found[uid])
        if not found:
            await in_thread(self._reactor, self._state.take, gone)

    async def _take(self, message: FetchedMessage) -> None:
        uids = [*self._gone.pop(message.uid, ()), message.uid]
        printed = print_of(message.header)
        await in_thread(self._reactor, self._state.take, uids, [] if printed is None else [printed])

    # -- at the beginning of a connection

    async def _begin(self, client: IMAPClient, selected: SelectedMailbox) -> None:
        """Find out what the UIDs mean."""
        place = await in_thread(self._reactor, self._state.place)
        if place is not None and place.validity == selected.uid_validity != 0:  # 0: not told
            return
        if place is None and self._existing:
            await in_thread(self._reactor, self._state.begin, Place(selected.uid_validity, 1), [])
            return
        prints: dict[int, bytes | None] = {}
        if selected.exists:
            async for message in client.fetch("1:*", _PRINTED):
                prints[message.uid] = print_of(message.header)
        next = selected.uid_next or max(prints, default=0) + 1
        prints = {uid: print for uid, print in prints.items() if uid < next}
        if place is not None:
            await in_thread(self._reactor, self._state.renumber, selected.uid_validity, next, prints)
        else:
            known = [print for print in prints.values() if print is not None]
            await in_thread(self._reactor, self._state.begin, Place(selected.uid_validity, next), known)
