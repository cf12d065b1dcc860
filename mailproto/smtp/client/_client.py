"""The client's session: what is said when, and who waits for the answer (RFC 5321)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mailproto.auth import ClientCredentials, client_channel, is_verified
from mailproto.connection import ClientConnection
from mailproto.content import Content
from mailproto.errors import WireError
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._authentication import choose, sign_in
from mailproto.smtp.client._errors import (
    AuthenticationUnavailable,
    CommandRefused,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
    ServerUntrusted,
    ServiceClosing,
    SMTPClientError,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.smtp.client._exclusive import Exclusive
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._next_transaction import next_transaction
from mailproto.smtp.client._own_name import hello_name, own_name
from mailproto.smtp.client._timeouts import ClientTimeouts
from mailproto.smtp.client._transaction import Transaction
from mailproto.smtp.wire import (
    NO_CAPABILITIES,
    Capabilities,
    Reply,
    ReplyLimits,
    SMTPClientWire,
    parse_capabilities,
    render_line,
)

__all__ = ["LMTPClient", "SMTPClient"]

T = TypeVar("T")


class SMTPClient(ClientConnection[Reply]):
    """A connection to an SMTP server; make one with `connect`.

    Whatever is asked for is done in order, one after the other; `send` may be called again
    before the first has its outcomes, and is faster then.  Every method that talks to the
    server raises `ConnectionLost` (or one of its kinds) when there is no connection.

    :param clock: the reactor.
    :param hostname: what this client calls itself: a domain that leads back to it, or an
        address literal; by default this machine's name if it has a domain, or its address.
    :param pipelining: False to wait for each answer even where PIPELINING is offered.

    :ivar greeting: the server's first words, None before they came.
    :ivar capabilities: what the server offers, as of the last `ehlo`.
    :ivar authenticated_by: the mechanism by which the server took the credentials; "" before.
    :ivar transactions: how many were begun.
    :ivar has_transaction: whether the server is in a transaction that was given up.
    """

    verb: ClassVar[str] = "EHLO"
    answers_each: ClassVar[bool] = False
    wire: SMTPClientWire

    def __init__(
        self,
        clock: IReactorTime,
        *,
        hostname: str = "",
        timeouts: ClientTimeouts | None = None,
        limits: ReplyLimits | None = None,
        pipelining: bool = True,
    ) -> None:
        super().__init__(clock, SMTPClientWire(limits))
        self.hostname = hostname
        self.timeouts = timeouts or ClientTimeouts()
        self.greeting: Reply | None = None
        self.capabilities: Capabilities = NO_CAPABILITIES
        self.pipelines = False
        self.authenticated_by = ""
        self.transactions = 0
        self.has_transaction = False
        self._pipelining = pipelining
        self._jobs: deque[Message | Exclusive[Any]] = deque()
        self._active: Transaction | Exclusive[Any] | None = None
        self._begun: deque[Transaction] = deque()  # and not done
        self._advancing = False
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

    def ehlo(self, hostname: str | None = None) -> Deferred[Capabilities]:
        """Say who we are, and learn what the server offers.

        A server that does not know EHLO is greeted with HELO (RFC 5321 3.2).

        :param hostname: instead of the client's own; of an international one its A-labels are said.
        :raises CommandRefused: the server refuses both.
        :raises UnsafeArgument: the name is neither a domain nor an address literal.
        """
        return self._exclusively(lambda: self._ehlo(hostname or self.hostname or own_name(self.transport)))

    def starttls(self, tls: Any) -> Deferred[Capabilities]:
        """Start TLS (RFC 3207), forget what was learnt in plaintext and say EHLO again.

        What the server sent behind its go-ahead is an attack and ends the connection.

        :param tls: as from `mailproto.auth.client_tls`.
        :raises TLSUnavailable: it is not offered, or refused; the connection goes on.
        :raises TLSFailed: it failed, or the certificate is not good; the connection is over.
        """
        return self._exclusively(lambda: self._starttls(tls))

    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Say who we are, and prove it (AUTH, RFC 4954); after `starttls`, if at all possible.

        Of what the server offers, the best mechanism that `client_mechanisms` finds is used; the
        next one only if the server refuses the mechanism itself.

        :param mechanism: the only one to be used, in upper case.
        :param allow_clear: send the secret itself, if need be, without TLS, or to a server whose
            certificate was not looked at; otherwise to a process of this machine at most.
        :returns: the mechanism that was used.
        :raises AuthenticationRefused: the server does not take the credentials.
        :raises AuthenticationUnavailable: no mechanism can be used; the connection goes on.
        :raises ServerUntrusted: the server could not prove that it knows the password, where
            the mechanism has it do so; the connection is closed.
        """
        return self._exclusively(lambda: self._authenticate(credentials, mechanism, allow_clear))

    def send(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Deferred[list[Outcome]]:
        """Send one message.

        Lines are ended with CRLF whatever they end with in ``content``; nothing else is
        changed.  What the server does not offer and the message needs (8BITMIME, SMTPUTF8,
        room, ...) is an outcome too, without a word to the server.

        :param sender: the reverse-path; "" or `NULL_PATH` for notifications.
        :param recipients: at least one; a `Recipient` has ESMTP parameters.
        :param parameters: of MAIL, such as RET and ENVID (RFC 3461 4), their values as on the
            wire (`encode_xtext`).  DSN's are left out where DSN is not offered.
        :returns: one outcome for each of ``recipients``, in that order.  A connection that is
            lost while the message is underway is an outcome too: 451 4.4.2, and `UNCERTAIN`
            if the message may have been delivered all the same.  Where the server announces how
            many transactions it takes (RFC 9422 MAILMAX), those past it are not tried: 451 4.5.0.
        :raises ConnectionLost: before the server said anything about this message.
        :raises ValueError: a sender or recipient that is a str and no address, or no recipient.
        """
        return self.submit(Message(sender, recipients, content, parameters))

    def submit(self, message: Message) -> Deferred[list[Outcome]]:
        """`send`, for what has been looked at."""
        if self._error is not None:
            return fail(self._error)
        self._jobs.append(message)
        self._advance()
        return message.result

    def noop(self) -> Deferred[Reply]:
        """NOOP: whether the server is still there.  :raises CommandRefused:"""
        return self._exclusively(lambda: self._command("NOOP"))

    def reset(self) -> Deferred[Reply]:
        """RSET (RFC 5321 4.1.1.5).  :raises CommandRefused:"""
        return self._exclusively(lambda: self._command("RSET"))

    def verify(self, name: str) -> Deferred[Reply]:
        """VRFY; 252 says that the server would rather not tell (RFC 5321 3.5.3).

        :raises CommandRefused: for one that is not known.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._exclusively(lambda: self._command("VRFY", name))

    def quit(self) -> Deferred[None]:
        """Say QUIT after everything that was asked for, and close; never raises.

        :returns: fires when the connection is gone.
        """
        if self.is_usable:
            self._exclusively(self._quit).addErrback(lambda _: None)
        return self.gone()

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

    def _exchange(self, line: bytes, patience: float | None = None) -> Deferred[Reply]:
        """Send one line and wait for its reply, whatever it says; in a dialogue only."""
        if self._error is not None:
            return fail(self._error)
        answer = self._answer = Deferred()
        self.expect(self._answered, self.timeouts.command if patience is None else patience)
        self.write(line)
        return answer

    def _answered(self, reply: Reply) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.callback(reply)

    async def _command(self, verb: str, argument: str = "") -> Reply:
        reply = await self._exchange(render_line(verb, argument))
        if reply.code >= 300:
            raise CommandRefused(reply=reply)
        if verb == "RSET":
            self.has_transaction = False
        return reply

    # -- dialogues

    async def _ehlo(self, hostname: str) -> Capabilities:
        self.capabilities, self.pipelines = NO_CAPABILITIES, False
        hello = hello_name(hostname)
        reply = await self._exchange(render_line(self.verb, hello))
        if 200 <= reply.code < 300:
            self.capabilities = parse_capabilities(reply)
        elif reply.code >= 500 and self.verb == "EHLO":
            await self._command("HELO", hello)
        else:
            raise CommandRefused(reply=reply)
        self.hostname = hostname
        self.has_transaction = False
        self.pipelines = self._pipelining and "PIPELINING" in self.capabilities
        return self.capabilities

    async def _starttls(self, tls: Any) -> Capabilities:
        if "STARTTLS" not in self.capabilities or self.is_encrypted:
            raise TLSUnavailable
        reply = await self._exchange(b"STARTTLS\r\n")
        if reply.code != 220:
            raise TLSUnavailable(reply=reply)
        if self.wire.pending:
            # Somebody between us and the server put it there, to be taken for what comes
            # from within TLS (RFC 3207 6, CVE-2011-0411).
            raise self.fail(ProtocolViolation("Plaintext behind the go-ahead for TLS"))
        self.authenticated_by = ""  # it is the beginning again (4.2)
        secured = self._secured = Deferred()
        self.start_tls(tls, self.timeouts.handshake)
        await secured
        return await self._ehlo(self.hostname)

    def secured(self) -> None:
        """TLS is on: go on inside it."""
        if self._secured is not None:
            waiter, self._secured = self._secured, None
            waiter.callback(None)

    async def _authenticate(
        self, credentials: ClientCredentials, mechanism: str | None, allow_clear: bool
    ) -> str:
        if self.authenticated_by:
            raise AuthenticationUnavailable("Authenticated already")
        mechanisms = choose(
            self.capabilities.mechanisms,
            credentials,
            client_channel(self.transport, is_local=self.is_local),
            mechanism=mechanism,
            allow_clear=allow_clear,
        )
        if self.has_transaction:
            await self._command("RSET")  # AUTH has no place in a transaction (4)
        try:
            self.authenticated_by = await sign_in(mechanisms, self._exchange, self.clock)
        except (ProtocolViolation, ServerUntrusted) as error:
            raise self.fail(error) from None
        return self.authenticated_by

    async def _quit(self) -> None:
        await self._exchange(b"QUIT\r\n", self.timeouts.quit)
        self._leave()

    def _leave(self) -> None:
        """Close; a server that does not close its side in time is left alone."""
        self.close()
        timer = self.clock.callLater(self.timeouts.quit, self.abort)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        self.gone().addCallback(cancel)
        self._tell(ConnectionLost("Closed"))

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

    def _may_begin(self) -> bool:
        """Nothing else has something to say, and the server does not owe us what we must know first."""
        return (
            bool(self._jobs)
            and self._active is None
            and self.greeting is not None
            and self.is_usable
            and (not self.is_awaiting or (self.pipelines and isinstance(self._jobs[0], Message)))
        )

    # -- what the connection says

    def opened(self) -> None:
        """Wait for the greeting."""
        self.expect(self._on_greeting, self.timeouts.greeting)

    def _on_greeting(self, reply: Reply) -> None:
        self.greeting = reply
        if 200 <= reply.code < 300:
            greeted, self._greeted = self._greeted, None
            if greeted is not None:
                greeted.callback(reply)
            self._advance()
        else:
            self._tell(GreetingRefused(reply=reply))
            self.expect(lambda _: self.close(), self.timeouts.quit)
            self.write(b"QUIT\r\n")  # the server waits for it (RFC 5321 3.1)

    def received(self, event: Reply) -> None:
        """Give a reply to whoever expects it; 421 is for everybody (RFC 5321 3.8)."""
        if event.code == 421:
            self.fail(ServiceClosing(reply=event))
        else:
            super().received(event)

    def unexpected(self, event: Reply) -> None:
        """Some servers answer before the content has ended; otherwise there is no telling what it means."""
        if isinstance(self._active, Transaction):
            self._active.answered_early(event)
        self.fail(ProtocolViolation(f"Unexpected reply {event.code}"))

    def broken(self, error: WireError) -> None:
        """What the server says is no SMTP."""
        self.fail(ProtocolViolation(str(error)))

    def timed_out(self) -> None:
        """The server has been silent for too long."""
        self.fail(TLSFailed("Timed out") if self.is_handshaking else ServerTimeout())

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        text = reason.getErrorMessage()
        if self.is_handshaking:
            self.fail(TLSFailed(f"TLS failed: {text}"))
        else:
            self.fail(ConnectionLost(f"Connection lost: {text}"))
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


class LMTPClient(SMTPClient):
    """A connection to an LMTP server (RFC 2033): each recipient has an answer of its own.

    TCP and Unix sockets alike; never port 25.
    """

    verb: ClassVar[str] = "LHLO"
    answers_each: ClassVar[bool] = True
