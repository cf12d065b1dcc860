"""The SMTP server's session: its state, and the order of commands (RFC 5321).

The wire gives events, and the delivery decides about mail.  Between them is a table with a handler
for each kind of event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mailproto._spool_room import RoomClaim
from mailproto.auth.signing_in import Login
from mailproto.connection import ServerConnection
from mailproto.connection.limits import CloseReason
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure, WireError
from mailproto.model import Envelope, Outcome, Session
from mailproto.observing import Client
from mailproto.smtp.server import (
    _authentication,
    _content_commands,
    _mail_commands,
    _query_commands,
    _session_commands,
)
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.server._delivery_calls import DELIVERED, DeliveryCalls
from mailproto.smtp.server._error_budget import ErrorBudget
from mailproto.smtp.server._greeting import Greeting
from mailproto.smtp.server._limits import SMTPLimits
from mailproto.smtp.server._offers import Offers
from mailproto.smtp.server._own_commands import own_command
from mailproto.smtp.server._reception import DiscardedChunk, Reception
from mailproto.smtp.server._session_log import SessionLog, command_of
from mailproto.smtp.server._trace import TraceWriter
from mailproto.smtp.server._transaction import Transaction
from mailproto.smtp.server._xclient import xclient
from mailproto.smtp.wire import (
    Auth,
    AuthResponse,
    Bdat,
    ChunkEnd,
    Data,
    DataChunk,
    DataEnd,
    Etrn,
    Event,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    OwnCommand,
    Quit,
    Rcpt,
    Rset,
    SMTPServerWire,
    SMTPSyntaxError,
    StartTLS,
    Vrfy,
    XClient,
    render_reply,
)

if TYPE_CHECKING:
    from mailproto.smtp.server._factory import SMTPServerFactory
    from mailproto.smtp.server._sending_policy import ClientPolicy

__all__ = ["SMTPServer"]

_Handler = Callable[[Any, Any], Awaitable[None] | None]

_SIGN_IN_FAILED = (AuthenticationFailed, TemporaryAuthenticationFailure)


class SMTPServer(ServerConnection[Event]):
    """One client of an `SMTPServerFactory`.

    :cvar greetings: the verbs with which a client may greet, and the protocol of each.
    :cvar answers_each: whether each recipient has a reply of its own (LMTP).
    :ivar greeting: greets the client.
    :ivar hello: the client's greeting, or None.
    :ivar delivery: calls the factory's delivery for this connection.
    :ivar transaction: the transaction since MAIL, or None.
    :ivar reception: the content or the refused chunk that is coming, or None.
    :ivar sasl: the exchanges of AUTH; None if there is no AUTH.
    :ivar login: the login here, or at a proxy that has told it by XCLIENT; or None.
    :ivar error_budget: counts the client's errors.
    :ivar trace: writes this session's Received fields; None before the first one.
    :ivar session_log: writes this session's lines in the mail log.
    """

    alpn: ClassVar[Sequence[bytes]] = (b"smtp",)  # clients use this name; none is registered
    greetings: ClassVar[Mapping[str, str]] = {"HELO": "SMTP", "EHLO": "ESMTP"}
    answers_each: ClassVar[bool] = False

    factory: SMTPServerFactory
    wire: SMTPServerWire
    limits: SMTPLimits

    def __init__(self, factory: SMTPServerFactory) -> None:
        super().__init__(factory)
        self.limits = factory.limits
        self.wire = SMTPServerWire(
            factory.limits.wire,
            normalise=factory.normalise_newlines,
            strict=factory.strict_envelopes,
            own=factory.commands,
        )
        self.hello: Hello | None = None
        self.sasl = factory.make_sasl(self)
        self.login: Login | None = None
        self.delivery = DeliveryCalls(self)
        self.transaction: Transaction | None = None
        self.reception: Reception | DiscardedChunk | None = None
        self.session_log = SessionLog(self)
        self._session: Session | None = None
        self._offers: Offers | None = None
        self._room_claim: RoomClaim | None = None
        self._sending_policy: ClientPolicy | None = None
        self._has_policy = False
        self.greeting = Greeting(self)
        self.trace: TraceWriter | None = None
        self.error_budget = ErrorBudget(self.limits)
        self._handlers: Mapping[type[Event], _Handler] = _HANDLERS

    # -- called by `ServerConnection`

    def greet(self) -> Awaitable[None] | None:
        """Choose the table of handlers, and greet the client."""
        if self.factory.require_tls and not self.is_encrypted:
            self._handlers = _BEFORE_TLS
        return self.greeting.begin()

    def write_greeting(self) -> None:
        """Send the greeting now (RFC 5321 4.3.1)."""
        self.write(f"220 {self.factory.hostname} {self.factory.greeting}\r\n".encode())

    def handle(self, event: Event) -> Awaitable[None] | None:
        """Call the event's handler."""
        return self._handlers[type(event)](self, event)

    def refuse_syntax(self, error: WireError) -> None:
        """Answer a line that is not a valid command; it also ends an AUTH exchange."""
        if self.sasl is not None:
            self.sasl.abandon()
        if isinstance(error, SMTPSyntaxError):
            verb = error.verb
            is_envelope = verb in ("MAIL", "RCPT")
            if is_envelope:
                self.error_budget.excuse_pipelined()
            if self._handlers is _BEFORE_TLS and verb not in _VERBS_BEFORE_TLS and not error.fatal:
                reply = replies.TLS_FIRST
            elif verb == "XCLIENT" and not self.may_xclient and not error.fatal:
                reply = replies.NO_PROXY
            else:
                reply = render_reply(error.code, error.enhanced, error.text)
            self.error(reply, verb if is_envelope or verb == "XCLIENT" else "")

    def refuse(self, event: Event, error: MailError) -> None:
        """Answer with the error that a handler has raised."""
        self.answer(error)
        if isinstance(event, Mail | Rcpt):
            self.error_budget.excuse_pipelined()
        if isinstance(event, Auth | AuthResponse) and self.sasl is not None:
            self.end_if_exhausted(self.sasl.failures >= self.limits.authentication_failures)
            if isinstance(error, AuthenticationFailed):
                return
        if error.code >= 500:
            is_guess = isinstance(event, Rcpt | Vrfy | Expn)
            self.end_if_exhausted(
                self.error_budget.refused_recipient() if is_guess else self.error_budget.error()
            )

    def closing_words(self, reason: CloseReason) -> bytes:
        """The 421 reply (RFC 5321 3.8)."""
        return replies.closing_words(self.factory.hostname, reason)

    def idle_limit(self) -> float:
        """While content comes, the idle time begins when it last came fast enough."""
        limit = super().idle_limit()
        return limit if self.reception is None else self.reception.rate.last_progress + limit - self._progress

    def closed(self) -> None:
        """Drop an unfinished transaction (RFC 5321 3.8), after the running command."""
        self.greeting.cancel()
        self._sign_out()
        self.when_idle(self._end_delivery)

    def _end_delivery(self) -> None:
        self.forget_transaction()
        self.delivery.end()

    # -- for the mail log

    def describe(self, event: Event) -> str:
        """The command to which an event belongs."""
        return command_of(event)

    @property
    def client(self) -> Client:
        """See `ServerConnection.client`; the same value as long as nothing changes."""
        return self.session_log.client

    @property
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return self.account

    @property
    def is_stranger(self) -> bool:
        """Whether the client has not signed in, and no message is under way or was accepted.

        A message is under way once a recipient was accepted.  A client of LMTP is an MTA of our own.
        """
        if self.account is not None or self.session_log.taken or not self.factory.faces_internet:
            return False
        transaction = self.transaction
        return transaction is None or not transaction.recipients

    @property
    def must_sign_in(self) -> bool:
        """See `ServerConnection.must_sign_in`."""
        return self.factory.auth_required

    def log_refusal(self, event: Event, error: MailError) -> None:
        """Log every refusal except failed logins, which `mailproto.auth` logs."""
        if not isinstance(event, Auth | AuthResponse) and not isinstance(error, _SIGN_IN_FAILED):
            outcome = Outcome(error.code, error.enhanced, error.text, error.detail)
            self.session_log.refused(outcome, command_of(event), event)

    def log_counts(self) -> dict[str, str | int]:
        """See `ServerConnection.log_counts`."""
        return self.session_log.counts()

    # -- answers

    def content_answer(self, outcomes: Sequence[Outcome]) -> Outcome | None:
        """The outcome to answer if the message was not accepted; None if it was.

        There is one reply for all recipients: a failure only if all have failed (`IDelivery.deliver`).
        """
        for outcome in outcomes:
            if outcome.accepted:
                return None
        return min(outcomes, key=_retry_first)

    def answer_content(self, envelope: Envelope, outcomes: Sequence[Outcome], answer: Outcome | None) -> None:
        """Answer the content of a message; the delivery's own words follow the id.

        :param answer: the result of `content_answer`.
        """
        if answer is None:
            said = outcomes[0] if len(outcomes) == 1 else next(each for each in outcomes if each.accepted)
            if said.text == DELIVERED.text:
                self.write(b"250 2.0.0 Taken as %b\r\n" % envelope.id.encode())
            else:
                self.write(render_reply(250, "2.0.0", f"Taken as {envelope.id}: {said.text}"))
        else:
            self.answer(answer)

    def answer(self, outcome: Outcome | MailError) -> None:
        """Answer with an outcome; a 421 closes the connection (RFC 5321 3.8)."""
        reply = render_reply(outcome.code, outcome.enhanced, outcome.text)
        if outcome.code == 421:
            self.end(reply, outcome.text)
        else:
            self.write(reply)

    def no_recipients(self, *, last: bool) -> bytes:
        """The reply to a BDAT in a transaction without recipients.

        :param last: whether it was the last chunk.
        """
        return replies.NO_RECIPIENTS

    # -- state

    @property
    def session(self) -> Session:
        """What is known about the client; the same value as long as nothing changes."""
        session = self._session
        if session is None:
            hello = self.hello
            session = self._session = Session(
                protocol=self.greetings[hello.verb] if hello else "SMTP",
                hostname=self.factory.hostname,
                peer=self.peer_address,
                helo=hello.name if hello else "",
                submission=self.factory.submission,
                tls=self.tls_info(),
                account=self.account,
            )
        return session

    @property
    def extended(self) -> bool:
        """Whether the client has asked for extensions."""
        return self.hello is not None and self.hello.verb != "HELO"

    @property
    def account(self) -> str | None:
        """The name of the account that signed in, or None."""
        return None if self.login is None else self.login.name

    @property
    def may_xclient(self) -> bool:
        """Whether the peer is a proxy that may use XCLIENT, and has not used it yet."""
        proxies = self.factory.xclient
        return (
            bool(proxies)
            and not self.is_spoken_for
            and not self.peer.is_proxy  # the PROXY protocol is used, but has named no client
            and self.peer.host in proxies
        )

    @property
    def is_proxy(self) -> bool:
        """See `ServerConnection.is_proxy`."""
        return self.peer.is_proxy or self.may_xclient

    def forget_client(self) -> None:
        """Forget all that the client has said, and its login: the session begins again."""
        self.forget_transaction()
        self._sign_out()

    def _sign_out(self) -> None:
        self.hello = None
        if self.sasl is not None:
            self.sasl.abandon()
        login, self.login = self.login, None
        if login is not None:
            login.logout()

    def session_changed(self) -> None:
        """Make `session` and what depends on it anew."""
        self._session = self.trace = self._offers = self._room_claim = None
        self._has_policy = False
        self.session_log.forget_client()

    def encrypted(self) -> None:
        """TLS is on: forget what was said in plaintext (RFC 3207 4.2)."""
        self.forget_client()
        self.session_changed()
        self._handlers = _HANDLERS

    def forget_transaction(self) -> None:
        """Drop the transaction, as RSET does (RFC 5321 4.1.1.5)."""
        if self.transaction is not None:
            self.transaction = None
            self.delivery.reset()
        if self.reception is not None:
            self.reception.discard()
            self.reception = None

    def access_refusal(self) -> bytes | None:
        """The reply to mail commands if STARTTLS or AUTH must come before them; or None."""
        if self.factory.require_tls and not self.is_encrypted:
            return replies.TLS_FIRST
        if self.factory.auth_required and self.account is None:
            return replies.AUTH_FIRST
        return None

    @property
    def sending_policy(self) -> ClientPolicy | None:
        """What checks this client's senders and rates; None if there is nothing to check."""
        if not self._has_policy:
            self._has_policy = True
            policy = self.factory.sending_policy
            self._sending_policy = None if policy is None else policy.of_client(self)
        return self._sending_policy

    @property
    def room_claim(self) -> RoomClaim:
        """The room for the content of one message at a time."""
        claim = self._room_claim
        if claim is None:
            network = None if self.peer.is_near else self.peer.network
            claim = self._room_claim = RoomClaim(self.factory.spool_room, network)
        return claim

    @property
    def offers(self) -> Offers:
        """The extensions that are offered now."""
        offers = self._offers
        if offers is None:
            factory = self.factory
            offers = self._offers = Offers(
                extended=self.extended,
                max_message_size=factory.max_message_size,
                recipients=self.limits.recipients,
                transactions=self.limits.transactions,
                starttls=self.can_start_tls,
                mechanisms=self._mechanisms(),
                xclient=self.may_xclient,
                encrypted=self.is_encrypted,
                submission=factory.submission,
                service_extensions=factory.service_extensions,
                verbs=tuple(verb for verb in factory.verbs if self.may_use(verb)),
                own_verbs=tuple(factory.commands),
                capabilities=factory.capabilities,
            )
        return offers

    def may_use(self, verb: str) -> bool:
        """Whether the client may use VRFY, EXPN or ETRN, if the delivery has it."""
        permitted = self.factory.permitted_commands
        return self.access_refusal() is None and (permitted is None or permitted.permits(self.session, verb))

    def _mechanisms(self) -> tuple[str, ...]:
        """The mechanisms of AUTH that are offered now."""
        if self.sasl is None or (self.factory.require_tls and not self.is_encrypted):
            return ()
        return self.sasl.mechanisms(self.channel)

    # -- the error budget

    def error(self, reply: bytes, command: str = "", event: Event | None = None) -> None:
        """Answer a command that is not valid here, and count it as an error.

        :param command: its name for the log; without it, the error is only counted.
        """
        self._refuse_here(reply, command, event)
        self.end_if_exhausted(self.error_budget.error())

    def misplaced(self, reply: bytes, command: str = "") -> None:
        """Answer a command that needs a transaction with recipients, where there is none."""
        self._refuse_here(reply, command)
        self.end_if_exhausted(self.error_budget.misplaced())

    def _refuse_here(self, reply: bytes, command: str, event: Event | None = None) -> None:
        if command:
            self.session_log.refused(reply, command, event)
        self.session_log.last_error = reply
        self.write(reply)

    def write_refusal(self, reply: bytes, event: Event) -> None:
        """Refuse a valid command that exceeds a limit; it is not counted as an error."""
        self.session_log.refused(reply, command_of(event), event)
        self.write(reply)

    def answer_idle_command(self, reply: bytes) -> None:
        """Answer a command that sends no mail, and count it."""
        self.write(reply)
        self.end_if_exhausted(self.error_budget.idle_command())

    def end_if_exhausted(self, exhausted: bool) -> None:
        """Close the connection if the client has made too many errors."""
        if exhausted and self.is_open:
            self.session_log.client_refused(replies.TOO_MANY_ERRORS, self.session_log.last_error)
            self.end(replies.TOO_MANY_ERRORS, "too many errors")


