"""One client's IMAP session: its state, and what is the same for every command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, cast

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from mailproto.auth.sasl import SASLServer
from mailproto.connection import ConnectionOver, ServerConnection
from mailproto.connection.commands import State
from mailproto.connection.limits import CloseReason
from mailproto.errors import MailError, NoSuchMailbox, WireError
from mailproto.imap.server._append import Spool, begin_append
from mailproto.imap.server._commands import Rule, Updates
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._session_commands import capabilities
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import (
    AppendLiteral,
    Command,
    ContinuationLine,
    Event,
    IMAPServerWire,
    IMAPWireError,
    LiteralChunk,
    LiteralRequest,
)
from mailproto.interfaces import IAccount

if TYPE_CHECKING:
    from mailproto.imap.server._factory import IMAPServerFactory

__all__ = ["IMAPServer"]

_UNAVAILABLE = (CloseReason.STOPPING, CloseReason.CROWDED)
"""Reasons after which the client may try again later (RFC 5530 3)."""

_FEW = 4
"""Work on so many messages never takes milliseconds before it pauses."""

Reply: TypeAlias = bytes | None


@implementer(IHandshakeListener)
class IMAPServer(ServerConnection[Event]):
    """An IMAP server connection.

    :ivar sasl: the exchanges of AUTHENTICATE.
    :ivar account: the account that signed in, or None.
    :ivar writer: tells the client of the selected mailbox; None if no mailbox is selected.
    """

    alpn: ClassVar[Sequence[bytes]] = (b"imap",)
    factory: IMAPServerFactory
    limits: IMAPLimits
    wire: IMAPServerWire

    def __init__(self, factory: IMAPServerFactory) -> None:
        super().__init__(factory)
        self.wire = IMAPServerWire(self.limits.before_login, grammars=factory.grammars)
        self.sasl = SASLServer(
            factory.portal,
            factory.mechanisms,
            clock=factory.clock,
            session=self,
            failure_delay=factory.limits.failure_delay,
        )
        self.account: IAccount | None = None
        self.writer: ViewWriter | None = None
        self.spool: Spool | None = None
        self._greeting = False
        self._logout: Callable[[], None] | None = None
        self._responses: list[bytes] = []
        self._bad_commands = 0
        self._has_answered = False  # whether anything was sent in answer to the running command
        self._commands = 0  # how many were completed
        # The command that waits for a line from the client, and the function that takes the line.
        self._waiting_command: Command[Any] | None = None
        self._on_line: Callable[[bytes], Awaitable[Reply]] | None = None
        self._last_line_command: Command[Any] | None = None  # the one that got the latest line

    # -- around each command

    def greet(self) -> None:
        """Send the greeting (RFC 9051 7.1.5) with the capabilities, so that the client need not ask.

        With implicit TLS the greeting waits for the end of the handshake: before, there is no
        client certificate and no channel binding, and the capabilities depend on both.
        """
        self._greeting = True
        if not self.is_encrypted:
            self._write_greeting()

    def handshakeCompleted(self) -> None:
        """TLS is on (`IHandshakeListener`)."""
        if self._greeting:
            self._write_greeting()

    def _write_greeting(self) -> None:
        self._greeting = False
        self.write(b"* OK [CAPABILITY %b] %b ready\r\n" % (capabilities(self), self.factory.greeting_name))

    def handle(self, event: Event) -> Awaitable[None] | None:
        """See `ServerConnection.handle`."""
        if type(event) is LiteralChunk:
            if self.spool is not None:
                self.spool.write(event.data)
            return None
        if isinstance(event, Command):
            return self._command(event)
        if isinstance(event, ContinuationLine):
            return self._continue(event)
        if isinstance(event, LiteralRequest):
            self._rule(event.name)  # a refused command's literals, such as a password, are not asked for
            self.write(b"+ OK\r\n")
            return None
        return self._append_literal(cast(AppendLiteral, event))

    async def _command(self, command: Command[Any]) -> None:
        self._has_answered = False
        rule = self._rule(command.name)
        try:
            reply = await rule.handler(self, command)
        except IMAPWireError as error:  # a sequence number of no message, which the wire could not know
            raise BadCommand(error.text) from None
        if self._waiting_command is None:
            await self._complete(command, rule, reply)

    def _rule(self, name: str) -> Rule:
        """Find a command's row in the table.

        :raises MailError: the command is not valid now.
        """
        rule = self.factory.rules.get(name)
        if rule is None or self.state not in rule.states:
            raise BadCommand("Unknown command" if rule is None else "Not valid in this state")
        if rule.precheck is not None:
            rule.precheck(self)
        return rule

    async def _continue(self, line: ContinuationLine) -> None:
        command, answer = self._waiting_command, self._on_line
        self._waiting_command = self._on_line = None
        if command is None or answer is None:
            return
        self._last_line_command = command
        reply = await answer(line.data)
        if self._waiting_command is None:
            await self._complete(command, self.factory.rules[command.name], reply)

    async def _complete(self, command: Command[Any], rule: Rule, reply: Reply) -> None:
        if rule.updates is not Updates.NOTHING:
            try:
                await self.catch_up(expunges=rule.updates is Updates.ALL or command.uid)
            except SessionOver:
                raise
            except Exception:
                # The command is done, and the client must not repeat it: the next command brings the updates.
                self.log.failure("{peer}: updates after {name} failed", peer=self.peer, name=command.name)
        name = "UID " + command.name if command.uid else command.name
        text = reply or f"{name} completed".encode("ascii")
        self._responses.append(b"%b OK %b\r\n" % (command.tag.encode("ascii"), text))
        self._bad_commands = 0
        self._commands += self.account is not None
        self._send()

    async def _append_literal(self, event: AppendLiteral) -> None:
        if self.state not in self.factory.rules["APPEND"].states:
            raise BadCommand
        self.spool = await begin_append(self, event)
        if event.synchronizing:
            self.write(b"+ OK\r\n")

    # -- refusals

    def refuse(self, event: Event, error: MailError) -> None:
        """See `ServerConnection.refuse`."""
        if isinstance(error, SessionOver):
            return
        if isinstance(event, AppendLiteral | LiteralRequest):
            self.wire.refuse_literal()
        if isinstance(event, ContinuationLine) and self._last_line_command is not None:
            event = self._last_line_command
        tag = getattr(event, "tag", "")
        bad = isinstance(error, BadCommand)
        code = f"[{error.imap}] " if error.imap else ""
        text = " ".join(error.text.splitlines())  # SMTP's replies may have several lines
        self._refused(tag, f"{'BAD' if bad else 'NO'} {code}{text}".encode("ascii", "replace"), bad=bad)

    def refuse_syntax(self, error: WireError) -> None:
        """See `ServerConnection.refuse_syntax`."""
        error = cast(IMAPWireError, error)  # the wire raises no other kind
        self.drop_spool()
        tag = error.tag
        if self._waiting_command is not None:
            # The line was to be a SASL response, or DONE: the command that waited for it is over.
            tag = tag or self._waiting_command.tag
            self.forget_line_request()
        code = f"[{error.code}] " if error.code else ""
        kind = "BAD" if error.bad else "NO"
        if error.fatal:
            self.write(f"* BYE {code}{error.text}\r\n".encode("ascii", "replace"))
            return
        self._refused(tag or "", f"{kind} {code}{error.text}".encode("ascii", "replace"), bad=error.bad)

    def _refused(self, tag: str, text: bytes, *, bad: bool = False) -> None:
        self._responses.append(b"%b %b\r\n" % (tag.encode("ascii") or b"*", text))
        self._send()
        self._bad_commands = self._bad_commands + 1 if bad else 0
        if self._bad_commands >= self.limits.bad_commands:
            self.end(b"* BYE Too many bad commands\r\n", "too many bad commands")
        elif self.sasl.failures >= self.limits.failed_logins:
            self.end(b"* BYE Too many failed logins\r\n", "too many failed logins")

    def closing_words(self, reason: CloseReason) -> bytes:
        """See `ServerConnection.closing_words`."""
        code = b"[UNAVAILABLE] " if reason in _UNAVAILABLE else b""
        text = reason.value[0].upper() + reason.value[1:]
        return b"* BYE %b%b\r\n" % (code, text.encode("ascii"))

    def describe(self, event: Event) -> str:
        """See `ServerConnection.describe`."""
        return event.name if isinstance(event, Command) else type(event).__name__

    @property
    def must_sign_in(self) -> bool:
        """See `ServerConnection.must_sign_in`."""
        return True

    @property
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return None if self.account is None else self.account.name

    def log_refusal(self, event: Event, error: MailError) -> None:
        """See `ServerConnection.log_refusal`."""
        if not isinstance(error, SessionOver):
            super().log_refusal(event, error)

    def log_counts(self) -> dict[str, str | int]:
        """See `ServerConnection.log_counts`."""
        return {"commands": self._commands}

    def idle_limit(self) -> float:
        """The time is shorter before login; RFC 9051 5.4 is about sessions after login."""
        return self.limits.idle if self.account is not None else self.limits.first_command

    # -- what handlers use

    @property
    def state(self) -> State:
        """The state of RFC 9051 3."""
        if self.account is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    @property
    def signed_in(self) -> IAccount:
        """The account, for commands that need one."""
        if self.account is None:
            raise BadCommand
        return self.account

    @property
    def view(self) -> MailboxView | None:
        """The selected mailbox, or None."""
        return None if self.writer is None else self.writer.view

    @property
    def selected(self) -> MailboxView:
        """The selected mailbox, for commands that need one."""
        return self.selected_writer.view

    @property
    def selected_writer(self) -> ViewWriter:
        """Tells the client of the selected mailbox, for commands that need one."""
        if self.writer is None:
            raise BadCommand
        return self.writer

    def respond(self, data: bytes) -> None:
        """Collect untagged responses; they are sent with the tagged one, or by `flush`."""
        self._responses.append(data)

    async def flush(self, before_waiting: Callable[[], None] | None = None) -> None:
        """Send the collected responses, wait while the client is slow, and let others have their turn.

        :param before_waiting: called if the client is slow.
        :raises SessionOver: the client is gone.
        """
        self._send()
        drained = self.drained()
        if before_waiting is not None and self.congested:
            before_waiting()
        await drained
        await self.yield_turn()
        if not self.is_open:
            raise SessionOver

    async def yield_turn(self) -> None:
        """See `breathe`.

        :raises SessionOver: the client is gone.
        """
        try:
            await self.breathe()
        except ConnectionOver:
            raise SessionOver from None

    async def wait_turn_for(self, messages: int) -> None:
        """Before work on some messages: if they are many, let others go first (`wait_turn`).

        Otherwise many who ask for that at once would all be served before somebody's NOOP.
        """
        if messages > _FEW:
            await self.wait_turn()

    def end_after(self, command: Command[Any], text: bytes) -> NoReturn:
        """Answer a command with BYE and OK, and end the connection, as LOGOUT does."""
        responses = b"".join(self._responses)
        self._responses.clear()
        reply = b"%b OK %b\r\n" % (command.tag.encode("ascii"), text)
        self.end(b"%b* BYE Logging out\r\n%b" % (responses, reply), "quit")
        raise SessionOver

    def is_still_there(self) -> None:
        """See `EventConnection.is_still_there`; in the midst of a response, that is what is sent."""
        if not self._has_answered:
            self.write(b"* OK Still working\r\n")

    def _send(self) -> None:
        if self._responses:
            self._has_answered = True
            data = self._responses[0] if len(self._responses) == 1 else b"".join(self._responses)
            self._responses.clear()
            self.write(data)

    async def catch_up(self, *, expunges: bool) -> None:
        """Tell the client of changes in the selected mailbox.

        :raises SessionOver: the mailbox was deleted, so the connection is closed: RFC 2180 3.1
            leaves nothing better.
        """
        if self.writer is None or not self.writer.has_updates(expunges=expunges):
            return
        told = False
        try:
            async for piece in self.writer.updates(expunges=expunges):
                if told:  # the usual single piece is sent with the command's answer
                    await self.flush()
                self._responses.append(piece)
                told = True
        except NoSuchMailbox:
            self._send()
            self.end(b"* BYE Selected mailbox was deleted\r\n", "selected mailbox was deleted")
            raise SessionOver from None

    def request_line(
        self, command: Command[Any], prompt: bytes, answer: Callable[[bytes], Awaitable[Reply]]
    ) -> None:
        """Write ``+`` and ``prompt``, and pass the client's next line to ``answer``.

        :param answer: called with the line; its result completes the command, as a handler's does.
        """
        self._waiting_command, self._on_line = command, answer
        self.wire.expect_line()
        self._responses.append(b"+ %b\r\n" % prompt)
        self._send()

    def forget_line_request(self) -> None:
        """Forget the command that waits for a line."""
        self._waiting_command = self._on_line = None
        self.sasl.abandon()
        if self.view is not None:
            self.view.on_hint(None)

    def drop_spool(self) -> None:
        """Drop a message that is arriving."""
        spool, self.spool = self.spool, None
        if spool is not None:
            spool.close()

    # -- changes of state

    def sign_in(self, account: IAccount, logout: Callable[[], None]) -> None:
        """Make this the session of ``account``."""
        self.account, self._logout = account, logout
        self.wire.limits = self.factory.wire_limits

    def select(self, writer: ViewWriter) -> None:
        """Make a mailbox the selected one; there must be none."""
        self.writer = writer

    def deselect(self) -> None:
        """Close the selected mailbox, if there is one."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.view.close()

    def released(self) -> None:
        """See `ServerConnection.released`."""
        self.sasl.end()

    def closed(self) -> None:
        """See `ServerConnection.closed`."""
        logout, self._logout = self._logout, None
        try:
            self.forget_line_request()
            self.deselect()
            self.drop_spool()
        finally:
            if logout is not None:
                logout()
