"""The events of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["Command", "ContinuationLine", "Event", "LiteralChunk", "LiteralRequest", "StreamedLiteral"]


ArgumentsT = TypeVar("ArgumentsT")


@dataclass(frozen=True, slots=True)
class Command(Generic[ArgumentsT]):
    """A whole command with its literals, but without those that were streamed.

    :ivar name: in upper case; ``FETCH`` with ``uid`` for UID FETCH.
    """

    tag: str
    name: str
    uid: bool
    arguments: ArgumentsT

    @property
    def full_name(self) -> str:
        """The name, with ``UID`` before it if it was there."""
        return f"UID {self.name}" if self.uid else self.name


@dataclass(frozen=True, slots=True)
class LiteralRequest:
    """The client waits for permission to send a literal of ``size`` octets (RFC 9051 4.3).

    To take it, write ``+``.  To refuse it, answer the tag with NO or BAD and call
    `IMAPServerWire.refuse_literal`.

    :ivar name: the command's, as `Command.full_name`.
    """

    tag: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class StreamedLiteral:
    """A literal is announced that is not kept with the arguments, such as a message of APPEND.

    To take it, write ``+`` if it is ``synchronizing``.  `LiteralChunk` events follow, then the next
    `StreamedLiteral`, or the `Command`.  If an `IMAPWireError` comes instead, the command will not be
    completed.  To refuse it, answer the tag and call `IMAPServerWire.refuse_literal`.

    :ivar name: the command's, as `Command.full_name`.
    :ivar arguments: what belongs to the literal, as the command's grammar says.
    :ivar size: its octets.
    :ivar binary: whether it is a literal8, which may have NUL.
    """

    tag: str
    name: str
    arguments: Any
    size: int
    synchronizing: bool
    binary: bool = False


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """Some octets of a `StreamedLiteral`, at least one."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContinuationLine:
    """The line after `IMAPServerWire.expect_line`, without its CRLF; it may be a secret."""

    data: bytes = field(repr=False)


Event: TypeAlias = Command[Any] | LiteralRequest | StreamedLiteral | LiteralChunk | ContinuationLine
"""Any event of the wire."""
