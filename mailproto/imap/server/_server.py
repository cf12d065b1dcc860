"""The connection of one client: handles its events, and answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar, cast

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from mailproto.connection.limits import CloseReason
from mailproto.errors import MailError, WireError
from mailproto.imap.server._errors import BadCommand, NotNow, RefusedWithCode, SessionOver
from mailproto.imap.server._registry import Tables
from mailproto.imap.server._resources import Resources
from mailproto.imap.server._session import Reply, Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import (
    Command,
    ContinuationLine,
    Event,
    IMAPWireError,
    LiteralChunk,
    LiteralRequest,
    StreamedLiteral,
)

__all__ = ["IMAPResources", "IMAPServer"]

_UNAVAILABLE = (CloseReason.STOPPING, CloseReason.CROWDED)
"""Reasons after which the client may try again later (RFC 5530 3)."""


class IMAPResources(Resources):
    """A factory, as the connection knows it.

    :ivar tables: what the server knows.
    """

    tables: Tables


@implementer(IHandshakeListener)
class IMAPServer(Session):
    """An IMAP server connection."""

    alpn: ClassVar[Sequence[bytes]] = (b"imap",)

    def __init__(self, factory: IMAPResources) -> None:
        self.tables = factory.tables
        super().__init__(factory, factory.tables.syntax)
        self._greeting = False
        self._bad_commands = 0
        self._commands = 0  # how many were completed
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
        self.write(
            b"* OK [CAPABILITY %b] %b ready\r\n"
            % (self.tables.capabilities(self), self.factory.greeting_name)
        )

    def handle(self, event: Event) -> Awaitable[None] | None:
        """See `ServerConnection.handle`."""
        if type(event) is LiteralChunk:
            if self.uploads:
                self.uploads[-1].write(event.data)
            return None
        if isinstance(event, Command):
            return self._command(event)
        if isinstance(event, ContinuationLine):
            return self._continue(event)
        if isinstance(event, LiteralRequest):
            self._spec(event.name)  # a refused command's literals, such as a password, are not asked for
            self.write(b"+ OK\r\n")
            return None
        return self._receive(cast(StreamedLiteral, event))

    async def _command(self, command: Command[Any]) -> None:
        self._has_answered = False
        self.tag = command.tag
        spec = self._spec(command.full_name)
        try:
            reply = await spec.handler(self, command)
        except IMAPWireError as error:  # a sequence number of no message, which the wire could not know
            raise BadCommand(error.text) from None
        if self.uploads:  # the handler has not taken them
            self.drop_uploads()
        if self._waiting_command is None:
            await self._complete(command, spec, reply)

    def _spec(self, full_name: str) -> CommandSpec[Any]:
        """Find a command's row in the table.

        :raises MailError: the command is not valid now.
        """
        spec = self.tables.commands.get(full_name)
        if spec is None or self.state not in spec.states:
            raise BadCommand("Unknown command") if spec is None else NotNow
        for guard in self.tables.guards:
            guard(self, spec)
        if spec.precheck is not None:
            spec.precheck(self)
        return spec

    async def _continue(self, line: ContinuationLine) -> None:
        command, answer = self._waiting_command, self._on_line
        self._waiting_command = self._on_line = None
        if command is None or answer is None:
            return
        self._last_line_command = command
        reply = await answer(line.data)
        if self._waiting_command is None:
            await self._complete(command, self.tables.commands[command.full_name], reply)

    async def _complete(self, command: Command[Any], spec: CommandSpec[Any], reply: Reply) -> None:
        try:
            if spec.updates is not Updates.NOTHING:
                await self.catch_up(expunges=spec.updates is Updates.ALL)
            else:
                await self.follow_up()
        except SessionOver:
            raise
        # The command is done, and the client must not repeat it: the next command brings the updates.
        except MailError as error:
            self.tell_failed(f"updates after {command.name}", error)
        except Exception:
            self.log.failure("{peer}: updates after {name} failed", peer=self.peer, name=command.name)
        text = reply or f"{command.full_name} completed".encode("ascii")
        self._bad_commands = 0
        self._commands += self.account is not None
        if self.is_compressed:
            await self.compress()
        self.complete(command.tag.encode("ascii"), b"OK " + text)

    async def _receive(self, literal: StreamedLiteral) -> None:
        spec = self._spec(literal.name)
        if spec.receive is None:
            raise BadCommand("Expected no literal")
        self.uploads.append(await spec.receive(self, literal))
        if literal.synchronizing:
            self.write(b"+ OK\r\n")

    # -- refusals

    def refuse(self, event: Event, error: MailError) -> None:
        """See `ServerConnection.refuse`."""
        if isinstance(error, SessionOver):
            return
        if isinstance(event, StreamedLiteral | LiteralRequest):
            self.wire.refuse_literal()
        self.drop_uploads()
        if isinstance(event, ContinuationLine) and self._last_line_command is not None:
            event = self._last_line_command
        tag = getattr(event, "tag", "")
        bad = isinstance(error, BadCommand)
        code = error.response_code if isinstance(error, RefusedWithCode) else error.imap
        code = f"[{code}] " if code else ""
        text = " ".join(error.text.splitlines())  # SMTP's replies may have several lines
        self._refused(tag, f"{'BAD' if bad else 'NO'} {code}{text}".encode("ascii", "replace"), bad=bad)

    def refuse_syntax(self, error: WireError) -> None:
        """See `ServerConnection.refuse_syntax`."""
        error = cast(IMAPWireError, error)  # the wire raises no other kind
        self.drop_uploads()
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
        self.complete(tag.encode("ascii") or b"*", text)
        self._bad_commands = self._bad_commands + 1 if bad else 0
        if self._bad_commands >= self.limits.bad_commands:
            self.end(b"* BYE [CLIENTBUG] Too many bad commands\r\n", "too many bad commands")
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
