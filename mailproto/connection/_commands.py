"""Commands of a user's own, and capabilities to announce: the same for all protocols."""

from __future__ import annotations

import enum
import re
from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from mailproto._arguments import check_bool, check_call, wrong_type, wrong_value
from mailproto.observing import Client

if TYPE_CHECKING:
    from mailproto.connection._server import ServerConnection

__all__ = ["CommandRules", "CommandSession", "Commands", "ServerCommand", "State", "check_capabilities"]

ServerT = TypeVar("ServerT", bound="ServerConnection[Any]")


class State(enum.Flag):
    """How far a session has come; the states of RFC 9051 3.  SMTP and POP3 have the first two."""

    NOT_AUTHENTICATED = enum.auto()
    """The client has not signed in."""

    AUTHENTICATED = enum.auto()
    """It has signed in."""

    SELECTED = enum.auto()
    """It has signed in and has selected a mailbox (IMAP)."""

    SIGNED_IN = AUTHENTICATED | SELECTED
    ANY = NOT_AUTHENTICATED | AUTHENTICATED | SELECTED


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """A command of your own, for a server's ``commands``.

    :ivar handler: a function or coroutine function of two arguments, a `CommandSession` and the command's
        arguments.  It returns the reply, or raises `mailproto.errors.MailError` to refuse.
    :ivar states: where the command is allowed.  None for SIGNED_IN in IMAP and POP3, and in SMTP for wherever
        mail may be sent.
    :ivar replaces: whether it replaces a command that the server has.
    """

    handler: Callable[[Any, Any], object]
    states: State | None = None
    replaces: bool = False


Commands: TypeAlias = Mapping[str, ServerCommand | Callable[[Any, Any], object]]
"""Commands by name; a handler alone is a `ServerCommand` with the defaults."""


class CommandSession(Generic[ServerT]):
    """What a command of your own sees of the session in which it was given.

    :ivar server: the connection: an `SMTPServer`, `POP3Server` or `IMAPServer`, or your ``protocol_class``.
    :ivar name: the command, in upper case.
    """

    def __init__(self, server: ServerT, name: str) -> None:
        self.server = server
        self.name = name
        self.is_closing = False

    @property
    def client(self) -> Client:
        """Who the client is: address, TLS, and the account's name."""
        return self.server.client

    @property
    def state(self) -> State:
        """How far the session has come."""
        return self.server.state

    @property
    def is_secure(self) -> bool:
        """Whether the client may send a secret: inside TLS, or from this machine."""
        return self.server.is_secure

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self.server.is_open

    def close(self) -> None:
        """End the connection after the reply to this command, also if that is a refusal."""
        self.is_closing = True

    @contextmanager
    def handling(self, closing_words: bytes = b"") -> Iterator[None]:
        """While the handler runs; for the servers.

        :param closing_words: to be sent after a refusal if the connection ends with it.
        """
        try:
            yield
        except (Exception, CancelledError):  # asyncio's error of a cancelled task is no Exception
            if self.is_closing:
                self.server.end_after_refusal(closing_words, f"{self.name} ended it")
            raise


@dataclass(frozen=True, slots=True)
class CommandRules:
    """Which commands a protocol lets its users add.

    :ivar name: matches valid names, in upper case.
    :ivar built_in: the protocol's own commands.
    :ivar fixed: those of them that cannot be replaced, because the session depends on what they do.
    :ivar states: the states that sessions have.
    """

    name: re.Pattern[str]
    built_in: Collection[str]
    fixed: Collection[str]
    states: State

    def check(self, commands: Commands | None) -> dict[str, ServerCommand]:
        """The commands by name in upper case.

        :raises TypeError, ValueError: a name, a handler or its states are not valid.
        """
        checked: dict[str, ServerCommand] = {}
        if commands is not None and not isinstance(commands, Mapping):
            raise wrong_type("commands", commands, "a mapping such as {'XHELLO': handler}")
        for given, command in (commands or {}).items():
            if not isinstance(given, str):
                raise wrong_type("each name of commands", given, "a str such as 'XHELLO'")
            name = given.upper()
            where = f"commands[{given!r}]"
            if not given.isascii() or not self.name.fullmatch(name):
                raise wrong_value("each name of commands", given, "a command's name such as 'XHELLO'")
            if name in checked:
                hint = f"{name} is there twice"
                raise wrong_value(
                    "the names of commands", list(commands or ()), "different in upper case", hint
                )
            if not isinstance(command, ServerCommand):
                command = ServerCommand(command)
            self._check(where, name, command)
            checked[name] = command
        return checked

    def _check(self, where: str, name: str, command: ServerCommand) -> None:
        check_call(where, command.handler, "a function of (session, arguments)", 2)
        if not isinstance(command.states, State | None):
            raise wrong_type(f"states of {where}", command.states, "a State or None")
        if command.states is not None and not command.states & self.states:
            takes = f"some of {self.states!r}, in which sessions can be"
            raise wrong_value(f"states of {where}", command.states, takes)
        check_bool(f"replaces of {where}", command.replaces)
        if name in self.fixed:
            takes = "a new command, or one that can be replaced"
            raise wrong_value(where, name, takes, "derive a protocol_class to change it")
        if command.replaces and name not in self.built_in:
            raise wrong_value(f"replaces of {where}", True, "False", f"there is no {name} to replace")
        if not command.replaces and name in self.built_in:
            hint = "write ServerCommand(handler, replaces=True) to replace it"
            raise wrong_value(where, name, "a new command", hint)


def check_capabilities(
    capabilities: Iterable[str], syntax: re.Pattern[str], announced: Collection[str]
) -> tuple[str, ...]:
    """Check what is to be announced in addition.

    :param syntax: matches a whole announcement.
    :param announced: the first words, in upper case, of what the server announces itself.
    :raises TypeError, ValueError: one of them is not valid.
    """
    if isinstance(capabilities, str | bytes) or not isinstance(capabilities, Iterable):
        hint = f"write [{capabilities!r}]" if isinstance(capabilities, str) else ""
        raise wrong_type("capabilities", capabilities, "a list such as ['XHELLO']", hint)
    checked = tuple(capabilities)
    seen = set(announced)
    for capability in checked:
        if not isinstance(capability, str):
            raise wrong_type("each of capabilities", capability, "a str such as 'XHELLO'")
        word = capability.partition(" ")[0].upper()
        if not syntax.fullmatch(capability):
            raise wrong_value(
                "each of capabilities", capability, "words of printable ASCII, one space between"
            )
        if word in seen:
            takes = "one that is not announced already"
            raise wrong_value("each of capabilities", capability, takes)
        seen.add(word)
    return checked
