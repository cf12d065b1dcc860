"""The SMTP server's session: which command may come when, and what is answered (RFC 5321).

The wire below says what was said, the delivery above what is to become of it; in
between is a table of handlers, one for each kind of event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mailproto.connection import Farewell, ServerConnection
from mailproto.content import Content, FileContent
from mailproto.errors import AuthenticationFailed, MailError, Refused, WireError
from mailproto.model import Address, Envelope, Outcome, Recipient, Session
from mailproto.smtp import _replies as replies
from mailproto.smtp._authentication import Authenticator
from mailproto.smtp._limits import SMTPLimits
from mailproto.smtp._offers import Offers
from mailproto.smtp._parameters import check_parameters
from mailproto.smtp._patience import Pace, Patience
from mailproto.smtp._spool import Spool
from mailproto.smtp._submission import complete_header
from mailproto.smtp._trace import TraceWriter, count_received
from mailproto.smtp._transaction import Transaction
from mailproto.smtp.wire import (
    Auth,
    AuthResponse,
    Data,
    DataChunk,
    DataEnd,
    DataFault,
    Event,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    SMTPServerWire,
    SMTPSyntaxError,
    StartTLS,
    Vrfy,
    render_lines,
    render_reply,
)

if TYPE_CHECKING:
    from mailproto.smtp.factory import SMTPServerFactory

__all__ = ["SMTPServer"]

_Handler = Callable[[Any, Any], Coroutine[Any, Any, None] | None]

_FAULTS = {
    DataFault.BARE_NEWLINE: ("5.6.11", "Bare CR or LF in the message"),
    DataFault.NUL: ("5.6.0", "NUL in the message"),
}


class SMTPServer(ServerConnection[Event]):
    """One client of an `SMTPServerFactory`.

    :cvar greetings: the verbs that a client may greet with, and the protocol each stands for.
    """

    greetings: ClassVar[Mapping[str, str]] = {"HELO": "SMTP", "EHLO": "ESMTP"}

    factory: SMTPServerFactory
    wire: SMTPServerWire
    limits: SMTPLimits

    def __init__(self, factory: SMTPServerFactory) -> None:
        super().__init__(factory)
        self.limits = factory.limits
        self.wire = SMTPServerWire(factory.limits.wire, normalise=factory.normalise_newlines)
        self._hello: Hello | None = None
        self._authenticator = None if factory.portal is None else Authenticator(factory.portal)
        self._transaction: Transaction | None = None
        self._spool: Spool | None = None
        self._delivering: Envelope | None = None
        self._session: Session | None = None
        self._trace: TraceWriter | None = None
        self._patience = Patience(self.limits)
        self._pace: Pace | None = None

    # -- what the shell asks

    def greet(self) -> None:
        """The greeting (RFC 5321 4.3.1)."""
        self.write(f"220 {self.factory.hostname} {self.factory.greeting}\r\n".encode())

    def handle(self, event: Event) -> Awaitable[None] | None:
        """Look the event's handler up."""
        return self._handlers[type(event)](self, event)

    def refuse_syntax(self, error: WireError) -> None:
        """Answer a line that is no command; an AUTH exchange does not survive one."""
        if isinstance(error, SMTPSyntaxError):
            self._error(render_reply(error.code, error.enhanced, error.text))

    def refuse(self, event: Event, error: MailError) -> None:
        """Answer what a handler raised."""
        if isinstance(event, DataEnd) and self._delivering is not None:
            outcome = Outcome(error.code, error.enhanced, error.text)
            self.answer_content(self._delivering, [outcome] * len(self._delivering.recipients))
            return
        self.write(render_reply(error.code, error.enhanced, error.text))
        if isinstance(event, Auth | AuthResponse) and isinstance(error, AuthenticationFailed):
            self._end_if(self._patience.authentication_failure())
        elif error.code >= 500:
            refused = self._patience.refused_recipient if isinstance(event, Rcpt) else self._patience.error
            self._end_if(refused())

    def farewell(self, reason: Farewell) -> bytes:
        """421 (RFC 5321 3.8)."""
        return replies.farewell(self.factory.hostname, reason)

    def idle_limit(self) -> float:
        """While content comes, it counts from when it last came fast enough."""
        limit = super().idle_limit()
        return limit if self._pace is None else self._pace.since + limit - self._progress

    def closed(self) -> None:
        """A transaction that has not come to its dot is forgotten (RFC 5321 3.8)."""
        self._forget_transaction()
        if self._authenticator is not None:
            self._authenticator.log_out()

    # -- greetings and small talk

    def _on_hello(self, event: Hello) -> None:
        if event.verb not in self.greetings:
            self._error(replies.WRONG_GREETING)
            return
        self._forget_transaction()
        self._hello = event
        self._session_changed()
        self._end_if(self._patience.idle_command())
        if event.verb == "HELO":
            self.write(f"250 {self.factory.hostname}\r\n".encode())
        else:
            self.write(render_lines(250, [self.factory.hostname, *self._offers().lines()]))

    def _on_rset(self, event: Rset) -> None:
        self._forget_transaction()
        self._small_talk(replies.RESET)

    def _on_noop(self, event: Noop) -> None:
        self._small_talk(replies.OK)

    def _on_vrfy(self, event: Vrfy) -> None:
        self._small_talk(self._shut() or replies.CANNOT_VERIFY)

    def _on_help(self, event: Help) -> None:
        self._small_talk(replies.HELP)

    def _on_quit(self, event: Quit) -> None:
        self.end(f"221 2.0.0 {self.factory.hostname} closing connection\r\n".encode())

    def _on_starttls(self, event: StartTLS) -> None:
        if self.is_encrypted:
            self._error(replies.TLS_ALREADY)
        elif not self.can_start_tls:
            self._error(replies.NOT_IMPLEMENTED)
        elif self.start_tls(replies.START_TLS):
            # RFC 3207 4.2: what was learnt in plaintext is forgotten.
            self._forget_transaction()
            self._hello = None
            if self._authenticator is not None:
                self._authenticator.log_out()
            self._session_changed()

    # -- AUTH

    async def _on_auth(self, event: Auth) -> None:
        authenticator = self._authenticator
        if authenticator is None:
            self._error(replies.NOT_IMPLEMENTED)
        elif self.factory.require_tls and not self.is_encrypted:
            self._error(replies.TLS_FIRST)
        elif self._hello is None or self._hello.verb == "HELO":
            self._error(replies.HELLO_FIRST)
        elif authenticator.account is not None:
            self._error(replies.SIGNED_IN_ALREADY)
        elif self._transaction is not None:
            self._error(replies.NOT_IN_TRANSACTION)
        else:
            self._signed_in(await authenticator.begin(event.mechanism, event.initial, secure=self.is_secure))

    async def _on_auth_response(self, event: AuthResponse) -> None:
        assert self._authenticator is not None  # noqa: S101 - nobody else asks for a response
        self._signed_in(await self._authenticator.respond(event.octets))

    def _signed_in(self, challenge: bytes | None) -> None:
        """Somebody is, or there is one more ``challenge``."""
        if challenge is not None:
            self.wire.expect_response()
            self.write(b"334 " + challenge + b"\r\n")
        elif not self.is_open:
            self.closed()  # gone while we looked the password up
        else:
            self._session_changed()
            self.write(replies.SIGNED_IN)

    # -- the transaction

    async def _on_mail(self, event: Mail) -> None:
        if self._hello is None:
            self._error(replies.HELLO_FIRST)
        elif self._transaction is not None:
            self._error(replies.NESTED_MAIL)
        elif shut := self._shut():
            self._error(shut)
        elif self._patience.transaction():
            self.end(replies.TOO_MANY_TRANSACTIONS)
        else:
            utf8 = False
            if event.parameters:
                check_parameters(
                    event.parameters, self._offers().mail_keywords(), self.factory.max_message_size
                )
                utf8 = "SMTPUTF8" in event.parameters
            _check_ascii(event.path, utf8)
            await self.factory.delivery.sender(self.session, event.path, event.parameters)
            self._transaction = Transaction(event.path, event.parameters, utf8)
            self.write(replies.SENDER_OK)

    async def _on_rcpt(self, event: Rcpt) -> None:
        transaction = self._transaction
        if transaction is None:
            self._error(self._shut() or replies.MAIL_FIRST)
        elif len(transaction.recipients) >= self.limits.recipients:
            self.write(replies.TOO_MANY_RECIPIENTS)
        else:
            if event.parameters:
                check_parameters(event.parameters, (), 0)
            _check_ascii(event.path, transaction.utf8)
            await self.factory.delivery.recipient(self.session, event.path, event.parameters)
            transaction.recipients.append(Recipient(event.path, event.parameters))
            self.write(replies.RECIPIENT_OK)

    def _on_data(self, event: Data) -> None:
        transaction = self._transaction
        if transaction is None:
            self._error(self._shut() or replies.MAIL_FIRST)
        elif not transaction.recipients:
            self._error(replies.NO_RECIPIENTS)
        else:
            factory = self.factory
            self.wire.expect_content()
            self._spool = Spool(factory.max_message_size, factory.spool_folder, self.limits)
            self._pace = Pace(self.limits, self.clock.seconds())
            self.write(replies.SEND_CONTENT)

    def _on_data_chunk(self, event: DataChunk) -> None:
        spool, pace = self._spool, self._pace
        assert spool is not None and pace is not None  # noqa: S101, PT018 - content comes behind DATA only
        spool.write(event.octets)
        pace.received(spool.size, self.clock.seconds())

    async def _on_data_end(self, event: DataEnd) -> None:
        spool, transaction = self._spool, self._transaction
        assert spool is not None and transaction is not None  # noqa: S101, PT018 - so does its end
        self._spool = self._transaction = self._pace = None
        self._patience.message()
        envelope = self._delivering = transaction.envelope(self.factory.next_id(), self.session)
        content = self._arrived(spool, event, transaction, envelope)
        try:
            outcomes = await self.factory.delivery.deliver(envelope, content)
        finally:
            if isinstance(content, FileContent):
                content.close()
        if len(outcomes) != len(envelope.recipients):
            raise ValueError(f"{len(outcomes)} outcomes for {len(envelope.recipients)} recipients")
        self.answer_content(envelope, outcomes)

    def _arrived(self, spool: Spool, event: DataEnd, transaction: Transaction, envelope: Envelope) -> Content:
        """The content, with what this server adds to it.

        :raises MailError: it is not taken.
        """
        if event.fault is not None:
            spool.discard()
            raise Refused(550, *_FAULTS[event.fault])
        spool.write(event.octets)
        message = spool.finish()
        if count_received(message.header) > self.limits.hops:
            raise Refused(554, "5.4.6", "Too many Received fields: the message goes in circles")
        seconds = self.clock.seconds()
        if self.factory.submission:
            message.header = complete_header(message.header, envelope, seconds)
        if self._trace is None:
            self._trace = TraceWriter(self.session)
        return message.content(
            self._trace.received(envelope.id, envelope.recipients, seconds, utf8=transaction.utf8)
        )

    def answer_content(self, envelope: Envelope, outcomes: Sequence[Outcome]) -> None:
        """One reply for all recipients: a failure only if it is everybody's (`IDelivery.deliver`)."""
        if any(outcome.accepted for outcome in outcomes):
            self.write(f"250 2.0.0 Taken as {envelope.id}\r\n".encode())
        else:
            worst = min(outcomes, key=_retry_first)
            self.write(render_reply(worst.code, worst.enhanced, worst.text))

    # -- state

    @property
    def session(self) -> Session:
        """What is known of the client; one value as long as nothing changes."""
        session = self._session
        if session is None:
            hello, authenticator = self._hello, self._authenticator
            session = self._session = Session(
                protocol=self.greetings[hello.verb] if hello else "SMTP",
                hostname=self.factory.hostname,
                peer=self.peer_address,
                helo=hello.name if hello else "",
                submission=self.factory.submission,
                tls=self.tls_info(),
                account=authenticator.account if authenticator else None,
            )
        return session

    def _session_changed(self) -> None:
        self._session = self._trace = None

    def _forget_transaction(self) -> None:
        self._transaction = self._pace = None
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def _shut(self) -> bytes | None:
        """The reply to whoever must use STARTTLS or AUTH before mail is talked about."""
        if self.factory.require_tls and not self.is_encrypted:
            return replies.TLS_FIRST
        if self.factory.submission and (self._authenticator is None or self._authenticator.account is None):
            return replies.AUTH_FIRST
        return None

    def _offers(self) -> Offers:
        """What this client may use now: no AUTH where a password would cross a network in clear."""
        factory = self.factory
        return Offers(
            factory.max_message_size,
            smtputf8=factory.smtputf8,
            starttls=self.can_start_tls,
            auth=factory.portal is not None
            and (self.is_encrypted or (self.is_local and not factory.require_tls)),
        )

    # -- patience

    def _error(self, reply: bytes) -> None:
        """Answer a command that is wrong here."""
        self.write(reply)
        self._end_if(self._patience.error())

    def _small_talk(self, reply: bytes) -> None:
        """Answer a command that brings no mail nearer."""
        self.write(reply)
        self._end_if(self._patience.idle_command())

    def _end_if(self, exhausted: bool) -> None:
        if exhausted and self.is_open:
            self.log.info("{peer}: too many errors", peer=self.peer_address)
            self.end(replies.TOO_MANY_ERRORS)

    _handlers: ClassVar[Mapping[type[Event], _Handler]] = {
        Hello: _on_hello,
        Mail: _on_mail,
        Rcpt: _on_rcpt,
        Data: _on_data,
        DataChunk: _on_data_chunk,
        DataEnd: _on_data_end,
        Rset: _on_rset,
        Noop: _on_noop,
        Vrfy: _on_vrfy,
        Help: _on_help,
        Quit: _on_quit,
        StartTLS: _on_starttls,
        Auth: _on_auth,
        AuthResponse: _on_auth_response,
    }


def _retry_first(outcome: Outcome) -> bool:
    """Orders outcomes: those that ask to try again come first."""
    return outcome.code >= 500


def _check_ascii(path: Address, utf8: bool) -> None:
    """:raises Refused: an internationalised address in a transaction that is not (RFC 6531 3.4)."""
    if not (utf8 or (path.local.isascii() and path.domain.isascii())):
        raise Refused(553, "5.6.7", "An internationalised address needs SMTPUTF8")
