"""What is said to a server, one thing after another, and who is told of the answers and of the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailproto.client._connection import ClientConnection
from mailproto.client._errors import (
    ClientError,
    ConnectionLost,
    ProtocolViolation,
    ServerTimeout,
    TLSFailed,
)
from mailproto.client._timeouts import ClientTimeouts
from mailproto.client._turns import CoroutineTurn, Turn
from mailproto.connection import Wire
from mailproto.errors import WireError
from mailproto.tls import is_verified

__all__ = ["GREETING", "ClientSession"]

EventT = TypeVar("EventT")
T = TypeVar("T")

GREETING = "a new connection"
"""What the server's first words answer."""


class ClientSession(ABC, Generic[EventT]):
    """The order in which things are said over one connection.

    What is asked for waits for its turn (`run`).  Inside a turn `exchange` sends a line and gives the
    answer, or `ask` and `write` do the same without a `Deferred`.  Whatever ends the connection is
    the error of all who wait (`fail`); afterwards it is the error of all who ask for something.

    A protocol says what its greeting and its answers may be: `greeting_fault`, `answer_fault`, and
    `unexpected`.

    :param clock: the reactor.
    :param is_remote: whether the other end is to count as another machine even if it is on this one.

    :ivar connection: the Twisted protocol below, which an endpoint connects.
    :ivar greeting: the server's first words, None before they came.
    :ivar error: why nothing can be said any more; None while something can.
    """

    speaks_unasked: ClassVar[bool] = False
    """Whether the server may speak before it is asked (IMAP's untagged responses)."""

    def __init__(
        self,
        clock: IReactorTime,
        wire: Wire[EventT],
        timeouts: ClientTimeouts,
        *,
        is_remote: bool = False,
    ) -> None:
        self.clock = clock
        self.connection = ClientConnection(clock, wire, self, handshake=timeouts.handshake)
        self.write = self.connection.write
        self._expected = self.connection.expected
        self.greeting: EventT | None = None
        self.error: ClientError | None = None
        self._timeouts = timeouts
        self._is_remote = is_remote
        self._turns: deque[Turn] = deque()
        self._active: object | None = None  # what has something to say now
        self._is_advancing = False
        self._is_ahead = False  # the server has answered what was not said yet
        self._answers: deque[Deferred[Any]] = deque()  # that `exchange` waits for
        self._greeted: Deferred[EventT] | None = None
        self._secured: Deferred[None] | None = None
        self._closed: list[Deferred[None]] = []

    # -- what a protocol says of itself

    @abstractmethod
    def greeting_fault(self, event: EventT) -> ClientError | None:
        """Why the server's first words are no welcome; None if they are."""

    def answer_fault(self, question: str, event: EventT) -> ClientError | None:
        """Why ``event`` cannot answer ``question``; None if it can."""
        return None

    def unexpected(self, event: EventT) -> None:
        """The server said something that nothing waits for; by default that ends the connection."""
        self.fail(ProtocolViolation(f"The server said {event} before it was asked"))

    def turned_away(self) -> None:
        """The greeting was no welcome, and those who wait were told: end the connection."""
        self.close_in_time()

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether ``turn`` may begin though the server owes answers (pipelining)."""
        return False

    def begin(self, turn: Turn) -> bool:
        """Begin a turn that is no dialogue; False to have it wait on, before all others."""
        raise NotImplementedError

    def interrupted(self, error: ClientError) -> None:
        """The connection ends: tell the turns that have begun, but for dialogues."""

    # -- what may be asked for

    @property
    def is_usable(self) -> bool:
        """Whether something can still be said."""
        return self.error is None and self.connection.is_open

    @property
    def is_awaiting(self) -> bool:
        """Whether the server owes an answer."""
        return bool(self._expected)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked of the server, or about to be."""
        return self._active is None and not self._turns and not self.is_awaiting

    @property
    def is_verified(self) -> bool:
        """Whether TLS is on, with a certificate that is good and for the server's name."""
        return is_verified(self.connection.transport)

    def run(self, dialogue: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Run a coroutine when everything before it is answered; nothing else is said meanwhile.

        :returns: its result; or the error that ended the connection before its turn.
        """
        turn = CoroutineTurn(dialogue, self.turn_done)
        return turn.result if self.enqueue(turn) else fail(self.error)

    def enqueue(self, turn: Turn) -> bool:
        """Have ``turn`` wait until it may begin; False if nothing can be said any more."""
        if self.error is not None:
            return False
        self._turns.append(turn)
        self.advance()
        return True

    def greeted(self) -> Deferred[EventT]:
        """Wait for the server's first words.

        :raises ClientError: they were no welcome, or there was none; the connection is closed.
        """
        if self.error is not None:
            return fail(self.error)
        if self.greeting is not None:
            return succeed(self.greeting)
        if self._greeted is None:
            self._greeted = Deferred()
        return self._greeted

    def closed(self) -> Deferred[None]:
        """Wait for the connection's end."""
        waiter: Deferred[None] = Deferred()
        if self.connection.is_connected:
            self._closed.append(waiter)
        else:
            waiter.callback(None)
        return waiter

    # -- inside a turn

    def ask(self, question: str, answer: Callable[[EventT], None], timeout: float) -> None:
        """Have ``answer`` called with what answers ``question``, after the answers that others wait for.

        An event that cannot be an answer ends the connection, and so does one that was here before.
        """
        connection = self.connection
        if not self._expected and connection.wire.pending and not self.speaks_unasked:
            self._is_ahead = True
        connection.expect(question, answer, timeout)

    def exchange(self, question: str, line: bytes, timeout: float | None = None) -> Deferred[EventT]:
        """Send a line and wait for its answer, yes or no.

        :param question: what is said, in a word, for `answer_fault` and the texts of errors.
        :param timeout: seconds; by default ``ClientTimeouts.command``.
        """
        if self.error is not None:
            return fail(self.error)
        answer: Deferred[EventT] = Deferred()
        self._answers.append(answer)
        self.ask(question, self._answered, self._timeouts.command if timeout is None else timeout)
        self.write(line)
        return answer

    def exchange_many(
        self, said: Sequence[tuple[str, bytes]], timeout: float | None = None
    ) -> Deferred[list[EventT]]:
        """Send several lines at once (pipelining) and wait for the answers to all of them.

        :param said: as for `exchange`; one at least.
        """
        if self.error is not None:
            return fail(self.error)
        done, answered = self._wait_for(len(said))
        for question, _ in said:
            self.ask(question, answered, self._timeouts.command if timeout is None else timeout)
        self.write(b"".join(line for _, line in said))
        return done

    def stream(
        self, question: str, pieces: Iterator[bytes], timeout: float, *, block: float, answers: int = 1
    ) -> Deferred[list[EventT]]:
        """Send what may be long, no faster than the server reads, and wait for the answers to it.

        What ``pieces`` raises ends the connection: only that tells the server that it is not all.

        :param timeout: seconds for each answer.
        :param block: seconds that the server may let us wait in between.
        :param answers: how many there are: one at least.
        """
        if self.error is not None:
            return fail(self.error)
        done, answered = self._wait_for(answers)

        def sent(error: Exception | None) -> None:
            if error is None:
                for _ in range(answers):
                    self.ask(question, answered, timeout)
            else:
                self.fail(ConnectionLost(f"What was to be sent cannot be read: {error}"))

        self.connection.stream(pieces, sent, block)
        return done

    def _wait_for(self, answers: int) -> tuple[Deferred[list[EventT]], Callable[[EventT], None]]:
        """What fires with so many answers, and what is to be called with each."""
        heard: list[EventT] = []
        done: Deferred[list[EventT]] = Deferred()
        self._answers.append(done)

        def answered(event: EventT) -> None:
            heard.append(event)
            if len(heard) == answers:
                self._answered(heard)

        return done, answered

    def _answered(self, event: object) -> None:
        if self._answers:
            self._answers.popleft().callback(event)

    async def start_tls(self, tls: Any) -> None:
        """Begin TLS, after the server's go-ahead.

        :raises ProtocolViolation: something came along with the go-ahead.
        :raises TLSFailed: there is no TLS, or the certificate is not good; the connection is over.
        """
        if self.connection.wire.pending:
            # A machine between us and the server put it there, to be taken for what comes
            # from within TLS (RFC 3207 6, CVE-2011-0411).
            raise self.fail(ProtocolViolation("Plaintext after the go-ahead for TLS"))
        secured = self._secured = Deferred()
        self.connection.start_tls(tls, self._timeouts.handshake)
        await secured

    def leave(self) -> None:
        """Close, and tell all who wait."""
        self.close_in_time()
        self.tell(ConnectionLost("Closed"))

    def close_in_time(self) -> None:
        """Close; a server that does not close its side of TLS in time is left alone."""
        self.connection.close()
        timer = self.clock.callLater(self._timeouts.quit, self.connection.abort)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        self.closed().addCallback(cancel)

    # -- what may begin

    def turn_done(self) -> None:
        """The active turn has said everything: the next one may begin."""
        self._active = None
        self.advance()

    def advance(self) -> None:
        """Begin what can begin."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            while self._may_begin():
                turn = self._turns.popleft()
                if isinstance(turn, CoroutineTurn):
                    self._active = turn
                    turn.begin()
                elif not self.begin(turn):
                    self._turns.appendleft(turn)
                    break
        finally:
            self._is_advancing = False

    def _may_begin(self) -> bool:
        """Nothing else has something to say, and the server does not owe us what we must know first."""
        return (
            bool(self._turns)
            and self._active is None
            and self.greeting is not None
            and self.is_usable
            and (not self._expected or self.may_begin_now(self._turns[0]))
        )

    # -- what the connection says

    def opened(self) -> None:
        """Wait for the greeting."""
        if self._is_remote:
            self.connection.is_local = False
        self.ask(GREETING, self._on_greeting, self._timeouts.greeting)

    def _on_greeting(self, event: EventT) -> None:
        self.greeting = event
        error = self.greeting_fault(event)
        if error is not None:
            self.tell(error)
            self.turned_away()
            return
        greeted, self._greeted = self._greeted, None
        if greeted is not None:
            greeted.callback(event)
        self.advance()

    def received(self, event: EventT) -> None:
        """Give what the server said to who waits for it."""
        if self._is_ahead or not self._expected:
            self.unexpected(event)
            return
        question, answer, _ = self._expected.popleft()
        fault = self.answer_fault(question, event)
        if fault is None:
            answer(event)
        else:
            self.fail(fault)

    def broken(self, error: WireError) -> None:
        """What the server says is not the protocol."""
        self.fail(ProtocolViolation(str(error)))

    def secured(self) -> None:
        """TLS is on: go on inside it."""
        if self._secured is not None:
            waiter, self._secured = self._secured, None
            waiter.callback(None)

    def timed_out(self) -> None:
        """The server has been silent for too long."""
        if self.connection.is_handshaking:
            self.fail(TLSFailed("TLS failed: timed out"))
            return
        why = f"no answer to {self._expected[0][0]}" if self._expected else "the server reads no more"
        self.fail(ServerTimeout(f"Timed out: {why}"))

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        text = reason.getErrorMessage()
        try:
            if self.connection.is_handshaking:
                self.fail(TLSFailed(f"TLS failed: {text}"))
            else:
                self.fail(ConnectionLost(f"Connection lost: {text}"))
        finally:  # a pool counts on it
            closed, self._closed = self._closed, []
            for waiter in closed:
                waiter.callback(None)

    # -- the end

    def fail(self, error: ClientError) -> ClientError:
        """End the connection, and tell all who wait.  :returns: ``error``."""
        if self.error is None:
            self.tell(error)
        self.connection.abort()
        return error

    def tell(self, error: ClientError) -> None:
        """Nothing can be said any more: all who wait are told."""
        self.error = error
        turns = list(self._turns)
        self._turns.clear()
        self._active = None
        waiters: list[Deferred[Any] | None] = [self._greeted, *self._answers, self._secured]
        self._greeted = self._secured = None
        self._answers.clear()
        self.interrupted(error)
        for waiter in waiters:
            if waiter is not None:
                waiter.errback(error)
        for turn in turns:
            turn.fail(error)
