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
    ServerTimeout,
    ServiceClosing,
)
from mailproto.content import Content
from mailproto.imap.client._command import Command, Literal
from mailproto.imap.client._fetched import uid_in
from mailproto.imap.client._known_server import KnownServer
from mailproto.imap.client._large_literals import LargeLiterals
from mailproto.imap.client._running import Running
from mailproto.imap.client._timeouts import IMAPTimeouts
from mailproto.imap.client._unasked import Unasked
from mailproto.imap.wire._answers import (
    Answer,
    BodyBegins,
    BodyPiece,
    Continuation,
    Data,
    Fetches,
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


class IMAPSession(KnownServer, ClientSession[Answer]):
    """The order of commands, and to whom the server's data go.

    Commands that may be under way together are sent together (RFC 9051 5.5).  Data belong to the first
    command that takes them, or else are `unasked`.

    :ivar running: the commands that are not answered.
    :ivar unasked: takes what no command asked for.
    """

    speaks_unasked = True
    wire: IMAPClientWire

    def __init__(
        self, clock: ReactorTime, *, timeouts: IMAPTimeouts, limits: IMAPClientLimits, is_remote: bool
    ) -> None:
        self.wire = IMAPClientWire(limits)
        KnownServer.__init__(self, limits)
        ClientSession.__init__(self, clock, self.wire, timeouts, is_remote=is_remote)
        self.timeouts = timeouts
        self.is_leaving = False  # whether BYE is expected
        self.running = Running()
        self.unasked = Unasked(self)
        self.when_idle: Callable[[], None] = _nothing  # called when no command is left
        self.when_busy: Callable[[], None] = _nothing  # called when a command waits
        self._sending: Command | None = None
        self._count = 0
        self._large = LargeLiterals()
        self._garbage = 0
        self._bad: StatusResponse | None = None  # what may be the answer to a command

    # -- commands

    def command(self, command: Command) -> Deferred[StatusResponse]:
        """Send a command when its turn comes.

        :returns: fires with the tagged OK.  If it is cancelled before, the command is not sent.
        :raises CommandRefused: NO or BAD.
        """
        command.is_turn = True
        if not self.enqueue(command):
            command.fail(self.error or ConnectionLost())
        return command.result if command.tag else command.cancellable(self.drop)

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
            place = self.running.place(command.tag)
            question, answer, _ = self._expected[place]
            self._expected[place] = (question, answer, timeout)
            self.connection.wait_anew()

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether a turn need not wait for the answers to the commands before it."""
        return isinstance(turn, Command) and self.running.may_begin(turn)

    def begin(self, turn: Turn) -> bool:
        """Begin a command."""
        if not isinstance(turn, Command):
            raise TypeError(turn)
        if turn.collector is None or not turn.collector.is_given_up:
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
        self.running.add(command)
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
        elif isinstance(event, Fetches):
            self._fetches(event)
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
        uid = None
        if data.name == "FETCH":
            uid = uid_in(data, self.limits)
            view = self.view
            if view is not None:
                if uid is None:
                    uid = view.uid(data.number)
                else:
                    view.learn(data.number, uid)
        self._offer(data, uid)

    def _fetches(self, fetches: Fetches) -> None:
        """Offer them to the first command that takes FETCH, as many as it takes at once."""
        self._garbage = 0
        answers, uids = fetches.answers, fetches.uids
        self.connection.count_events(len(uids) - 1)
        if self.view is not None:
            self.view.learn_some([data.number or 0 for data in answers], uids)
        start = 0
        while start < len(uids) and self.connection.is_open:
            taken = self.running.take_some(fetches, start)
            if not taken:
                self._offer(answers[start], uids[start])
            start += taken or 1

    def _offer(self, data: Data, uid: int | None) -> None:
        if not self.running.take(data, uid):
            self.unasked.data(data, uid)

    def _untagged(self, event: StatusResponse) -> None:
        if event.status == "BYE":
            if not self.is_leaving:
                self.fail(ServiceClosing(reply=event))
            return
        self._note_code(event)
        self.running.note(event)
        self.unasked.status(event)
        if event.status == "BAD":
            self._is_bad(event)

    def _is_bad(self, event: StatusResponse) -> None:
        """The server has not understood something; it may be that it answers it no more."""
        self._bad = event
        usual, bad = self.timeouts.command, self.timeouts.bad
        for place, (question, answer, timeout) in enumerate(self._expected):
            if timeout <= usual:  # not while IDLE waits
                self._expected[place] = (question, answer, min(timeout, bad))
        self.connection.wait_anew()

    def timed_out(self) -> None:
        """Tell what the server has said instead of an answer."""
        if self._bad is not None and self._expected:
            why = f"no answer to {self._expected[0][0]}, but {self._bad}"
            self.fail(ServerTimeout(f"Timed out: {why}", reply=self._bad))
        else:
            super().timed_out()

    def _note_code(self, event: StatusResponse) -> None:
        if event.code == "CAPABILITY":
            self.learn(event.arguments)
        elif event.code == "CLOSED":
            self.view = None

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
        found = self.running.remove(event.tag)
        if found is None:
            self.fail(ProtocolViolation(f"The server answered {event.tag}, which is no command", reply=event))
            return
        self._bad = None
        command, place = found
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
        self._large.begin(event, uid, self.running.listening)

    # -- the end

    def interrupted(self, error: ClientError) -> None:
        """Pass the error to the commands that are under way."""
        running = self.running.clear()
        self._sending = None
        self._large.forget()
        for command in running:
            command.fail(error)
        self.unasked.end(error)


def _ignore(_: object) -> None:
    """The answer to a command is found by its tag."""


def _nothing() -> None:
    """Used if nobody wants to know."""
