"""What a server says without being asked: the state of the mailbox, and events for the application."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet.defer import Deferred

from mailproto._logger import PackageLogger
from mailproto.client.errors import ClientError
from mailproto.imap.client._answer_data import list_entry, mailbox_name, set_of, status_of, values_of
from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._known_server import KnownServer
from mailproto.imap.client._mailbox_values import (
    Alert,
    Exists,
    Expunged,
    FlagsChanged,
    IMAPEvent,
    MailboxListed,
    MetadataChanged,
    Missed,
    StatusChanged,
    Vanished,
)
from mailproto.imap.wire._answers import Data, StatusResponse
from mailproto.imap.wire._values import octets_of, text_of

__all__ = ["Events", "Unasked"]


class Unasked:
    """Takes the data that no command asked for.

    :ivar listeners: called with each event.
    """

    log = PackageLogger()

    def __init__(self, session: KnownServer) -> None:
        self._session = session
        self.listeners: list[Callable[[IMAPEvent], object]] = []
        self.when_grown: Callable[[], None] = (
            _nothing  # called when there are messages whose UIDs are not known
        )
        self.streams: WeakSet[Events] = WeakSet()  # one that nobody has any more is closed
        # A loop that waits is held only by what it waits for: the collector would take both.
        self.awaited: set[Events] = set()

    def data(self, data: Data, uid: int | None) -> None:
        """Take a response.  Before the client has signed in, it means nothing, and may be an attacker's."""
        read = _READERS.get(data.name)
        if data.name == "CAPABILITY":
            self._session.learn(data.text)
        elif data.name == "ENABLED":
            self._session.enabled.update(data.text.decode("ascii", "replace").upper().split())
        elif read is not None and self._session.is_signed_in:
            event = read(self._session, data, uid)
            if event is not None:
                self.tell(event)
                if isinstance(event, Exists):
                    self.when_grown()

    def status(self, event: StatusResponse) -> None:
        """Take an untagged OK, NO or BAD."""
        if event.code == "ALERT" and self._session.is_signed_in:
            self.tell(Alert(event.text))

    def tell(self, event: IMAPEvent) -> None:
        """Pass an event to all who listen."""
        for stream in list(self.streams):
            stream.add(event)
        for listener in list(self.listeners):
            try:
                listener(event)
            except Exception:
                self.log.failure("a listener raised an exception")

    def end(self, error: ClientError) -> None:
        """The connection has ended."""
        for stream in list(self.streams):
            stream.end(error)


def _exists(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    view, count = session.view, data.number
    if view is None or count is None or not view.grow(count):
        return None
    return Exists(count)


def _expunge(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    view, number = session.view, data.number
    if view is None or not number:
        return None
    return Expunged(view.expunge(number), number)


def _vanished(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    words = data.text.split()
    gone = set_of(words[-1] if words else None)
    if not gone:
        return None
    if session.view is not None and len(words) == 1:  # without (EARLIER)
        session.view.vanish(gone)
    return Vanished(gone)


def _fetch(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    if session.view is None or not data.number:
        return None
    message = FetchedMessage(uid or 0, data, session.limits)
    if "FLAGS" not in message.items:
        return None
    return FlagsChanged(uid, data.number, message.flags, message.modseq)


def _status(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    found = status_of(data, session.limits, utf8=session.utf8)
    return None if found is None else StatusChanged(*found)


def _list(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    found = list_entry(data, session.limits, utf8=session.utf8)
    return None if found is None else MailboxListed(found)


def _metadata(session: KnownServer, data: Data, uid: int | None) -> IMAPEvent | None:
    values = values_of(data, session.limits)
    if not values:
        return None
    entries = tuple(text_of(each) for each in values[1:] if not isinstance(each, list))
    return MetadataChanged(mailbox_name(octets_of(values[0]) or b"", utf8=session.utf8), entries)


_READERS: dict[str, Callable[[Any, Data, int | None], IMAPEvent | None]] = {
    "EXISTS": _exists,
    "EXPUNGE": _expunge,
    "VANISHED": _vanished,
    "FETCH": _fetch,
    "STATUS": _status,
    "LIST": _list,
    "METADATA": _metadata,
}


def _nothing() -> None:
    """Used if nobody wants to know."""


class Events:
    """Events that wait for the application: an asynchronous iterator.

    :param closed: called when nobody listens any more.
    :param awaited: has this stream while somebody waits for an event.
    """

    def __init__(self, most: int, closed: Callable[[Events], None], awaited: set[Events]) -> None:
        self._most = most
        self._awaited = awaited
        self._closed = closed
        self._events: deque[IMAPEvent] = deque()
        self._missed = 0
        self._waiter: Deferred[None] | None = None
        self._error: ClientError | None = None
        self._is_over = False

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> IMAPEvent:
        while True:
            if self._missed:
                missed, self._missed = self._missed, 0
                return Missed(missed)
            if self._events:
                return self._events.popleft()
            if self._is_over:
                if self._error is None:
                    raise StopAsyncIteration
                raise self._error
            if self._waiter is None:
                self._waiter = Deferred(self._cancelled)
                self._awaited.add(self)
            await self._waiter

    async def __aenter__(self) -> Events:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def aclose(self) -> None:
        """Listen no more."""
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self.end(None)

    def __del__(self) -> None:
        self.end(None)

    def add(self, event: IMAPEvent) -> None:
        """Add an event; if there are too many, the oldest is left out."""
        if len(self._events) >= self._most:
            self._events.popleft()
            self._missed += 1
        self._events.append(event)
        self._wake()

    def end(self, error: ClientError | None) -> None:
        """There are no more events."""
        if self._is_over:
            return
        self._is_over, self._error = True, error
        self._closed(self)
        self._wake()

    def _cancelled(self, _: object) -> None:
        self._waiter = None
        self._awaited.discard(self)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        self._awaited.discard(self)
        if waiter is not None:
            waiter.callback(None)
