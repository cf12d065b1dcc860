"""Commands of a user's own, and capabilities to announce: the same for all protocols."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

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
        """End the connection after the reply to this command."""
        self.is_closing = True


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
            raise TypeError(f"commands: a mapping of names to handlers, not {commands!r}")
        for given, command in (commands or {}).items():
            if not isinstance(given, str):
                raise TypeError(f"commands: a name is text, not {given!r}")
            name = given.upper()
            where = f"commands[{given!r}]"
            if not given.isascii() or not self.name.fullmatch(name):
                raise ValueError(f"{where}: not a command's name")
            if name in checked:
                raise ValueError(f"{where}: the same command again")
            if not isinstance(command, ServerCommand):
                command = ServerCommand(command)
            self._check(where, name, command)
            checked[name] = command
        return checked

    def _check(self, where: str, name: str, command: ServerCommand) -> None:
        if not callable(command.handler):
            raise TypeError(f"{where}: a function, not {command.handler!r}")
        try:
            inspect.signature(command.handler).bind(None, None)
        except TypeError:
            raise TypeError(f"{where}: {command.handler!r} must take (session, arguments)") from None
        except ValueError:  # a builtin that does not tell
            pass
        if not isinstance(command.states, State | None):
            raise TypeError(f"{where}: states is a State, not {command.states!r}")
        if command.states is not None and not command.states & self.states:
            raise ValueError(f"{where}: sessions are never in {command.states!r}")
        if name in self.fixed:
            raise ValueError(f"{where}: {name} cannot be replaced; derive a protocol_class to change it")
        if command.replaces is not (name in self.built_in):
            hint = f"{name} exists: ServerCommand(handler, replaces=True) replaces it"
            raise ValueError(f"{where}: {f'there is no {name} to replace' if command.replaces else hint}")


def check_capabilities(
    capabilities: Iterable[str], syntax: re.Pattern[str], announced: Collection[str]
) -> tuple[str, ...]:
    """Check what is to be announced in addition.

    :param syntax: matches a whole announcement.
    :param announced: the first words, in upper case, of what the server announces itself.
    :raises TypeError, ValueError: one of them is not valid.
    """
    if isinstance(capabilities, str | bytes) or not isinstance(capabilities, Iterable):
        raise TypeError(f"capabilities: a list of texts, not {capabilities!r}")
    checked = tuple(capabilities)
    seen = set(announced)
    for capability in checked:
        if not isinstance(capability, str):
            raise TypeError(f"capabilities: a list of texts, not of {capability!r}")
        word = capability.partition(" ")[0].upper()
        if not syntax.fullmatch(capability):
            raise ValueError(f"capabilities: {capability!r} cannot be announced")
        if word in seen:
            raise ValueError(f"capabilities: {word} is announced already")
        seen.add(word)
    return checked
