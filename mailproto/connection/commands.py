"""Commands of your own for servers, the same for SMTP, POP3 and IMAP: `docs/extending.md` shows how.

A factory's ``commands`` takes handlers by name, or a `ServerCommand` that also says in which `State` the
command is allowed.
"""

from mailproto.connection._commands import (
    CommandRules,
    Commands,
    CommandSession,
    ServerCommand,
    State,
    check_capabilities,
)

__all__ = [
    "CommandRules",
    "CommandSession",
    "Commands",
    "ServerCommand",
    "State",
    "check_capabilities",
]
