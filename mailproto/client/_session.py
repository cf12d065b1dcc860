"""The order of commands to a server, and the handling of its answers and of errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from mailproto.client._connection import ClientConnection
from mailproto.client._timeouts import ClientTimeouts
from mailproto.client._turns import CoroutineTurn, Turn
from mailproto.client.errors import (
    ClientError,
    ConnectionLost,
    ProtocolViolation,
    ServerTimeout,
    TLSFailed,
)
from mailproto.connection import Wire
from mailproto.errors import WireError
from mailproto.tls import is_verified
from mailproto.typing import ClientTLSContext, ReactorTime

__all__ = ["GREETING", "ClientSession"]

EventT = TypeVar("EventT")
T = TypeVar("T")

GREETING = "a new connection"
"""The question that the server's greeting answers."""


class ClientSession(ABC, Generic[EventT]):
    """The dialogue with a server over one connection.

    Requests wait for their turn (`run`).  Inside a turn, `exchange` sends a line and returns the answer;
    `ask` and `write` do the same without a `Deferred`.  When the connection ends, all waiting requests fail
    with the reason (`fail`), and so do later requests.

    A subclass decides which greetings and answers are valid: `greeting_fault`, `answer_fault`, and
    `unexpected`.

    :param clock: the reactor.
    :param is_remote: whether to treat the server as another machine, even if the transport's peer is on
        this one.

    :ivar connection: the Twisted protocol, which an endpoint connects.
    :ivar greeting: the server's greeting; None before it arrived.
    :ivar error: why no requests can be sent any more; None while they can.
    """

    speaks_unasked: ClassVar[bool] = False
    """Whether the server may send events that answer no command (IMAP's untagged responses)."""

    def __init__(
        self,
        clock: ReactorTime,
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
        self._active: object | None = None  # the current turn
        self._is_advancing = False
        self._is_ahead = False  # the server has sent an answer before the command
        self._answers: deque[Deferred[Any]] = deque()  # the answers that `exchange` waits for
        self._greeted: Deferred[EventT] | None = None
        self._secured: Deferred[None] | None = None
        self._closed: list[Deferred[None]] = []

    # -- provided by each protocol

    @abstractmethod
    def greeting_fault(self, event: EventT) -> ClientError | None:
        """The error if the greeting refuses the client; None if it does not."""

    def answer_fault(self, question: str, event: EventT) -> ClientError | None:
        """The error if ``event`` is no possible answer to ``question``; None if it is one."""
        return None

    def unexpected(self, event: EventT) -> None:
        """The server sent an event that no request waits for; by default this ends the connection."""
        self.fail(ProtocolViolation(f"The server said {event} before it was asked"))

    def turned_away(self) -> None:
        """The greeting refused the client, and all requests have failed: end the connection."""
        self.close_in_time()

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether ``turn`` may begin although the server still has to answer earlier commands
        (pipelining)."""
        return False

    def begin(self, turn: Turn) -> bool:
        """Begin a turn that is not a `CoroutineTurn`; False to let it wait longer, before all others."""
        raise NotImplementedError

    def interrupted(self, error: ClientError) -> None:
        """The connection ends: fail the turns that have begun, except coroutines."""

    # -- requests

    @property
    def is_usable(self) -> bool:
        """Whether requests can still be sent."""
        return self.error is None and self.connection.is_open

    @property
    def is_awaiting(self) -> bool:
        """Whether the server has to answer a command."""
        return bool(self._expected)

    @property
    def is_idle(self) -> bool:
        """Whether there is no request, neither running nor waiting."""
        return self._active is None and not self._turns and not self.is_awaiting

    @property
    def is_verified(self) -> bool:
        """Whether TLS is on, with a valid certificate for the server's name."""
        return is_verified(self.connection.transport)

    def run(
        self, dialogue: Callable[[], Coroutine[Any, Any, T]], cancelled: Callable[[], None] | None = None
    ) -> Deferred[T]:
        """Run a coroutine after all earlier requests; no other request is sent while it runs.

        :param cancelled: called if the result is cancelled while the coroutine runs, which goes on.
        :returns: the coroutine's result, or the error that ended the connection before its turn.  If it is
            cancelled before its turn, the coroutine does not run.
        """

        def cancel(result: Deferred[T]) -> None:
            if not self.drop(turn) and cancelled is not None:
                result.errback(CancelledError())
                cancelled()

        turn = CoroutineTurn(dialogue, self.turn_done, cancel)
        return turn.result if self.enqueue(turn) else fail(self.error)

    def enqueue(self, turn: Turn) -> bool:
        """Add a turn that begins when it may; False if the connection has ended."""
        if self.error is not None:
            return False
        self._turns.append(turn)
        self.advance()
        return True

    def drop(self, turn: Turn) -> bool:
        """Take a turn out of the queue; False if it is not there, because it has begun."""
        if turn not in self._turns:
            return False
        self._turns.remove(turn)
        self.advance()  # those behind it may begin
        return True

    def greeted(self) -> Deferred[EventT]:
        """Wait for the server's greeting.

        :raises ClientError: the greeting refused the client, or there was none; the connection is closed.
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
        """Call ``answer`` with the answer to ``question``, after the answers to earlier questions.

        The connection ends if the event is no possible answer, or arrived before the question was sent.
        """
        connection = self.connection
        if not self._expected and connection.wire.pending and not self.speaks_unasked:
            self._is_ahead = True
        connection.expect(question, answer, timeout)

    def exchange(self, question: str, line: bytes, timeout: float | None = None) -> Deferred[EventT]:
        """Send a line and wait for its answer, positive or negative.

        :param question: a short name of the command, for `answer_fault` and the texts of errors.
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

        :param said: questions and lines, as for `exchange`; at least one.
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
        """Send large data, no faster than the server reads, and wait for the answers.

        If ``pieces`` raises, the connection is closed, because only that tells the server that the data is
        incomplete.

        :param timeout: seconds for each answer.
        :param block: seconds for which the server may read nothing.
        :param answers: the number of answers: at least one.
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
        """A Deferred that fires with this many answers, and a function to call with each."""
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

    async def start_tls(self, tls: ClientTLSContext) -> None:
        """Start TLS, after the server's positive reply.

        :raises ProtocolViolation: plaintext followed that reply.
        :raises TLSFailed: TLS failed, or the certificate is not valid; the connection is closed.
        """
        if self.connection.wire.pending:
            # An attacker in between injected it, so that we read it as if it came inside TLS (RFC 3207 6,
            # CVE-2011-0411).
            raise self.fail(ProtocolViolation("Plaintext after the go-ahead for TLS"))
        secured = self._secured = Deferred()
        self.connection.start_tls(tls, self._timeouts.handshake)
        await secured

    def leave(self) -> None:
        """Close, and fail all waiting requests."""
        self.close_in_time()
        self.tell(ConnectionLost("Closed"))

    def close_in_time(self) -> None:
        """Close; abort the connection if the server does not close its side in time."""
        self.connection.close()
        timer = self.clock.callLater(self._timeouts.quit, self.connection.abort)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        self.closed().addCallback(cancel)

    # -- turns

    def turn_done(self) -> None:
        """The current turn has sent everything: the next one may begin."""
        self._active = None
        self.advance()

    def advance(self) -> None:
        """Begin the turns that may begin."""
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
        """Whether the next turn may begin: no other turn is sending, and no needed answer is missing."""
        return (
            bool(self._turns)
            and self._active is None
            and self.greeting is not None
            and self.is_usable
            and (not self._expected or self.may_begin_now(self._turns[0]))
        )

    # -- called by the connection

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
        """Pass the event to the request that waits for it."""
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
        """The server broke the protocol."""
        self.fail(ProtocolViolation(str(error)))

    def secured(self) -> None:
        """TLS is on: continue."""
        if self._secured is not None:
            waiter, self._secured = self._secured, None
            waiter.callback(None)

    def timed_out(self) -> None:
        """The server did not answer or read in time."""
        if self.connection.is_handshaking:
            self.fail(TLSFailed("TLS failed: timed out"))
            return
        why = f"no answer to {self._expected[0][0]}" if self._expected else "the server reads no more"
        self.fail(ServerTimeout(f"Timed out: {why}"))

    def lost(self, reason: Failure) -> None:
        """The connection has ended."""
        text = reason.getErrorMessage()
        try:
            if self.connection.is_handshaking:
                error = TLSFailed(f"TLS failed: {text}")
                error.__cause__ = reason.value
                self.fail(error)
            else:
                self.fail(ConnectionLost(f"Connection lost: {text}"))
        finally:  # a pool relies on this
            closed, self._closed = self._closed, []
            for waiter in closed:
                waiter.callback(None)

    # -- the end

    def fail(self, error: ClientError) -> ClientError:
        """End the connection, and fail all waiting requests.  :returns: ``error``."""
        if self.error is None:
            self.tell(error)
        self.connection.abort()
        return error

    def tell(self, error: ClientError) -> None:
        """Fail all waiting requests; no requests can be sent any more."""
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
