"""Errors in the commands themselves, whatever is in the maildrop."""

from mailproto.errors import (
    AuthenticationCancelled,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    UnknownMechanism,
)

__all__ = ["BAD_COMMANDS", "BadCommand", "NoMaildrop"]


class BadCommand(MailError):
    """A command that is unknown, not in its place, or has the wrong arguments."""

    code, enhanced = 500, "5.5.1"


class NoMaildrop(MailError):
    """The client has signed in, but the account has no INBOX that can be opened (RFC 3206 5).

    Without the code, clients would take a refusal of PASS for a wrong password, and ask for another.
    """

    pop3 = "SYS/PERM"


BAD_COMMANDS = (
    BadCommand,
    AuthenticationCancelled,
    EncryptionRequired,
    MalformedAuthentication,
    UnknownMechanism,
)
"""Errors that count towards ``bad_commands``; failed logins are counted separately."""
