"""The description of one command: all that the server knows of it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailproto.connection.commands import State
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._session import Reply, Session
from mailproto.imap.wire import Command, Grammar, StreamedLiteral

__all__ = ["CommandSpec", "Updates"]

A = TypeVar("A")


class Updates(enum.Enum):
    """What the client is told of its mailbox before the tagged OK (RFC 9051 7.5.1)."""

    NOTHING = enum.auto()
    """The command has told everything itself, or would be told of its own change."""

    NO_EXPUNGES = enum.auto()
    """New messages and changed flags.  Expunges too if the command is a UID command."""

    ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class CommandSpec(Generic[A]):
    """A command.

    :ivar name: in upper case; it may begin with ``UID``.
    :ivar grammar: reads its arguments.
    :ivar handler: carries it out.  It returns the text of the tagged OK, response code included, or None for
        "NAME completed"; it raises `mailproto.errors.MailError` to answer NO, and `BadCommand` to answer BAD.
    :ivar states: in which it is valid.
    :ivar updates: what is told after it.
    :ivar uid: whether there is the same command with ``UID`` before its name; see `Command.uid`.
    :ivar precheck: raises if the command is refused whatever its arguments are; its literals are not asked
        for then.
    :ivar receive: called before each literal that the grammar streams, to check whether it can be taken;
        gives what takes its octets.  The handler gets these from `Session.take_uploads`.
    """

    name: str
    grammar: Grammar[A]
    handler: Callable[[Session, Command[A]], Awaitable[Reply]]
    states: State = State.SIGNED_IN
    updates: Updates = Updates.ALL
    uid: bool = False
    precheck: Callable[[Session], None] | None = None
    receive: Callable[[Session, StreamedLiteral], Awaitable[Sink]] | None = None
