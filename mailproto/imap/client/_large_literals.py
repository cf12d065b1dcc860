"""The large literals of the response that comes: who takes them, and what stands for them afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.content import Content
from mailproto.imap.client._command import BodyWriter, Command
from mailproto.imap.wire._answers import BodyBegins, BodyPiece, Data

__all__ = ["LargeLiterals"]


class LargeLiterals:
    """The large literals of one response."""

    __slots__ = ("_come", "_writer")

    def __init__(self) -> None:
        self._writer: BodyWriter | None = None  # takes the one that comes
        self._come: list[Content | None] = []

    def __len__(self) -> int:
        return len(self._come)

    def beginning(self, event: BodyBegins) -> Data:
        """The response up to the literal."""
        return Data(event.number, "FETCH", event.text, list(self._come))

    def begin(self, event: BodyBegins, uid: int | None, commands: Iterable[Command]) -> None:
        """A literal begins: the first of ``commands`` that wants it takes it."""
        for command in commands:
            if "FETCH" in command.names and command.collector is not None:
                self._writer = command.collector.body(event, uid)
                if self._writer is not None:
                    return

    def piece(self, event: BodyPiece) -> None:
        """Some octets of it have come."""
        writer = self._writer
        if writer is not None:
            writer.write(event.octets)
        if event.is_last:
            self._come.append(None if writer is None else writer.end())
            self._writer = None

    def put_into(self, data: Data) -> None:
        """Put what stands for them into the whole response, in their order."""
        come = iter(self._come)
        data.literals[:] = [next(come, None) if each is None else each for each in data.literals]
        self._come = []

    def forget(self) -> None:
        """The connection has ended."""
        self._writer = None
