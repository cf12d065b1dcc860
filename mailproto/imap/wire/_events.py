"""The events of the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from mailproto.imap.wire._commands import Append, Arguments

__all__ = ["AppendLiteral", "Command", "ContinuationLine", "Event", "LiteralChunk", "LiteralRequest"]


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Command(Generic[ArgumentsT]):
    """A whole command with its literals, but without the message of APPEND.

    :ivar name: in upper case; ``FETCH`` with ``uid`` for UID FETCH.
    """

    tag: str
    name: str
    uid: bool
    arguments: ArgumentsT


@dataclass(frozen=True, slots=True)
class LiteralRequest:
    """The client waits for permission to send a literal of ``size`` octets (RFC 9051 4.3).

    To take it, write ``+``.  To refuse it, answer the tag with NO or BAD and call
    `IMAPServerWire.refuse_literal`.

    :ivar name: the command's name, as in `Command`.
    """

    tag: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class AppendLiteral:
    """The message of APPEND is announced.

    To take it, write ``+`` if it is ``synchronizing``.  `LiteralChunk` events follow, then the
    `Command`.  If an `IMAPWireError` comes instead, the message will not be completed.  To refuse it,
    answer the tag and call `IMAPServerWire.refuse_literal`.

    :ivar arguments: the arguments that the `Command` will have.
    """

    tag: str
    arguments: Append
    synchronizing: bool

    @property
    def size(self) -> int:
        """The message's octets."""
        return self.arguments.size


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """Some octets of APPEND's message, at least one."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContinuationLine:
    """The line after `IMAPServerWire.expect_line`, without its CRLF; it may be a secret."""

    data: bytes = field(repr=False)


Event: TypeAlias = Command[Any] | LiteralRequest | AppendLiteral | LiteralChunk | ContinuationLine
"""Any event of the wire."""
