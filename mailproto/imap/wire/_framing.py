"""The server's wire: lines and literals become commands."""

from __future__ import annotations

from typing import Any, NoReturn

from mailproto.imap.wire._arguments import ArgumentReader, CommandSyntax, Steps, Syntax, Upload
from mailproto.imap.wire._cursor import LiteralWanted
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import (
    Command,
    ContinuationLine,
    Event,
    LiteralChunk,
    LiteralRequest,
    StreamedLiteral,
)
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._lines import Announcement, LineReader, ReadError
from mailproto.imap.wire._parser import begin_command, parse_command, read_tag

__all__ = ["IMAPServerWire"]


class IMAPServerWire:
    """The server's side of IMAP (`mailproto.connection.Wire`).

    :param syntax: the commands that are read.
    :ivar utf8: whether mailbox names are in UTF-8 (``ENABLE UTF8=ACCEPT``, RFC 6855).
    """

    def __init__(self, limits: IMAPWireLimits | None = None, *, syntax: Syntax) -> None:
        self.utf8 = False
        self.syntax = syntax
        self._limits = limits = limits or IMAPWireLimits()
        self._lines = LineReader(
            limits.line, swallowed=limits.swallowed, swallowed_line=limits.swallowed_line
        )
        self._begun: _Begun | None = None  # the command under way, after its first literal was announced
        self._in_stream = False
        self._expecting = False

    @property
    def limits(self) -> IMAPWireLimits:
        """The limits; they may be replaced between two commands, such as after login."""
        return self._limits

    @limits.setter
    def limits(self, limits: IMAPWireLimits) -> None:
        self._limits = limits
        lines = self._lines
        lines.longest = limits.line
        lines.swallowed, lines.swallowed_line = limits.swallowed, limits.swallowed_line

    @property
    def pending(self) -> int:
        """Octets received and not yet part of an event."""
        return self._lines.pending

    def receive(self, data: bytes) -> None:
        """Take octets."""
        self._lines.receive(data)

    def take_pending(self) -> bytes:
        """Remove and return what was received and is not part of an event yet."""
        return self._lines.take_pending()

    def expect_line(self) -> None:
        """Read the next line as a `ContinuationLine`, for AUTHENTICATE and IDLE.

        An error in that line has no tag.  The line after it is a command again.
        """
        self._expecting = True

    def refuse_literal(self) -> None:
        """Drop the command that has just announced a literal, or is sending one.

        If the client sends the literal nevertheless, up to ``limits.swallowed`` octets are thrown away.
        """
        if self._lines.in_literal:
            self._drop()

    def next_event(self) -> Event | None:
        """Return the next event, or None if more octets are needed.

        :raises IMAPWireError: the client made an error.
        """
        lines = self._lines
        while True:
            try:
                octets = lines.next()
            except ReadError as error:
                self._misread(error)
            if octets is None:
                return None
            begun = self._begun
            if begun is None:
                if self._expecting:
                    self._expecting = False
                    lines.announced = None
                    return ContinuationLine(octets[:-2])
                if lines.announced is None:
                    return parse_command(
                        octets[:-2], (), limits=self._limits, utf8=self.utf8, syntax=self.syntax
                    )
                event = self._begin(octets, lines.announced)
            elif self._in_stream:
                if octets:
                    return LiteralChunk(octets)
                self._in_stream = False
                continue
            elif begun.wants_literal:
                self._add_literal(begun, octets)
                continue
            else:
                event = self._go_on(begun, octets)
            if event is not None:
                return event

    # -- commands with literals

    def _begin(self, line: bytes, announced: Announcement) -> Event | None:
        """The first literal of a command is announced: check whether the command is valid so far."""
        try:
            tag, command, arguments = begin_command(
                line, [], limits=self._limits, utf8=self.utf8, syntax=self.syntax
            )
        except IMAPWireError as error:
            self._refuse(error)
        begun = self._begun = _Begun(tag, command, arguments)
        self._room(len(line))
        if begun.steps is not None:
            return self._step(begun, begun.steps, announced)
        refusal = IMAPWireError("Unexpected characters after the arguments")
        try:
            command.grammar(arguments)
        except LiteralWanted:
            begun.text = line
            return self._want(begun, announced)
        except IMAPWireError as error:
            refusal = error
        return self._refuse(refusal)

    def _go_on(self, begun: _Begun, line: bytes) -> Event | None:
        """A line goes on after a literal."""
        announced = self._lines.announced
        text = line if announced is not None else line[:-2]
        if begun.steps is not None:
            begun.octets += len(text)  # what was read of it is kept
            if begun.octets > self._limits.literal_total:
                self._refuse(IMAPWireError("Arguments too long", code="TOOBIG"))
            begun.arguments.octets += text
            self._room(len(begun.arguments.octets))
            return self._step(begun, begun.steps, announced)
        begun.text += text
        if announced is not None:
            self._room(len(begun.text))
            return self._want(begun, announced)
        # The grammar has been called with the beginning; now it is called with everything.
        literals = begun.arguments.literals
        self._forget()
        return parse_command(begun.text, literals, limits=self._limits, utf8=self.utf8, syntax=self.syntax)

    def _room(self, length: int) -> None:
        """The limit is for all lines of a command together."""
        self._lines.longest = self._limits.line - length

    def _step(self, begun: _Begun, steps: Steps[Any], announced: Announcement | None) -> Event | None:
        """Let a grammar go on that asks for its literals."""
        arguments = begun.arguments
        try:
            wanted = next(steps)
        except StopIteration as end:
            try:
                arguments.end()
            except IMAPWireError as error:
                self._refuse(error)
            self._forget()
            return Command(begun.tag, begun.command.name, begun.command.uid, end.value)
        except IMAPWireError as error:
            self._refuse(error)
        if announced is None:
            self._refuse(IMAPWireError("Expected a literal"))
        return self._want(begun, announced) if wanted is None else self._stream(begun, wanted, announced)

    def _want(self, begun: _Begun, announced: Announcement) -> Event | None:
        """A literal follows that is kept with the arguments."""
        limits = self._limits
        begun.octets += announced.size
        if begun.octets > limits.literal_total or len(begun.literals) >= limits.literals:
            self._refuse(IMAPWireError("Literals too large", code="TOOBIG"))
        self._check_asked(announced)
        begun.wants_literal, begun.binary = True, announced.binary
        self._lines.take_whole()
        if not announced.synchronizing:
            return None
        return LiteralRequest(begun.tag, announced.size, begun.command.full_name)

    def _add_literal(self, begun: _Begun, literal: bytes) -> None:
        begun.wants_literal = False
        if b"\0" in literal and not begun.binary:  # RFC 9051 9, CHAR8
            self._refuse(IMAPWireError("NUL in a literal"))
        begun.literals.append(literal)

    def _stream(self, begun: _Begun, wanted: Upload, announced: Announcement) -> Event:
        """A literal follows that is given as it comes."""
        limits = self._limits
        if wanted.size > limits.append:
            text = f"Message larger than {limits.append} octets"
            self._refuse(IMAPWireError(text, code="TOOBIG", bad=False))
        self._check_asked(announced)
        # What was read so far is not needed any more: the next line may be as long as the first one.
        begun.arguments.octets, begun.arguments.position = b"", 0
        self._lines.longest = limits.line
        self._in_stream = True
        self._lines.take_pieces()
        return StreamedLiteral(
            begun.tag,
            begun.command.full_name,
            wanted.arguments,
            wanted.size,
            announced.synchronizing,
            wanted.binary,
        )

    def _check_asked(self, announced: Announcement) -> None:
        """Check whether the literal may come without permission (RFC 7888 5)."""
        unasked = self.syntax.unasked
        if unasked is not None and announced.size > unasked and not announced.synchronizing:
            self._refuse(IMAPWireError(f"Literals over {unasked} octets must be synchronizing"))

    # -- refusals

    def _misread(self, error: ReadError) -> NoReturn:
        """Answer octets that are no line."""
        if error.fatal:
            self._forget()
            raise IMAPWireError(error.text, code="TOOBIG", fatal=True) from None
        tag = None
        if self._begun is not None:
            tag = self._begun.tag
        elif not self._expecting:
            tag = read_tag(error.line)
        self._forget()
        raise IMAPWireError(error.text, tag=tag) from None

    def _refuse(self, error: IMAPWireError) -> NoReturn:
        """Refuse the command under way."""
        if error.tag is None and self._begun is not None:
            error.tag = self._begun.tag
        self._drop()
        raise error from None

    def _drop(self) -> None:
        self._lines.refuse()
        self._forget()

    def _forget(self) -> None:
        """Forget the command; what is to be thrown away stays known."""
        self._begun = None
        self._in_stream = self._expecting = False
        self._lines.longest = self._limits.line


class _Begun:
    """A command whose first literal was announced.

    :ivar steps: the grammar under way, if it asks for its literals.
    :ivar text: otherwise, the lines so far.
    :ivar octets: those of its literals, and of the lines between streamed ones.
    """

    __slots__ = (
        "arguments",
        "binary",
        "command",
        "literals",
        "octets",
        "steps",
        "tag",
        "text",
        "wants_literal",
    )

    def __init__(self, tag: str, command: CommandSyntax, arguments: ArgumentReader) -> None:
        self.tag = tag
        self.command = command
        self.arguments = arguments
        self.literals: list[bytes] = []
        arguments.literals = self.literals
        self.steps: Steps[Any] | None = None if command.steps is None else command.steps(arguments)
        self.text = b""
        self.octets = 0
        self.wants_literal = False
        self.binary = False
