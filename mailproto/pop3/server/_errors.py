"""Errors in the commands themselves, whatever is in the maildrop."""

from mailproto.errors import (
    AuthenticationCancelled,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    UnknownMechanism,
)

__all__ = ["BAD_COMMANDS", "BadCommand"]


class BadCommand(MailError):
    """A command that is unknown, not in its place, or has the wrong arguments."""

    code, enhanced = 500, "5.5.1"


BAD_COMMANDS = (
    BadCommand,
    AuthenticationCancelled,
    EncryptionRequired,
    MalformedAuthentication,
    UnknownMechanism,
)
"""Errors that count towards ``bad_commands``; failed logins are counted separately."""
