"""One SMTP session of a client (RFC 5321): the order of its messages and other commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import CooperativeTask, Cooperator

from mailproto.client.base import GREETING, ClientSession, Turn
from mailproto.client.errors import ClientError, GreetingRefused, ProtocolViolation, ServiceClosing
from mailproto.model import Outcome, Recipient
from mailproto.printable import printable
from mailproto.smtp.client._content_transactions import ChunkTransaction, DataTransaction
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._outcomes import SESSION_FULL
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._plan import Unsendable, plan, refused_address, select
from mailproto.smtp.client._steps import Step, Steps
from mailproto.smtp.client._timeouts import SMTPTimeouts
from mailproto.smtp.client._transaction import END_OF_DATA, Transaction
from mailproto.smtp.wire import NO_CAPABILITIES, Capabilities, Reply, ReplyLimits, SMTPClientWire
from mailproto.typing import ReactorTime

__all__ = ["POSITIVE", "SMTPSession"]

_MAIL_SYSTEM = range(250, 260)
"""Positive replies of the mail system (4.2.1: x5z), unknown ones included (4.3.2)."""

POSITIVE: Final[Mapping[str, Collection[int]]] = {
    GREETING: {220},
    "EHLO": _MAIL_SYSTEM,
    "LHLO": _MAIL_SYSTEM,
    "HELO": _MAIL_SYSTEM,
    "STARTTLS": {220},  # RFC 3207 4
    "AUTH": {235, 334},  # RFC 4954 4
    "MAIL": _MAIL_SYSTEM,
    "RCPT": _MAIL_SYSTEM,
    "DATA": {354},
    "BDAT": _MAIL_SYSTEM,  # RFC 3030 2
    END_OF_DATA: _MAIL_SYSTEM,
    "RSET": _MAIL_SYSTEM,
    "NOOP": _MAIL_SYSTEM,
    "VRFY": _MAIL_SYSTEM,
    "EXPN": _MAIL_SYSTEM,
    "ETRN": _MAIL_SYSTEM,  # RFC 1985 5.2
    "QUIT": range(200, 300),  # any of them will do: the connection is closed
}
"""The positive replies to each command (RFC 5321 4.3.2).

