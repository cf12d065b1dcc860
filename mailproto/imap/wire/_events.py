"""What the wire tells the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from mailproto.imap.wire._commands import Append, Arguments

__all__ = ["AppendLiteral", "Command", "ContinuationLine", "Event", "LiteralChunk", "LiteralRequest"]


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Command(Generic[ArgumentsT]):
    """A whole command, literals included (but for the message of APPEND).

    :ivar name: in upper case; ``FETCH`` with ``uid`` for UID FETCH.
    """

    tag: str
    name: str
    uid: bool
    arguments: ArgumentsT


@dataclass(frozen=True, slots=True)
class LiteralRequest:
    """The client waits to be told to send a literal of ``size`` octets (RFC 9051 4.3).

    Write ``+`` and go on, or answer the tag with NO or BAD and call
    `IMAPServerWire.refuse_literal`.

    :ivar name: of the command, as `Command` has it.
    """

    tag: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class AppendLiteral:
    """The message of APPEND is announced.

    To take it: write ``+`` if it is ``synchronizing``; `LiteralChunk` events follow, then
    the `Command`.  An `IMAPWireError` instead of these means that it will not be complete.
    To refuse: answer the tag and call `IMAPServerWire.refuse_literal`.

    :ivar arguments: the same as the `Command` will have.
    """

    tag: str
    arguments: Append
    synchronizing: bool

    @property
    def size(self) -> int:
        """Octets that will come."""
        return self.arguments.size


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """Some more octets of APPEND's message, at least one."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContinuationLine:
    """The line that the server expected, without its CRLF; it may hold a secret."""

    data: bytes = field(repr=False)


Event: TypeAlias = Command[Any] | LiteralRequest | AppendLiteral | LiteralChunk | ContinuationLine
"""Anything the wire can tell."""
