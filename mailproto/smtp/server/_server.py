"""The SMTP server's session: which command may come when, and what is answered (RFC 5321).

The wire below says what was said, the delivery above what is to become of it; in
between is a table of handlers, one for each kind of event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from mailproto import maillog
from mailproto.auth import Login, SASLServer
from mailproto.connection import CloseReason, ServerConnection
from mailproto.errors import AuthenticationFailed, MailError, TemporaryAuthenticationFailure, WireError
from mailproto.model import Envelope, Outcome, Session
from mailproto.smtp.server import (
    _authentication,
    _content_commands,
    _mail_commands,
    _query_commands,
    _session_commands,
)
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.server._error_budget import ErrorBudget
from mailproto.smtp.server._limits import SMTPLimits
from mailproto.smtp.server._offers import Offers
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

__all__ = ["SMTPServer"]

_Handler = Callable[[Any, Any], Awaitable[None] | None]


class SMTPServer(ServerConnection[Event]):
    """One client of an `SMTPServerFactory`.

    :cvar greetings: the verbs that a client may greet with, and the protocol each stands for.
    :ivar hello: how the client greeted, or None.
    :ivar transaction: what MAIL began, or None.
    :ivar reception: the content that is coming, or a chunk that is not wanted, or None.
    :ivar sasl: the exchanges by which the client signs in; None where it cannot.
    :ivar login: who signed in, here or, as XCLIENT told, at a proxy; or None.
    :ivar error_budget: what is left of it.
    :ivar trace: writes this session's Received fields, once there was one.
    :ivar session_log: what the mail log has of it.
    """

    alpn: ClassVar[Sequence[bytes]] = (b"smtp",)  # as clients have it: the registry has no name
    greetings: ClassVar[Mapping[str, str]] = {"HELO": "SMTP", "EHLO": "ESMTP"}

    factory: SMTPServerFactory
    wire: SMTPServerWire
    limits: SMTPLimits

    def __init__(self, factory: SMTPServerFactory) -> None:
        super().__init__(factory)
        self.limits = factory.limits
        self.wire = SMTPServerWire(
            factory.limits.wire, normalise=factory.normalise_newlines, strict=factory.strict_envelopes
        )
        self.hello: Hello | None = None
        portal = factory.portal
        self.sasl = None if portal is None else SASLServer(portal, factory.mechanisms, session=self)
        self.login: Login | None = None
        self.transaction: Transaction | None = None
        self.reception: Reception | DiscardedChunk | None = None
        self.session_log = SessionLog(self)
        self._session: Session | None = None
        self._offers: Offers | None = None
        self._greeting: IDelayedCall | None = None
        self.trace: TraceWriter | None = None
        self.error_budget = ErrorBudget(self.limits)
        self._handlers: Mapping[type[Event], _Handler] = _HANDLERS

    # -- what the shell asks

    def greet(self) -> Awaitable[None] | None:
        """The greeting."""
        if self.factory.require_tls and not self.is_encrypted:
            self._handlers = _BEFORE_TLS
        return self.greet_peer()

    def greet_peer(self) -> Deferred[None] | None:
        """The greeting; with those who need no haste, after a while (RFC 5321 4.3.1)."""
        wait = 0 if self.is_proxy else self.limits.wait_before_greeting(is_local=self.is_local)
        if not wait:
            self.write_greeting()
            return None
        # A proxy may have pipelined what it says after XCLIENT.
        waited: Deferred[int] = Deferred()
        self._greeting = self.clock.callLater(wait, waited.callback, self.wire.pending)
        return waited.addCallback(self._waited)

    def _waited(self, pending: int) -> None:
        if self.wire.pending > pending:
            self.session_log.sent_away(replies.EARLY_TALKER)
            self.end(replies.EARLY_TALKER, "talked before the greeting")
        elif not self.factory.stopping:
            self.write_greeting()

    def write_greeting(self) -> None:
        """The greeting (RFC 5321 4.3.1)."""
        self.write(f"220 {self.factory.hostname} {self.factory.greeting}\r\n".encode())

    def handle(self, event: Event) -> Awaitable[None] | None:
        """Look the event's handler up."""
        return self._handlers[type(event)](self, event)

    def refuse_syntax(self, error: WireError) -> None:
        """Answer a line that is no command; an AUTH exchange does not survive one."""
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
        """Answer what a handler raised."""
        self.answer(error)
        if isinstance(event, Mail | Rcpt):
            self.error_budget.excuse_pipelined()
        if isinstance(event, Auth | AuthResponse) and isinstance(error, AuthenticationFailed):
            self.end_if_exhausted(self.error_budget.authentication_failure())
        elif error.code >= 500:
            is_guess = isinstance(event, Rcpt | Vrfy | Expn)
            self.end_if_exhausted(
                self.error_budget.refused_recipient() if is_guess else self.error_budget.error()
            )

    def closing_words(self, reason: CloseReason) -> bytes:
        """421 (RFC 5321 3.8)."""
        return replies.closing_words(self.factory.hostname, reason)

    def idle_limit(self) -> float:
        """While content comes, it counts from when it last came fast enough."""
        limit = super().idle_limit()
        return limit if self.reception is None else self.reception.rate.last_progress + limit - self._progress

    def closed(self) -> None:
        """A transaction that has not come to its dot is forgotten (RFC 5321 3.8)."""
        if self._greeting is not None and self._greeting.active():
            self._greeting.cancel()
        self.forget_client()

    # -- what the mail log has of it

    def describe(self, event: Event) -> str:
        """The command that an event belongs to."""
        return command_of(event)

    @property
    def client(self) -> maillog.Client:
        """See `ServerConnection.client`: one value as long as nothing changes."""
        return self.session_log.client

    @property
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return self.account

    def log_refusal(self, event: Event, error: MailError) -> None:
        """Log every refusal, but for those of sign-ins: they are logged where they fail."""
        logged = AuthenticationFailed | TemporaryAuthenticationFailure
        if not isinstance(event, Auth | AuthResponse) and not isinstance(error, logged):
            outcome = Outcome(error.code, error.enhanced, error.text, error.detail)
            self.session_log.refused(outcome, command_of(event), event)

    def log_counts(self) -> dict[str, str | int]:
        """See `ServerConnection.log_counts`."""
        return self.session_log.counts()

    # -- what becomes of a message

    def content_answer(self, outcomes: Sequence[Outcome]) -> Outcome | None:
        """What the client is told of a message that is not taken; None if it is.

        One reply for all recipients: a failure only if it is everybody's (`IDelivery.deliver`).
        """
        for outcome in outcomes:
            if outcome.accepted:
                return None
        return min(outcomes, key=_retry_first)

    def answer_content(self, envelope: Envelope, outcomes: Sequence[Outcome], answer: Outcome | None) -> None:
        """Say what became of a message.

        :param answer: `content_answer`'s.
        """
        if answer is None:
            self.write(b"250 2.0.0 Taken as %b\r\n" % envelope.id.encode())
        else:
            self.answer(answer)

    def answer(self, outcome: Outcome | MailError) -> None:
        """Say what became of something; 421 is the last that is said (RFC 5321 3.8)."""
        reply = render_reply(outcome.code, outcome.enhanced, outcome.text)
        if outcome.code == 421:
            self.end(reply, outcome.text)
        else:
            self.write(reply)

    def no_recipients(self, *, last: bool) -> bytes:
        """The reply to a BDAT in a transaction without recipients.

        :param last: whether the message ended with it.
        """
        return replies.NO_RECIPIENTS

    # -- state

    @property
    def session(self) -> Session:
        """What is known of the client; one value as long as nothing changes."""
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
        """Whether the client asked for extensions."""
        return self.hello is not None and self.hello.verb != "HELO"

    @property
    def account(self) -> str | None:
        """Who signed in."""
        return None if self.login is None else self.login.account.name

    @property
    def may_xclient(self) -> bool:
        """Whether the peer is a proxy that may use XCLIENT, and has not done so."""
        proxies = self.factory.xclient
        return (
            bool(proxies)
            and not self.is_spoken_for
            and not self.peer.is_proxy  # that is one of `ProxiedFactory`, and may have a client all the same
            and self.peer.host in proxies
        )

    @property
    def is_proxy(self) -> bool:
        """See `ServerConnection.is_proxy`."""
        return self.peer.is_proxy or self.may_xclient

    def forget_client(self) -> None:
        """Forget what the client said and who it is: it begins anew."""
        self.forget_transaction()
        self.hello = None
        if self.sasl is not None:
            self.sasl.abandon()
        login, self.login = self.login, None
        if login is not None:
            login.logout()

    def session_changed(self) -> None:
        """Something that `session` tells is not so any more."""
        self._session = self.trace = self._offers = None
        self.session_log.forget_client()

    def encrypted(self) -> None:
        """TLS is on: what was learnt in plaintext is forgotten (RFC 3207 4.2)."""
        self.forget_client()
        self.session_changed()
        self._handlers = _HANDLERS

    def forget_transaction(self) -> None:
        """As RSET does (RFC 5321 4.1.1.5)."""
        self.transaction = None
        if self.reception is not None:
            self.reception.discard()
            self.reception = None

    def access_refusal(self) -> bytes | None:
        """The reply to whoever must use STARTTLS or AUTH before mail is talked about."""
        if self.factory.require_tls and not self.is_encrypted:
            return replies.TLS_FIRST
        if self.factory.submission and self.account is None:
            return replies.AUTH_FIRST
        return None

    @property
    def offers(self) -> Offers:
        """What this client may use now."""
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
                verbs=factory.verbs,
            )
        return offers

    def _mechanisms(self) -> tuple[str, ...]:
        """Of AUTH."""
        if self.sasl is None or (self.factory.require_tls and not self.is_encrypted):
            return ()
        return self.sasl.mechanisms(self.channel)

    # -- the error budget

    def error(self, reply: bytes, command: str = "", event: Event | None = None) -> None:
        """Answer a command that is wrong here.

        :param command: to be named in the log; others are only counted.
        """
        self._refuse_here(reply, command, event)
        self.end_if_exhausted(self.error_budget.error())

    def misplaced(self, reply: bytes, command: str = "") -> None:
        """Answer what belongs into a transaction, where there is none or nobody in it."""
        self._refuse_here(reply, command)
        self.end_if_exhausted(self.error_budget.misplaced())

    def _refuse_here(self, reply: bytes, command: str, event: Event | None = None) -> None:
        if command:
            self.session_log.refused(reply, command, event)
        self.session_log.last_error = reply
        self.write(reply)

    def write_refusal(self, reply: bytes, event: Event) -> None:
        """Refuse what is right, and more than the client may have."""
        self.session_log.refused(reply, command_of(event), event)
        self.write(reply)

    def answer_idle_command(self, reply: bytes) -> None:
        """Answer a command that brings no mail nearer."""
        self.write(reply)
        self.end_if_exhausted(self.error_budget.idle_command())

    def end_if_exhausted(self, exhausted: bool) -> None:
        """Send the client away if that was one mistake too many."""
        if exhausted and self.is_open:
            self.session_log.sent_away(replies.TOO_MANY_ERRORS, self.session_log.last_error)
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
}
"""What is done about each kind of event."""

_BEFORE_TLS: Mapping[type[Event], _Handler] = {
    **dict.fromkeys(_HANDLERS, _session_commands.tls_first),
    **{kind: _HANDLERS[kind] for kind in (Noop, StartTLS, Quit, Bdat, DataChunk, ChunkEnd)},
    Hello: _session_commands.hello_before_tls,
}
"""Where nothing is done in plaintext; a BDAT, which is refused as well, is read to its end."""

_VERBS_BEFORE_TLS = frozenset({"NOOP", "EHLO", "LHLO", "STARTTLS", "QUIT"})


def _retry_first(outcome: Outcome) -> bool:
    """Orders outcomes: those that ask to try again come first."""
    return outcome.code >= 500
