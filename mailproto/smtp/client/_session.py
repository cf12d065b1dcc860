"""A client's session: what is said when, and who waits for the answer (RFC 5321)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator
from twisted.python.failure import Failure

from mailproto.connection import ClientConnection
from mailproto.errors import WireError
from mailproto.model import Outcome
from mailproto.smtp.client._answers import CONNECTION, is_answer, violation
from mailproto.smtp.client._errors import (
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    SMTPClientError,
    TLSFailed,
)
from mailproto.smtp.client._exclusive import Exclusive
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._next_transaction import next_transaction
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._timeouts import ClientTimeouts
from mailproto.smtp.client._transaction import Transaction
from mailproto.smtp.wire import (
    NO_CAPABILITIES,
    Capabilities,
    Reply,
    ReplyLimits,
    SMTPClientWire,
)
from mailproto.tls import is_verified

__all__ = ["Session"]

T = TypeVar("T")


class Session(ClientConnection[Reply]):
    """The order in which things are said, and whom answers and ends are told to.

    A message may begin behind the content of the one before it, where PIPELINING is offered; a
    dialogue has the server to itself.
    """

    answers_each: ClassVar[bool] = False
    """Whether each recipient has an answer of its own (RFC 2033)."""

    wire: SMTPClientWire

    def __init__(
        self,
        clock: IReactorTime,
        *,
        hostname: str = "",
        timeouts: ClientTimeouts | None = None,
        limits: ReplyLimits | None = None,
        pipelining: bool = True,
        is_remote: bool = False,
    ) -> None:
        check_own_name(hostname)
        self.timeouts = timeouts or ClientTimeouts()
        super().__init__(clock, SMTPClientWire(limits), handshake=self.timeouts.handshake)
        self.hostname = hostname
        self.greeting: Reply | None = None
        self.capabilities: Capabilities = NO_CAPABILITIES
        self.pipelines = False
        self.authenticated_by = ""
        self.transactions = 0
        self.has_transaction = False
        self._pipelining = pipelining
        self._is_remote = is_remote
        self._jobs: deque[Message | Exclusive[Any]] = deque()
        self._active: Transaction | Exclusive[Any] | None = None
        self._begun: deque[Transaction] = deque()  # and not done
        self._advancing = False
        self._is_ahead = False  # the server has answered what was not said yet
        self._looking: CooperativeTask[Any] | None = None
        self._error: SMTPClientError | None = None
        self._answer: Deferred[Reply] | None = None
        self._greeted: Deferred[Reply] | None = None
        self._secured: Deferred[None] | None = None
        self._gone: list[Deferred[None]] = []

    # -- what a user may ask for

    @property
    def is_usable(self) -> bool:
        """Whether something can still be said."""
        return self._error is None and self.is_open

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked of the server, or about to be."""
        return self._active is None and not self._jobs and not self._begun and not self.is_awaiting

    @property
    def is_verified(self) -> bool:
        """Whether TLS is on, with a certificate that is good and for the server's name."""
        return is_verified(self.transport)

    def takes_transaction(self, behind: int = 0) -> bool:
        """Whether the server takes one more, behind so many that are not begun (RFC 9422 4.1 MAILMAX)."""
        most = self.capabilities.max_transactions
        return most is None or self.transactions + behind < most

    def submit(self, message: Message) -> Deferred[list[Outcome]]:
        """Send a message, in as many transactions as it takes."""
        if self._error is not None:
            return fail(self._error)
        self._jobs.append(message)
        self._advance()
        return message.result

    def withdraw(self, message: Message) -> bool:
        """Have a message that was submitted not sent; nothing is told of it any more.

        :returns: False if it is too late: the server has said something about it, or its content
            is underway.  It may be delivered then, and must not be given to another connection.
        """
        if message.is_answered:
            return False
        if message in self._jobs:
            self._jobs.remove(message)
            return True
        return all(each.withdraw() for each in self._begun if each.message is message)

    def greeted(self) -> Deferred[Reply]:
        """Wait for the server's first words.

        :raises GreetingRefused: they were no welcome (521, 554); the connection is closed.
        """
        if self._error is not None:
            return fail(self._error)
        if self.greeting is not None:
            return succeed(self.greeting)
        if self._greeted is None:
            self._greeted = Deferred()
        return self._greeted

    def gone(self) -> Deferred[None]:
        """Wait for the connection's end."""
        waiter: Deferred[None] = Deferred()
        if self._open:
            self._gone.append(waiter)
        else:
            waiter.callback(None)
        return waiter

    # -- for those who build commands of their own

    def _exclusively(self, run: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Run a dialogue when everything before it is answered; nothing else is said meanwhile."""
        if self._error is not None:
            return fail(self._error)
        job = Exclusive(run, self._exclusive_done)
        self._jobs.append(job)
        self._advance()
        return job.result

    def ask(self, said: str, answer: Callable[[Reply], None], timeout: float) -> None:
        """`expect` what can be an answer to ``said``, which is one of `POSITIVE`.

        Any other reply ends the connection, and is not an answer; nor is one that was here before.
        """
        if not self.is_awaiting and self.wire.pending:
            self._is_ahead = True
        self.expect(partial(self._hear, said, answer), timeout)

    def ask_next(self, said: str, answer: Callable[[Reply], None], timeout: float) -> None:
        """`expect_next`, in the same way."""
        self.expect_next(partial(self._hear, said, answer), timeout)

    def _hear(self, said: str, answer: Callable[[Reply], None], reply: Reply) -> None:
        if is_answer(said, reply):
            answer(reply)
        else:
            self.fail(violation(said, reply))

    def _exchange(self, said: str, line: bytes, timeout: float | None = None) -> Deferred[Reply]:
        """Send one line and wait for its answer, yes or no; in a dialogue only.

        :param said: one of `POSITIVE`.
        """
        if self._error is not None:
            return fail(self._error)
        answer = self._answer = Deferred()
        self.ask(said, self._answered, self.timeouts.command if timeout is None else timeout)
        self.write(line)
        return answer

    def _answered(self, reply: Reply) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.callback(reply)

    def secured(self) -> None:
        """TLS is on: go on inside it."""
        if self._secured is not None:
            waiter, self._secured = self._secured, None
            waiter.callback(None)

    def _leave(self) -> None:
        """Close, and tell those that wait."""
        self._close_in_time()
        self._tell(ConnectionLost("Closed"))

    def _close_in_time(self) -> None:
        """Close; a server that does not close its side of TLS in time is left alone."""
        self.close()
        timer = self.clock.callLater(self.timeouts.quit, self.abort)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        self.gone().addCallback(cancel)

    # -- what may begin

    def content_sent(self) -> None:
        """The active transaction has said everything: the next one may begin."""
        self._active = None
        self._advance()

    def transaction_done(self, transaction: Transaction) -> None:
        """The oldest transaction is answered; its message may need another one."""
        self._begun.popleft()
        if transaction is self._active:
            self._active = None
        message = transaction.message
        if message.is_done:
            message.finish()
        else:
            self._jobs.appendleft(message)
        self._advance()

    def _exclusive_done(self) -> None:
        self._active = None
        self._advance()

    def _advance(self) -> None:
        """Begin what can begin."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._may_begin():
                job = self._jobs.popleft()
                if isinstance(job, Exclusive):
                    self._active = job
                    job.begin()
                    continue
                try:
                    if job.is_long:
                        self._jobs.appendleft(job)
                        self._look_at(job)
                        break
                    transaction = next_transaction(self, job)
                except Exception as error:  # the fault of who made the message
                    job.result.errback(error)
                    continue
                if transaction is None:
                    job.finish()
                else:
                    self._active = transaction
                    self._begun.append(transaction)
                    transaction.begin()
        finally:
            self._advancing = False

    def _look_at(self, message: Message) -> None:
        """See what a message is that is too long to be looked at while everybody waits."""
        cooperator = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # a step a turn
            scheduler=lambda step: self.clock.callLater(0, step),
        )
        self._looking = cooperator.cooperate(message.look())
        self._looking.whenDone().addErrback(lambda _: None).addCallback(self._looked)

    def _looked(self, _: object) -> None:
        """`next_transaction` will learn what was seen, or why nothing was."""
        self._looking = None
        self._advance()

    def _may_begin(self) -> bool:
        """Nothing else has something to say, and the server does not owe us what we must know first."""
        return (
            bool(self._jobs)
            and self._active is None
            and self._looking is None
            and self.greeting is not None
            and self.is_usable
            and (not self.is_awaiting or (self.pipelines and isinstance(self._jobs[0], Message)))
        )

    # -- what the connection says

    def opened(self) -> None:
        """Wait for the greeting."""
        if self._is_remote:
            self.is_local = False
        self.ask(CONNECTION, self._on_greeting, self.timeouts.greeting)

    def _on_greeting(self, reply: Reply) -> None:
        self.greeting = reply
        if reply.code < 400:
            greeted, self._greeted = self._greeted, None
            if greeted is not None:
                greeted.callback(reply)
            self._advance()
        else:
            self._tell(GreetingRefused(reply=reply))
            self.expect(lambda _: self._close_in_time(), self.timeouts.quit)
            self.write(b"QUIT\r\n")  # the server waits for it (RFC 5321 3.1)

    def received(self, event: Reply) -> None:
        """Give a reply to whoever expects it; 421 is for everybody (RFC 5321 3.8)."""
        if event.code == 421:
            self.fail(ServiceClosing(reply=event))
        elif self._is_ahead:
            self._heard_early(event)
        else:
            super().received(event)

    def unexpected(self, event: Reply) -> None:
        """Some servers answer before the content has ended; otherwise there is no telling what it means."""
        self._heard_early(event)

    def _heard_early(self, event: Reply) -> None:
        if self._begun and self._begun[0].answered_early(event):
            self.fail(ProtocolViolation(f"The server said {event} before the content had ended", reply=event))
        else:
            self.fail(ProtocolViolation(f"The server said {event} before it was asked"))

    def broken(self, error: WireError) -> None:
        """What the server says is no SMTP."""
        self.fail(ProtocolViolation(str(error)))

    def timed_out(self) -> None:
        """The server has been silent for too long."""
        if self.is_handshaking:
            self.fail(TLSFailed("TLS failed: timed out"))
            return
        hear = self._expected[0][0] if self._expected else None
        why = f"no answer to {hear.args[0]}" if isinstance(hear, partial) else "the server reads no more"
        self.fail(ServerTimeout(f"Timed out: {why}"))

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        text = reason.getErrorMessage()
        try:
            if self.is_handshaking:
                self.fail(TLSFailed(f"TLS failed: {text}"))
            else:
                self.fail(ConnectionLost(f"Connection lost: {text}"))
        finally:  # a pool counts on it
            gone, self._gone = self._gone, []
            for waiter in gone:
                waiter.callback(None)

    def fail(self, error: SMTPClientError) -> SMTPClientError:
        """End the connection, and tell everybody who waits.  :returns: ``error``."""
        if self._error is None:
            self._tell(error)
        self.abort()
        return error

    def _tell(self, error: SMTPClientError) -> None:
        """It is over: whoever waits is told."""
        self._error = error
        if self._looking is not None:
            self._looking.stop()
        begun, jobs = list(self._begun), list(self._jobs)
        self._begun.clear()
        self._jobs.clear()
        self._active = None
        waiters = (self._greeted, self._answer, self._secured)
        self._greeted = self._answer = self._secured = None
        for transaction in begun:
            transaction.fail(error, is_next=transaction is begun[0])
        for waiter in waiters:
            if waiter is not None:
                waiter.errback(error)
        for job in jobs:
            job.fail(error)
