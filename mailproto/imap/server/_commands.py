"""The table of commands: in which states each is valid, and its handler.

To add a command, write a handler in the file of its family and a row here.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mailproto.connection.commands import State
from mailproto.imap.server import (
    _append,
    _fetch,
    _idle,
    _listing,
    _mailbox_commands,
    _message_commands,
    _search,
    _session_commands,
)
from mailproto.imap.wire import Command

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["COMMANDS", "Handler", "Rule", "Updates"]

Handler = Callable[["IMAPServer", Command[Any]], Awaitable[bytes | None]]
"""Carries out a command.

:returns: the text of its tagged OK, response code included; None for "NAME completed".
:raises MailError: to answer NO, `BadCommand` to answer BAD.
"""


class Updates(enum.Enum):
    """What the client is told of its mailbox before the tagged OK (RFC 9051 7.5.1)."""

    NOTHING = enum.auto()
    """The command has told everything itself, or would be told of its own change."""

    NO_EXPUNGES = enum.auto()
    """New messages and changed flags.  Expunges too if the command is a UID command."""

    ALL = enum.auto()


class Rule(NamedTuple):
    """One row of the table."""

    states: State
    handler: Handler
    updates: Updates = Updates.ALL
    precheck: Callable[[IMAPServer], None] | None = None
    """Raises if the command is refused whatever its arguments are; its literals are not asked for then."""


_ANY = State.ANY
_FIRST = State.NOT_AUTHENTICATED
_IN = State.SIGNED_IN
_SELECTED = State.SELECTED

COMMANDS: Mapping[str, Rule] = {
    "CAPABILITY": Rule(_ANY, _session_commands.capability),
    "NOOP": Rule(_ANY, _session_commands.noop),
    "ID": Rule(_ANY, _session_commands.identify),
    "LOGOUT": Rule(_ANY, _session_commands.logout, Updates.NOTHING),
    "STARTTLS": Rule(_FIRST, _session_commands.starttls),
    "AUTHENTICATE": Rule(_FIRST, _session_commands.authenticate),
    "LOGIN": Rule(_FIRST, _session_commands.login, precheck=_session_commands.check_login_allowed),
    "ENABLE": Rule(_IN, _session_commands.enable),
    "NAMESPACE": Rule(_IN, _listing.namespace),
    "SELECT": Rule(_IN, _mailbox_commands.select, Updates.NOTHING),
    "EXAMINE": Rule(_IN, _mailbox_commands.select, Updates.NOTHING),
    "CREATE": Rule(_IN, _mailbox_commands.create),
    "DELETE": Rule(_IN, _mailbox_commands.delete),
    "RENAME": Rule(_IN, _mailbox_commands.rename),
    "SUBSCRIBE": Rule(_IN, _mailbox_commands.subscribe),
    "UNSUBSCRIBE": Rule(_IN, _mailbox_commands.unsubscribe),
    "STATUS": Rule(_IN, _mailbox_commands.status),
    "LIST": Rule(_IN, _listing.list_mailboxes),
    "LSUB": Rule(_IN, _listing.list_subscribed),
    "APPEND": Rule(_IN, _append.append),
    "IDLE": Rule(_IN, _idle.idle),
    "CHECK": Rule(_SELECTED, _session_commands.noop),
    "CLOSE": Rule(_SELECTED, _mailbox_commands.close),
    "UNSELECT": Rule(_SELECTED, _mailbox_commands.unselect),
    "EXPUNGE": Rule(_SELECTED, _message_commands.expunge),
    "SEARCH": Rule(_SELECTED, _search.search, Updates.NO_EXPUNGES),
    "FETCH": Rule(_SELECTED, _fetch.fetch, Updates.NO_EXPUNGES),
    "STORE": Rule(_SELECTED, _message_commands.store, Updates.NOTHING),
    "COPY": Rule(_SELECTED, _message_commands.copy),
    "MOVE": Rule(_SELECTED, _message_commands.move),
}