A refusal, 4yz or 5yz, can answer any command.  With any other reply, the server has misunderstood
the command, or has answered something else, so its later replies cannot be relied on either.
"""


class SMTPSession(ClientSession[Reply]):
    """The order of commands, and what is known about the server.

    With PIPELINING, a message may begin after the content of the one before it.  Other commands wait
    until all replies have come.

    :param answers_each: whether each recipient has a reply of its own (LMTP, RFC 2033).

    :ivar transactions: how many transactions were begun.
    :ivar has_transaction: whether the server is in a transaction that was given up, or that the user
        of the client sends command by command.
    :ivar steps: the latter.
    """

    def __init__(
        self,
        clock: ReactorTime,
        *,
        hostname: str,
        timeouts: SMTPTimeouts,
        limits: ReplyLimits | None,
        pipelining: bool,
        is_remote: bool,
        answers_each: bool,
    ) -> None:
        check_own_name(hostname)
        super().__init__(clock, SMTPClientWire(limits), timeouts, is_remote=is_remote)
        self.hostname = hostname
        self.timeouts = timeouts
        self.answers_each = answers_each
        self.capabilities: Capabilities = NO_CAPABILITIES
        self.pipelines = False
        self.authenticated_by = ""
        self.transactions = 0
        self.has_transaction = False
        self.steps = Steps(self)
        self._may_pipeline = pipelining
        self._begun: deque[Transaction] = deque()  # those that are not done
        self._examining: CooperativeTask[Any] | None = None

    # -- what is known about the server

    def takes_transaction(self, waiting: int = 0) -> bool:
        """Whether the server takes one more transaction after ``waiting`` others (RFC 9422 4.1 MAILMAX)."""
        most = self.capabilities.max_transactions
        return most is None or self.transactions + waiting < most

    def learn(self, capabilities: Capabilities) -> None:
        """Set what the server offers."""
        self.capabilities = capabilities
        self.pipelines = self._may_pipeline and "PIPELINING" in capabilities

    # -- messages

    def submit(self, message: Message) -> Deferred[list[Outcome]]:
        """Send a message, in as many transactions as it needs."""
        if self.error is not None:
            return fail(self.error)
        self.enqueue(message)
        return message.result

    def withdraw(self, message: Message) -> bool:
        """Stop a submitted message; its result will not fire.

        :returns: False if it is too late, because there was a reply about the message, or because its
            content is being sent.  The message may be delivered then, and must not be sent again.
        """
        if message.is_answered:
            return False
        if message in self._turns:
            self._turns.remove(message)
            return True
        return all(each.withdraw() for each in self._begun if each.message is message)

    @property
    def is_idle(self) -> bool:
        """Whether no command is under way or waiting."""
        return super().is_idle and not self._begun

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether a turn need not wait for replies.

        If the server offers PIPELINING, a message need not wait for those to another message, and a `Step`
        not for those to other steps.
        """
        steps = self.steps.unanswered if self.pipelines else 0
        if isinstance(turn, Step):
            return steps > 0 and steps == len(self._expected)
        return self.pipelines and not steps and isinstance(turn, Message)

    def begin(self, turn: Turn) -> bool:
        """Begin a step, or a message's next transaction; a long message is examined before."""
        if isinstance(turn, Step):
            turn.begin()
            return True
        if not isinstance(turn, Message):
            raise TypeError(turn)
        message = turn
        if self._examining is not None:
            return False
        try:
            if message.is_long:
                self._examine(message)
                return False
            transaction = self._next_transaction(message)
        except Exception as error:  # a fault in the caller's arguments
            message.result.errback(error)
            return True
        if transaction is None:
            message.finish()
        else:
            self._active = transaction
            self._begun.append(transaction)
            transaction.begin()
        return True

    def _next_transaction(self, message: Message) -> Transaction | None:
        """Make a message's next transaction; None if all recipients have an outcome."""
        capabilities = self.capabilities
        try:
            # Only parameters depend on whether the server is verified, and few messages have any.
            is_verified = bool(message.parameters) and self.is_verified
            made = plan(message, capabilities, is_verified=is_verified)
        except Unsendable as error:
            for index, recipient in enumerate(message.recipients):
                message.outcomes[index] = message.outcomes[index] or refused_address(
                    recipient.address, capabilities
                )
            message.settle(error.outcome)
            return None
        except OSError as error:
            message.settle(
                Outcome(451, "4.3.0", printable(f"The message cannot be read: {error.strerror or error}"))
            )
            return None
        selection = select(made, message, capabilities)
        if not selection.recipients:
            return None
        if not self.takes_transaction():
            message.give_up(SESSION_FULL)
            return None
        kind = ChunkTransaction if made.by_chunks else DataTransaction
        return kind(self, message, selection)

    def content_sent(self) -> None:
        """The active transaction has sent its content: the next one may begin."""
        self.turn_done()

    def transaction_done(self, transaction: Transaction) -> None:
        """The oldest transaction has all its replies; its message may need another transaction."""
        self._begun.popleft()
        if transaction is self._active:
            self._active = None
        message = transaction.message
        if message.is_done:
            message.finish()
        else:
            self._turns.appendleft(message)
        self.advance()

    def _examine(self, message: Message) -> None:
        """Examine a long message piece by piece."""
        cooperator = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # one step for each turn of the reactor
            scheduler=lambda step: self.clock.callLater(0, step),
        )
        self._examining = cooperator.cooperate(message.examine())
        self._examining.whenDone().addErrback(lambda _: None).addCallback(self._examined)

    def _examined(self, _: object) -> None:
        """Go on; `_next_transaction` gets the result, or the error."""
        self._examining = None
        self.advance()

    def step(self, recipient: Recipient) -> Deferred[Reply]:
        """Send a RCPT of the transaction that `Steps.mail` began."""
        if self.error is not None:
            return fail(self.error)
        step = self.steps.rcpt(recipient)
        self.enqueue(step)
        return step.result

    # -- replies

    def greeting_fault(self, event: Reply) -> ClientError | None:
        """A greeting with 521, 554 or the like refuses the client (RFC 7504)."""
        return GreetingRefused(reply=event) if event.code >= 400 else None

    def turned_away(self) -> None:
        """Send QUIT even after a refusal, because the server waits for it (RFC 5321 3.1)."""
        self.connection.expect("QUIT", lambda _: self.close_in_time(), self.timeouts.quit)
        self.write(b"QUIT\r\n")

    def answer_fault(self, question: str, event: Reply) -> ClientError | None:
        """See `POSITIVE`."""
        if event.code >= 400 or event.code in POSITIVE[question]:
            return None
        return ProtocolViolation(f"The server answered {question} with {event}", reply=event)

    def received(self, event: Reply) -> None:
        """421 can answer any command, and the connection ends with it (RFC 5321 3.8)."""
        if event.code == 421:
            self.fail(ServiceClosing(reply=event))
        else:
            super().received(event)

    def unexpected(self, event: Reply) -> None:
        """Take a reply before the end of the content; any other unexpected reply is an error."""
        if self._begun and self._begun[0].answered_early(event):
            self.fail(ProtocolViolation(f"The server said {event} before the content had ended", reply=event))
        else:
            super().unexpected(event)

    def interrupted(self, error: ClientError) -> None:
        """Pass the error to the transactions that have begun."""
        if self._examining is not None:
            self._examining.stop()
        begun = list(self._begun)
        self._begun.clear()
        for transaction in begun:
            transaction.fail(error, is_next=transaction is begun[0])
