"""One client's IMAP session: its state, its dialogue, and the frame around each command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from mailproto.auth import SASLServer
from mailproto.connection import CloseReason, ServerConnection
from mailproto.errors import MailError, NoSuchMailbox, WireError
from mailproto.imap.server._append import Spool, begin_append
from mailproto.imap.server._commands import COMMANDS, Rule, State, Updates
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._session_commands import capabilities
from mailproto.imap.server._view import MailboxView
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
"""Another connection may do, later (RFC 5530 3)."""

Reply: TypeAlias = bytes | None


@implementer(IHandshakeListener)
class IMAPServer(ServerConnection[Event]):
    """An IMAP server connection.

    :ivar sasl: the exchanges of AUTHENTICATE.
    :ivar account: None until somebody is signed in.
    :ivar view: the selected mailbox, or None.
    """

    alpn: ClassVar[Sequence[bytes]] = (b"imap",)
    factory: IMAPServerFactory
    limits: IMAPLimits
    wire: IMAPServerWire

    def __init__(self, factory: IMAPServerFactory) -> None:
        super().__init__(factory)
        self.wire = IMAPServerWire(self.limits.before_login)
        self.sasl = SASLServer(factory.portal, factory.mechanisms, session=self)
        self.account: IAccount | None = None
        self.view: MailboxView | None = None
        self.spool: Spool | None = None
        self.failed_logins = 0
        self._greeting = False
        self._logout: Callable[[], None] | None = None
        self._responses: list[bytes] = []
        self._bad_commands = 0
        self._commands = 0  # that were done
        self._slice_began = 0.0
        # The command that waits for a line of the client's, and what takes the line.
        self._waiting_command: Command[Any] | None = None
        self._on_line: Callable[[bytes], Awaitable[Reply]] | None = None
        self._last_line_command: Command[Any] | None = None  # the one whose line came last

    # -- the frame around each command

    def greet(self) -> None:
        """RFC 9051 7.1.5; the capabilities spare the client a question.

        With TLS from the first octet they are known when the handshake is over: until then
        there is no certificate, and nothing to bind to.
        """
        self._greeting = True
        if not self.is_encrypted:
            self._write_greeting()

    def handshakeCompleted(self) -> None:
        """TLS is on (IHandshakeListener)."""
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
        self._slice_began = self.clock.seconds()
        if isinstance(event, Command):
            return self._command(event)
        if isinstance(event, ContinuationLine):
            return self._continue(event)
        if isinstance(event, LiteralRequest):
            self._rule(event.name)  # what will be refused is not asked for, least of all a password in clear
            self.write(b"+ OK\r\n")
            return None
        return self._append_literal(cast(AppendLiteral, event))

    async def _command(self, command: Command[Any]) -> None:
        rule = self._rule(command.name)
        try:
            reply = await rule.handler(self, command)
        except IMAPWireError as error:  # only the mailbox can tell that a sequence number is wrong
            raise BadCommand(error.text) from None
        if self._waiting_command is None:
            await self._complete(command, rule, reply)

    def _rule(self, name: str) -> Rule:
        """The table's row of a command that may be given now.  :raises MailError: it may not."""
        rule = COMMANDS.get(name)
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
            await self._complete(command, COMMANDS[command.name], reply)

    async def _complete(self, command: Command[Any], rule: Rule, reply: Reply) -> None:
        if rule.updates is not Updates.NOTHING:
            try:
                await self.catch_up(expunges=rule.updates is Updates.ALL or command.uid)
            except SessionOver:
                raise
            except Exception:
                # What was asked for is done, and must not be done again; the next command looks again.
                self.log.failure("{peer}: after {name}", peer=self.peer, name=command.name)
        name = "UID " + command.name if command.uid else command.name
        text = reply or f"{name} completed".encode("ascii")
        self._responses.append(b"%b OK %b\r\n" % (command.tag.encode("ascii"), text))
        self._bad_commands = 0
        self._commands += self.account is not None
        self._send()

    async def _append_literal(self, event: AppendLiteral) -> None:
        if self.state not in COMMANDS["APPEND"].states:
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
        self._refused(tag, f"{'BAD' if bad else 'NO'} {code}{error.text}".encode("ascii", "replace"), bad=bad)

    def refuse_syntax(self, error: WireError) -> None:
        """See `ServerConnection.refuse_syntax`."""
        error = cast(IMAPWireError, error)  # the wire raises nothing else
        self.drop_spool()
        tag = error.tag
        if self._waiting_command is not None:
            # The line was to be a response, or DONE: the command that waits for it is over.
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
        elif self.failed_logins >= self.limits.failed_logins:
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
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return None if self.account is None else self.account.name

    def log_counts(self) -> dict[str, str | int]:
        """See `ServerConnection.log_counts`."""
        return {"commands": self._commands}

    def idle_limit(self) -> float:
        """Strangers have less time (RFC 9051 5.4 is about those who have signed in)."""
        return self.limits.idle if self.account is not None else self.limits.first_command

    # -- what handlers use

    @property
    def state(self) -> State:
        """The state of RFC 9051 3, derived from what there is."""
        if self.account is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    @property
    def signed_in(self) -> IAccount:
        """The account, for commands that are only allowed with one."""
        if self.account is None:
            raise BadCommand
        return self.account

    @property
    def selected(self) -> MailboxView:
        """The selected mailbox, for commands that are only allowed with one."""
        if self.view is None:
            raise BadCommand
        return self.view

    def respond(self, data: bytes) -> None:
        """Collect untagged responses; they leave with the tagged one, or at `flush`."""
        self._responses.append(data)

    async def flush(self) -> None:
        """Send what was collected; wait while the client is slow, and let others have their turn.

        :raises SessionOver: when the client is gone.
        """
        self._send()
        await self.drained()
        await self.yield_turn()
        if not self.is_open:
            raise SessionOver

    async def yield_turn(self) -> None:
        """Let others have their turn if this command had the reactor for ``time_slice``."""
        taken = self.clock.seconds() - self._slice_began
        if not 0 <= taken < self.limits.time_slice:  # or the clock was set back
            await self.factory.turns.wait()
            self._slice_began = self.clock.seconds()

    def _send(self) -> None:
        if self._responses:
            data = self._responses[0] if len(self._responses) == 1 else b"".join(self._responses)
            self._responses.clear()
            self.write(data)

    async def catch_up(self, *, expunges: bool) -> None:
        """Tell the client what happened to its mailbox.

        :raises SessionOver: when the mailbox was deleted; the connection is ended, which is
            what RFC 2180 3.1 leaves for that.
        """
        if self.view is None or not self.view.has_updates(expunges=expunges):
            return
        told = False
        try:
            async for piece in self.view.update(expunges=expunges):
                if told:  # one piece, as is usual, leaves with the command's answer
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
        """Write ``+`` and ``prompt``; the client's next line is for ``answer``, which acts as a handler."""
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
        """Forget a message that arrives."""
        spool, self.spool = self.spool, None
        if spool is not None:
            spool.close()

    # -- changes of state

    def sign_in(self, account: IAccount, logout: Callable[[], None]) -> None:
        """From now on this is the session of ``account``."""
        self.account, self._logout = account, logout
        self.wire.limits = self.factory.wire_limits

    def select(self, view: MailboxView) -> None:
        """From now on ``view`` is selected; nothing was."""
        self.view = view

    def deselect(self) -> None:
        """Nothing is selected."""
        view, self.view = self.view, None
        if view is not None:
            view.close()

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
