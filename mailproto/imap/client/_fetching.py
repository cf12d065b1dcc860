"""FETCH: messages as they come, no faster than the application takes them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto._arguments import wrong_type, wrong_value
from mailproto.client.errors import ClientError
from mailproto.content import Content
from mailproto.imap.client._command import BodyWriter, Collector, Command
from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._message_limit import last_done, part_below
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.client._spooling import LargeLiteral, Spill
from mailproto.imap.client._uid_set import UidSet, set_texts
from mailproto.imap.wire._answers import BodyBegins, Data, Fetches, StatusResponse

__all__ = ["FetchIntoSink", "Fetched", "Fetching", "Sink", "Texts", "fetch_items"]

_ITEM = re.compile(
    r"[A-Za-z0-9.\-]+(?:\[[ !-Z\\^-z|}~]*\])?(?:<[0-9]+\.[0-9]+>)?(?: ?\([A-Za-z0-9 =.\-]*\))?"
)
_ONLY_FLAGS = ("FLAGS", "UID", "MODSEQ")


Texts: TypeAlias = Sequence[tuple[str, UidSet | None]]


class Sink(Protocol):
    """Takes octets: a file that is open for writing, or the like."""

    def write(self, octets: bytes, /) -> object:
        """Take some octets."""


def fetch_items(items: Iterable[str]) -> tuple[list[str], tuple[bytes, ...]]:
    """Check the items of FETCH.

    :returns: them, and what shows that a response has been asked for; nothing if only flags are.
    :raises TypeError, ValueError: something is no item.
    """
    checked, marks = [], []
    for item in items:
        if not isinstance(item, str):
            raise wrong_type("each of items", item, "a str such as 'FLAGS' or 'BODY.PEEK[]'")
        if not _ITEM.fullmatch(item):
            raise wrong_value("item", item, "a FETCH item such as 'FLAGS' or 'BODY.PEEK[]'")
        checked.append(item)
        name, bracket, _ = item.upper().partition("[")
        name = name.partition(" ")[0]
        if name not in _ONLY_FLAGS:
            # Some servers answer with the name that was asked for.
            plain = name.removesuffix(".PEEK") + bracket
            marks += [plain.encode("ascii"), (name + bracket).encode("ascii")]
    return checked, tuple(dict.fromkeys(marks))


class Fetching(Collector):
    """One FETCH, in as many commands as it needs.

    :param texts: the sets, as `set_texts` gives them, perhaps later.
    :param rest: the command's text after the set.
    :param marks: see `fetch_items`.
    :ivar ready: messages that the application may have at once.
    :ivar vanished: UIDs that are gone (QRESYNC).
    """

    def __init__(
        self,
        session: IMAPSession,
        texts: Texts | Deferred[Texts],
        rest: bytes,
        marks: tuple[bytes, ...],
        *,
        vanished: bool = False,
    ) -> None:
        self._session = session
        self._texts: deque[tuple[str, UidSet | None]] = deque()
        self._rest = rest
        self._marks = marks
        self._names = ("FETCH", "VANISHED") if vanished else ("FETCH",)
        self._known: UidSet | None = None
        self._limited: bytes | None = None  # what the server says of its limit
        self._last_done: int | None = None  # the lowest UID before that limit
        self.ready: deque[FetchedMessage] = deque()
        self._queue: deque[tuple[list[FetchedMessage], int, int]] = deque()  # octets in all, and in memory
        self._octets = self._memory = 0
        self._spill = Spill()
        self._waiter: Deferred[None] | None = None
        self._error: Exception | None = None
        self._is_over = False
        self.is_given_up = False
        self.vanished = UidSet()
        if isinstance(texts, Deferred):
            texts.addCallback(self._begin).addErrback(self._failed)
        else:
            self._begin(texts)

    def _begin(self, texts: Texts) -> None:
        self._texts.extend(texts)
        self._next()

    def _next(self) -> None:
        """Send the next command."""
        if not self._texts or self.is_given_up:
            self._end(None)
            return
        text, self._known = self._texts.popleft()
        command = Command(
            "UID FETCH",
            [b"UID FETCH %b %b" % (text.encode("ascii"), self._rest)],
            self,
            self._names,
            uids=self._known,
        )
        self._session.command(command).addCallbacks(self._answered, self._failed, (text,))

    def _answered(self, ending: StatusResponse, text: str) -> None:
        """Go on with the messages that were too many for the server, and with the next ones."""
        self.note(ending)
        arguments, self._limited = self._limited, None
        self._last_done = last_done(arguments, self._last_done)
        if self._last_done is not None:
            self._texts.extendleft(set_texts(part_below(text, self._known, self._last_done)))
        self._next()

    def note(self, status: StatusResponse) -> None:
        """The server may say that it does no more messages at once."""
        if status.code == "MESSAGELIMIT":
            self._limited = status.arguments

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self._end(error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _end(self, error: Exception | None) -> None:
        if self._error is None:
            self._error = error
        self._is_over = True
        self._spill.close()
        self._wake()

    # -- for the session

    def take(self, data: Data, uid: int | None) -> bool:
        """Take a message, if this is one that was asked for."""
        if data.name == "VANISHED":
            return self._take_vanished(data)
        if uid is None or (self._known is not None and uid not in self._known):
            return False
        text = data.text
        if not self._is_asked_for(text):
            return False
        if self.is_given_up:
            return True
        limits = self._session.limits
        octets = memory = len(text) + 500
        for literal in data.literals:
            if literal is not None:
                octets += len(literal)
                if isinstance(literal, bytes):
                    memory += len(literal)
        if self._octets > limits.ahead and self._session.others_wait:
            try:
                memory -= self._spill.move(data.literals)
            except Exception as error:  # such as a full disk
                self.give_up(error)
                return True
        self._add([FetchedMessage(uid, data, limits)], octets, memory)
        return True

    def take_some(self, fetches: Fetches, start: int) -> int:
        """Take those that were asked for; none if something must be done with each."""
        session = self._session
        if self.is_given_up or session.others_wait:
            return 0
        known, limits = self._known, session.limits
        low, high = (1, 0) if known is not None else (0, 1 << 32)  # a range that has the UIDs of some
        mark = self._marks[0] if self._marks else b""
        taken: list[FetchedMessage] = []
        answers, uids = fetches.answers, fetches.uids
        if start:
            answers, uids = answers[start:], uids[start:]
        for data, uid in zip(answers, uids, strict=True):
            if not low <= uid <= high:
                found = None if known is None else known.range_of(uid)
                if found is None:
                    break
                low, high = found
            text = data.text
            if mark not in text and not self._is_asked_for(text):
                break
            taken.append(FetchedMessage(uid, data, limits))
        if taken:
            octets = fetches.octets * len(taken) // len(fetches.uids) + 500 * len(taken)
            self._add(taken, octets, octets)
        return len(taken)

    def _is_asked_for(self, text: bytes) -> bool:
        """Whether a response has what was asked for, or only flags that have changed."""
        if not self._marks:
            return True
        for mark in self._marks:
            if mark in text:
                return True
        upper = text.upper()  # perhaps in lower case
        return any(mark in upper for mark in self._marks)

    def _add(self, messages: list[FetchedMessage], octets: int, memory: int) -> None:
        self._queue.append((messages, octets, memory))
        self._octets += octets
        self._memory += memory
        if self._waiter is not None:
            self._wake()
        if self._octets > self._session.limits.ahead:
            self._hold()

    def _take_vanished(self, data: Data) -> bool:
        words = data.text.split()
        if len(words) != 2:
            return False
        gone = UidSet.read(words[1])
        if gone is not None:
            self.vanished |= gone
        return True

    def _hold(self) -> None:
        session, limits = self._session, self._session.limits
        if not session.others_wait:
            session.connection.hold()
        elif self._memory > limits.ahead_of_others or self._octets > limits.spooled:
            self.give_up(
                ClientError(
                    f"{self._octets} octets of FETCH wait to be taken, while another command waits for its"
                    " answer: take them first"
                )
            )

    def body(self, begins: BodyBegins, uid: int | None) -> BodyWriter | None:
        """A file for a large literal."""
        return None if self.is_given_up else LargeLiteral(self.give_up)

    def give_up(self, error: Exception) -> None:
        """Nothing more is taken."""
        self.drop()
        self._end(error)

    # -- for the application

    def drop(self) -> None:
        """Nobody takes the messages any more."""
        self.is_given_up = True
        self._queue.clear()
        self.ready.clear()
        self._octets = self._memory = 0
        self._spill.close()
        self._session.connection.go_on()

    async def more(self) -> bool:
        """Wait until some messages are `ready`; False if there are no more."""
        while not self._queue:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return False
            if self._waiter is None:
                self._waiter = Deferred(self._cancelled)
            await self._waiter
        messages, octets, memory = self._queue.popleft()
        self.ready.extend(messages)
        before = self._octets
        self._octets -= octets
        self._memory -= memory
        room = self._session.limits.ahead // 2
        if before >= room > self._octets or not self._queue:
            self._session.connection.go_on()
        return True

    def _cancelled(self, _: object) -> None:
        self._waiter = None

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)


class Fetched:
    """Messages as they come: an asynchronous iterator of `FetchedMessage`.

    If nobody takes them, the client reads no more from the server.  Inside the loop, other commands may be
    awaited; what comes before their answers is kept.  Leaving the loop gives up the rest.

    :ivar vanished: after the loop, UIDs that are gone, if they were asked for.
    """

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching

    async def __aiter__(self) -> AsyncIterator[FetchedMessage]:
        fetching = self._fetching
        ready = fetching.ready
        while ready or await fetching.more():
            while ready:
                yield ready.popleft()

    def __anext__(self) -> Awaitable[FetchedMessage]:
        return self._next()

    async def _next(self) -> FetchedMessage:
        fetching = self._fetching
        while not fetching.ready:
            if not await fetching.more():
                raise StopAsyncIteration
        return fetching.ready.popleft()

    def __del__(self) -> None:
        self._fetching.drop()

    async def aclose(self) -> None:
        """Give up the rest."""
        self._fetching.drop()

    @property
    def vanished(self) -> UidSet:
        """UIDs that are gone, if they were asked for; complete after the last message."""
        return self._fetching.vanished

    async def all(self) -> list[FetchedMessage]:
        """All messages, in a list."""
        return [message async for message in self]


class FetchIntoSink(Collector):
    """Writes one section of one message to a sink.

    :ivar octets: how many were written; None if there is no such section.
    :ivar error: that the sink has raised.
    """

    def __init__(self, uid: int, section: str, sink: Sink, session: IMAPSession) -> None:
        self._uid = uid
        self._section = section.upper()
        self._sink = sink
        self._session = session
        self.octets: int | None = None
        self.error: Exception | None = None

    def take(self, data: Data, uid: int | None) -> bool:
        """Take the response; large sections have been written by then."""
        if uid != self._uid or b"BODY" not in data.text.upper():
            return False
        content = FetchedMessage(uid, data, self._session.limits).sections.get(self._section)
        if content is not None and content is not _WRITTEN and self.octets is None:
            self.octets = 0
            for piece in content.chunks():
                self.write(piece)
        return True

    def body(self, begins: BodyBegins, uid: int | None) -> BodyWriter | None:
        """This object itself; a UID that comes later is believed to be right."""
        if self.octets is not None or (uid is not None and uid != self._uid):
            return None
        self.octets = 0
        return self

    def write(self, octets: bytes) -> None:
        """Write some octets."""
        if self.error is not None:
            return
        try:
            self._sink.write(octets)
        except Exception as error:
            self.error = error
        else:
            self.octets = (self.octets or 0) + len(octets)

    def end(self) -> Content:
        """Stands for what was written."""
        return _WRITTEN


_WRITTEN = Content(b"")
