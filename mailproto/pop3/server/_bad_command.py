"""What a client should not have sent, whatever is in the maildrop."""

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


BAD_COMMANDS = (
    BadCommand,
    AuthenticationCancelled,
    EncryptionRequired,
    MalformedAuthentication,
    UnknownMechanism,
)
"""Errors that are the command's own; those of a password are counted apart."""
