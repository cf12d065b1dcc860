"""Commands that a user adds to the server (RFC 9051 6.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from mailproto.awaiting import settle
from mailproto.connection.commands import (
    CommandRules,
    Commands,
    CommandSession,
    ServerCommand,
    State,
    check_capabilities,
)
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import ArgumentReader, Command, own_arguments, quoted_or_literal
from mailproto.interfaces import IAccount, IMailbox

__all__ = ["IMAPCommandSession", "Value", "with_own"]

_REPLACEABLE: Final = frozenset(
    {"CHECK", "CREATE", "DELETE", "ENABLE", "ID", "LIST", "LSUB", "NAMESPACE", "NOOP", "RENAME", "STATUS"}
    | {"SUBSCRIBE", "UNSUBSCRIBE"}
)

_NAME = re.compile(r"(?!UID\Z)[A-Z][A-Z0-9._-]{0,39}")

CAPABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+/:=<>|&;,_-]{0,99}", re.ASCII)
"""A capability: an atom (RFC 9051 9)."""

_LATER: Final = frozenset({"IMAP4REV2", "LOGINDISABLED", "SASL-IR", "STARTTLS", "UNAUTHENTICATE"})
"""What CAPABILITY may announce without being told to, in some states."""

Value: TypeAlias = "str | bytes | int | Iterable[Value] | None"
"""A value in a response: text and octets become strings, None becomes NIL, and the rest lists."""

_UNPRINTABLE = re.compile(r"[^ -~]")


class IMAPCommandSession(CommandSession[Session]):
    """What a command of your own sees of an IMAP session.

    The arguments are an `mailproto.imap.wire.ArgumentReader`.

    The handler returns the text of the tagged OK, which may begin with a response code in brackets; None for
    ``NAME completed``.  To refuse, it raises `mailproto.errors.MailError` (NO) or `BadCommand` (BAD).  The
    client is told of changes in its mailbox before the tagged OK.
    """

    @property
    def account(self) -> IAccount | None:
        """The account that has signed in."""
        return self.server.account

    @property
    def mailbox(self) -> IMailbox | None:
        """The selected mailbox."""
        view = self.server.view
        return None if view is None else view.mailbox

    @property
    def is_read_only(self) -> bool:
        """Whether the selected mailbox was opened by EXAMINE, or cannot be changed."""
        view = self.server.view
        return view is not None and view.read_only

    def untagged(self, name: str, *values: Value) -> None:
        """Send an untagged response: ``*``, the name, and the values, each after a space.

        :param name: printable ASCII, such as ``XECHO`` or ``12 XECHO``; it is sent as it is.
        :param values: text (in UTF-8) and octets are sent as strings, in quotes or as literals; numbers as
            they are; None as NIL; and iterables as lists in parentheses.
        :raises ValueError: the name is not printable ASCII, or a value has a NUL.
        """
        if not name or _UNPRINTABLE.search(name):
            raise ValueError(f"untagged: not a response's name: {name!r}")
        words = b"".join([b" " + _rendered(value) for value in values])
        self.server.respond(b"* %b%b\r\n" % (name.encode("ascii"), words))

    async def flush(self) -> None:
        """Send the responses so far, and wait while the client is slow to read; after each of many responses.

        :raises MailError: the client is gone; let it pass.
        """
        await self.server.flush()


def with_own(
    extensions: Sequence[Extension], commands: Commands | None, capabilities: Iterable[str]
) -> Sequence[Extension]:
    """The extensions of a server, and one more with the commands and capabilities of a user's own.

    :raises TypeError, ValueError: a command or a capability is not valid.
    """
    there = {spec.name.removeprefix("UID ") for each in extensions for spec in each.commands}
    rules = CommandRules(name=_NAME, built_in=there, fixed=there - _REPLACEABLE, states=State.ANY)
    checked = rules.check(commands)
    announced = {word.upper() for each in extensions for word in each.capabilities} | _LATER
    own = Extension(
        "this server",
        capabilities=check_capabilities(capabilities, CAPABILITY, announced),
        commands=[_spec(name, command) for name, command in checked.items()],
    )
    return [
        *(
            replace(each, commands=[spec for spec in each.commands if spec.name not in checked])
            for each in extensions
        ),
        own,
    ]


def _spec(name: str, own: ServerCommand) -> CommandSpec[ArgumentReader]:
    async def handle(server: Session, command: Command[ArgumentReader]) -> bytes:
        session = IMAPCommandSession(server, name)
        with session.handling(b"* BYE Logging out\r\n"):
            result = await settle(own.handler(session, command.arguments))
            if result is not None and not isinstance(result, str):
                raise TypeError(
                    f"the handler of {name} returned {result!r}: return None or the text of the tagged OK,"
                    " or raise mailproto.errors.MailError"
                )
        text = _UNPRINTABLE.sub("?", result or f"{name} completed").encode("ascii")
        if session.is_closing:
            server.end_after(command, text)
        return text

    return CommandSpec(name, own_arguments, handle, State.SIGNED_IN if own.states is None else own.states)


def _rendered(value: Value) -> bytes:
    if value is None:
        return b"NIL"
    if isinstance(value, str | bytes):
        octets = quoted_or_literal(value)
        if b"\0" in octets:  # RFC 9051 9, CHAR8
            raise ValueError("untagged: a value has a NUL")
        return octets
    if isinstance(value, int):
        return b"%d" % value
    return b"(%b)" % b" ".join([_rendered(item) for item in value])
