"""One IMAP session of a client: which commands are under way, and to whom the server's data go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, fail

from mailproto.client.base import ClientSession, Turn
from mailproto.client.errors import (
    ClientError,
    CommandRefused,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServiceClosing,
)
from mailproto.content import Content
from mailproto.imap.client._command import Command, Literal
from mailproto.imap.client._fetched import uid_in
from mailproto.imap.client._large_literals import LargeLiterals
from mailproto.imap.client._timeouts import IMAPTimeouts
from mailproto.imap.client._unasked import Unasked
from mailproto.imap.client._view import MailboxView
from mailproto.imap.wire._answers import (
    Answer,
    BodyBegins,
    BodyPiece,
    Continuation,
    Data,
    StatusResponse,
)
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._client_wire import IMAPClientWire
from mailproto.printable import printable
from mailproto.typing import ReactorTime

__all__ = ["IMAPSession"]

_SMALL_LITERAL: Final = 4096
"""Octets of a literal that is sent without waiting with LITERAL- (RFC 7888 5)."""

_AT_ONCE: Final = 1 << 16
"""Octets of a literal that are written together with the command."""


class IMAPSession(ClientSession[Answer]):
    """The order of commands, and what is known about the server.

    Commands that may be under way together are sent together (RFC 9051 5.5).  Data belong to the first
    command that takes them, or else are `unasked`.

    :ivar capabilities: in upper case; None if the server has not told them.
    :ivar enabled: what was enabled (RFC 5161), in upper case.
    :ivar view: the selected mailbox; None if there is none.
    :ivar is_signed_in: whether the server has taken credentials, or needs none.
    :ivar running: the commands that are not answered, by tag.
    :ivar unasked: takes what no command asked for.
    """

    speaks_unasked = True

    def __init__(
        self, clock: ReactorTime, *, timeouts: IMAPTimeouts, limits: IMAPClientLimits, is_remote: bool
    ) -> None:
        self.wire = IMAPClientWire(limits)
        super().__init__(clock, self.wire, timeouts, is_remote=is_remote)
        self.timeouts = timeouts
        self.limits = limits
        self.capabilities: frozenset[str] | None = None
        self.enabled: set[str] = set()
        self.view: MailboxView | None = None
        self.is_signed_in = False
        self.is_leaving = False  # whether BYE is expected
        self.running: dict[str, Command] = {}
        self.unasked = Unasked(self)
        self.when_idle: Callable[[], None] = _nothing  # called when no command is left
        self.when_busy: Callable[[], None] = _nothing  # called when a command waits
        self._sending: Command | None = None
        self._count = 0
        self._large = LargeLiterals()
        self._garbage = 0

    # -- what is known about the server

    def has(self, *capabilities: str) -> bool:
        """Whether the server offers one of these."""
        return self.capabilities is not None and not self.capabilities.isdisjoint(capabilities)

    @property
    def utf8(self) -> bool:
        """Whether names of mailboxes are in UTF-8."""
        return "UTF8=ACCEPT" in self.enabled or "IMAP4REV2" in self.enabled

    def signed_in(self) -> None:
        """The server has taken the credentials."""
        self.is_signed_in = True
        self.wire.longest = self.limits.line

    # -- commands

    def command(self, command: Command) -> Deferred[StatusResponse]:
        """Send a command when its turn comes.

        :returns: fires with the tagged OK.
        :raises CommandRefused: NO or BAD.
        """
        command.is_turn = True
        if not self.enqueue(command):
            command.fail(self.error or ConnectionLost())
        return command.result

    def enqueue(self, turn: Turn) -> bool:
        """Add a turn; what holds the connection lets go of it."""
        if self.error is not None:
            return False
        self._turns.append(turn)
        self.when_busy()
        self.connection.go_on()
        self.advance()
        return True

    def within_turn(self, command: Command) -> Deferred[StatusResponse]:
        """Send a command inside of a turn."""
        if self.error is not None:
            return fail(self.error)
        self._start(command)
        return command.result

    def open_dialogue(self, command: Command) -> Deferred[Continuation | StatusResponse]:
        """Send a command inside of a turn that goes on for more than one line.

        :returns: fires with the server's first words.
        """
        if self.error is not None:
            return fail(self.error)
        heard = command.heard = Deferred()
        command.result.addErrback(lambda _: None)
        self._start(command)
        return heard

    def go_on(self, command: Command, line: bytes) -> Deferred[Continuation | StatusResponse]:
        """Send another line of a dialogue.  :returns: fires with what the server says to it."""
        if self.error is None and command.tag not in self.running:
            self.fail(ProtocolViolation(f"The server has ended {command.name} before its time"))
        if self.error is not None:
            return fail(self.error)
        heard = command.heard = Deferred()
        self.write(line)
        return heard

    def wait_for_answer(self, command: Command, timeout: float) -> None:
        """Wait so many seconds from now on for the answer to a command that is under way."""
        if command.tag in self.running:
            place = list(self.running).index(command.tag)
            question, answer, _ = self._expected[place]
            self._expected[place] = (question, answer, timeout)
            self.connection.wait_anew()

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether a turn need not wait for the answers to the commands before it."""
        return isinstance(turn, Command) and all(map(turn.may_join, self.running.values()))

    def begin(self, turn: Turn) -> bool:
        """Begin a command."""
        if not isinstance(turn, Command):
            raise TypeError(turn)
        self._active = turn
        self._start(turn)
        return True

    def advance(self) -> None:
        """Begin the turns that may begin."""
        super().advance()
        if not (self._turns or self.running or self._active or self._is_advancing) and self.is_usable:
            self.when_idle()

    @property
    def others_wait(self) -> bool:
        """Whether more than one command waits for its answer, or for its turn."""
        return bool(self._turns) or len(self.running) > 1

    def _start(self, command: Command) -> None:
        self._count += 1
        tag = command.tag = f"A{self._count}"
        self.running[tag] = command
        self._sending = command
        timeout = self._timeouts.command if command.timeout is None else command.timeout
        self.ask(command.name, _ignore, timeout)
        self._send(command, [b"%b " % tag.encode("ascii")])

    def _send(self, command: Command, text: list[bytes]) -> None:
        """Send ``text`` and what is left of a command, as far as the server lets it."""
        try:
            for piece in command.rest:
                if not isinstance(piece, Literal):
                    text.append(piece)
                    continue
                size = len(piece.octets)
                waits = not (self.has("LITERAL+") or (size <= _SMALL_LITERAL and self.has("LITERAL-")))
                text.append(b"%b{%d%b}\r\n" % (b"~" if piece.binary else b"", size, b"" if waits else b"+"))
                if waits:
                    command.literal = piece
                    self.write(b"".join(text))
                    return
                if size > _AT_ONCE:
                    self.write(b"".join(text))
                    self._stream(command, piece)
                    return
                text.append(bytes(piece.octets))
        except Exception as error:  # the application's content cannot be read
            self.fail(ConnectionLost(f"What was to be sent cannot be read: {error}"))
            return
        text.append(b"\r\n")
        self.write(text[0] if len(text) == 1 else b"".join(text))
        if command.heard is None:
            self._sent(command)

    def _stream(self, command: Command, literal: Literal) -> None:
        def sent(error: Exception | None) -> None:
            if error is not None:
                self.fail(ConnectionLost(f"What was to be sent cannot be read: {error}"))
            else:
                self._send(command, [])

        pieces = Content.of(literal.octets).chunks()
        self.connection.stream(pieces, sent, self.timeouts.block)

    def _sent(self, command: Command) -> None:
        """A command has nothing more to send."""
        if self._sending is command:
            self._sending = None
            if command.is_turn:
                self.turn_done()

    # -- what the server says

    def greeting_fault(self, event: Answer) -> ClientError | None:
        """BYE refuses the client (RFC 9051 7.1.5)."""
        if isinstance(event, StatusResponse) and event.status not in ("OK", "PREAUTH"):
            return GreetingRefused(reply=event)
        return None

    def _greeted_by(self, event: Answer) -> None:
        if not isinstance(event, StatusResponse) or event.tag:
            self.fail(ProtocolViolation(f"The server's greeting was {printable(str(event), 200)}"))
            return
        if event.status == "PREAUTH":
            self.signed_in()
        self._note_code(event)
        super().received(event)

    def received(self, event: Answer) -> None:
        """Pass the event to the command that it belongs to."""
        if self.greeting is None:
            self._greeted_by(event)
        elif isinstance(event, Data):
            self._data(event)
        elif isinstance(event, BodyPiece):
            self._large.piece(event)
        elif isinstance(event, BodyBegins):
            self._body_begins(event)
        elif isinstance(event, StatusResponse):
            if event.tag:
                self._ended(event)
            else:
                self._untagged(event)
        elif isinstance(event, Continuation):
            self._continues(event)
        else:
            self._count_garbage(event)

    def _count_garbage(self, event: Answer) -> None:
        """Leave out what is no response; before the client has signed in, it may be an attacker's."""
        self._garbage += 1
        if not self.is_signed_in or self._garbage > self.limits.garbage:
            self.fail(ProtocolViolation(f"The server said {printable(str(event), 200)}"))

    def _data(self, data: Data) -> None:
        self._garbage = 0
        if self._large:
            self._large.put_into(data)
        name = data.name
        uid = None
        if name == "FETCH":
            uid = uid_in(data, self.limits)
            view = self.view
            if view is not None:
                if uid is None:
                    uid = view.uid(data.number)
                else:
                    view.learn(data.number, uid)
        for command in self.running.values():
            if name in command.names and command.collector is not None and command.collector.take(data, uid):
                return
        self.unasked.data(data, uid)

    def _untagged(self, event: StatusResponse) -> None:
        if event.status == "BYE":
            if not self.is_leaving:
                self.fail(ServiceClosing(reply=event))
            return
        self._note_code(event)
        for command in self.running.values():
            if command.collector is not None:
                command.collector.note(event)
        self.unasked.status(event)

    def _note_code(self, event: StatusResponse) -> None:
        if event.code == "CAPABILITY":
            self.learn(event.arguments)
        elif event.code == "CLOSED":
            self.view = None

    def learn(self, capabilities: bytes) -> None:
        """Set what the server offers."""
        self.capabilities = frozenset(capabilities.decode("ascii", "replace").upper().split())

    def _continues(self, event: Continuation) -> None:
        command = self._sending
        if command is None:
            self._count_garbage(event)
        elif command.heard is not None:
            heard, command.heard = command.heard, None
            heard.callback(event)
        elif command.literal is not None:
            literal, command.literal = command.literal, None
            if len(literal.octets) > _AT_ONCE:
                self._stream(command, literal)
            else:
                self._send(command, [bytes(literal.octets)])

    def _ended(self, event: StatusResponse) -> None:
        """A command is answered."""
        command = self.running.get(event.tag)
        if command is None:
            self.fail(ProtocolViolation(f"The server answered {event.tag}, which is no command", reply=event))
            return
        place = list(self.running).index(event.tag)
        del self.running[event.tag]
        del self._expected[place]
        self._note_code(event)
        self.unasked.status(event)
        heard, command.heard = command.heard, None
        if event.status == "OK":
            command.result.callback(event)
        else:
            command.result.errback(CommandRefused(reply=event))
        if heard is not None:
            heard.callback(event)
        if self.error is not None:
            return
        if self.connection.is_streaming:
            if self._sending is command:
                return  # the octets that were announced must be sent nevertheless
        elif self._sending is command:
            self._sent(command)
        self.advance()

    def _body_begins(self, event: BodyBegins) -> None:
        uid = uid_in(self._large.beginning(event), self.limits)
        if uid is None and self.view is not None:
            uid = self.view.uid(event.number)
        self._large.begin(event, uid, self.running.values())

    # -- the end

    def interrupted(self, error: ClientError) -> None:
        """Pass the error to the commands that are under way."""
        running = list(self.running.values())
        self.running.clear()
        self._sending = None
        self._large.forget()
        for command in running:
            command.fail(error)
        self.unasked.end(error)


def _ignore(_: object) -> None:
    """The answer to a command is found by its tag."""


def _nothing() -> None:
    """Used if nobody wants to know."""
