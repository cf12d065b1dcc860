"""Commands that a user adds to the server (RFC 2449 4, 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mailproto.awaiting import settle
from mailproto.connection.commands import CommandRules, CommandSession, ServerCommand, State
from mailproto.interfaces import IAccount
from mailproto.pop3.server._errors import BadCommand
from mailproto.pop3.wire import MAX_REPLY, Command, DotStuffing, ok

if TYPE_CHECKING:
    from mailproto.pop3.server._server import POP3Server

__all__ = ["CAPABILITIES", "CAPABILITY", "COMMANDS", "POP3CommandSession", "is_allowed", "own_command"]

_FIXED: Final = frozenset({"APOP", "AUTH", "CAPA", "LANG", "PASS", "QUIT", "STLS", "USER", "UTF8"})
_MAILDROP: Final = frozenset({"DELE", "LIST", "NOOP", "RETR", "RSET", "STAT", "TOP", "UIDL"})

COMMANDS = CommandRules(
    name=re.compile(r"[A-Z][A-Z0-9-]{2,19}"),
    built_in=_FIXED | _MAILDROP,
    fixed=_FIXED,
    states=State.NOT_AUTHENTICATED | State.AUTHENTICATED,
)

CAPABILITY = re.compile(r"[!-,/-~][!-~]{0,39}(?: [!-~]+)*", re.ASCII)
"""A capa-tag and its parameters (RFC 2449 3)."""

CAPABILITIES: Final = frozenset(
    {"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE", "USER", "SASL", "STLS"}
    | {"IMPLEMENTATION", "LANG", "LOGIN-DELAY", "UTF8"}
)
"""What CAPA may announce without being told to."""

_UNPRINTABLE = re.compile(r"[^ -~]")
_LINE_END = re.compile(r"[\r\n\0]")


class POP3CommandSession(CommandSession["POP3Server"]):
    """What a command of your own sees of a POP3 session.

    The arguments are a text: everything after the space that follows the command.

    The handler returns the reply: None for ``+OK``; a text, which is sent after ``+OK``; or a list of texts
    for a reply of several lines, of which the first is sent after ``+OK``.  To refuse (``-ERR``), it raises
    `mailproto.errors.MailError`.
    """

    @property
    def account(self) -> IAccount | None:
        """The account that has signed in."""
        login = self.server.login
        return None if login is None else login.account


def is_allowed(server: POP3Server, command: ServerCommand) -> bool:
    """Whether a command is allowed in the session's state."""
    return server.state in (State.SIGNED_IN if command.states is None else command.states)


async def own_command(server: POP3Server, command: ServerCommand, event: Command) -> None:
    """Carry out a command of the user's."""
    try:
        argument = event.rest.decode()
    except UnicodeDecodeError:
        raise BadCommand(f"{event.keyword}: not UTF-8") from None
    session = POP3CommandSession(server, event.keyword)
    with session.handling():
        reply = _rendered(event.keyword, await settle(command.handler(session, argument)))
    server.well_done()
    if session.is_closing:
        server.end(reply, f"{event.keyword} ended it")
    else:
        server.write(reply)


def _rendered(keyword: str, result: object) -> bytes:
    if result is None:
        return ok()
    if isinstance(result, str):
        return _first_line(result)
    if isinstance(result, Sequence) and result and all(isinstance(line, str) for line in result):
        if any(_LINE_END.search(line) for line in result):
            raise ValueError(f"the handler of {keyword} returned a line with a line end or a NUL in it")
        body = DotStuffing()
        lines = "".join(f"{line}\r\n" for line in result[1:]).encode()
        return b"".join((_first_line(result[0]), body.encode(lines), body.finish()))
    raise TypeError(
        f"the handler of {keyword} returned {result!r}: return None, a text or a list of texts,"
        " or raise mailproto.errors.MailError"
    )


def _first_line(text: str) -> bytes:
    return ok(_UNPRINTABLE.sub("?", text)[: MAX_REPLY - len("+OK \r\n")])