_HANDLERS: Mapping[type[Event], _Handler] = {
    Hello: _session_commands.hello,
    Mail: _mail_commands.mail,
    Rcpt: _mail_commands.rcpt,
    Data: _content_commands.data,
    DataChunk: _content_commands.data_chunk,
    DataEnd: _content_commands.data_end,
    Bdat: _content_commands.bdat,
    ChunkEnd: _content_commands.chunk_end,
    Rset: _session_commands.rset,
    Noop: _session_commands.noop,
    Vrfy: _query_commands.vrfy,
    Expn: _query_commands.expn,
    Etrn: _query_commands.etrn,
    Help: _query_commands.help,
    Quit: _session_commands.quit,
    StartTLS: _session_commands.starttls,
    Auth: _authentication.auth,
    AuthResponse: _authentication.auth_response,
    XClient: xclient,
    OwnCommand: own_command,
}
"""The handler for each kind of event."""

_BEFORE_TLS: Mapping[type[Event], _Handler] = {
    **dict.fromkeys(_HANDLERS, _session_commands.tls_first),
    **{kind: _HANDLERS[kind] for kind in (Noop, StartTLS, Quit, Bdat, DataChunk, ChunkEnd)},
    Hello: _session_commands.hello_before_tls,
}
"""The handlers before TLS, where TLS is required; the chunk of a refused BDAT is read to its end."""

_VERBS_BEFORE_TLS = frozenset({"NOOP", "EHLO", "LHLO", "STARTTLS", "QUIT"})


def _retry_first(outcome: Outcome) -> bool:
    """The order of outcomes: temporary failures come first."""
    return outcome.code >= 500
