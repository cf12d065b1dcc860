"""What can be wrong with the other side of an exchange."""

from __future__ import annotations

__all__ = ["SASLError"]


class SASLError(Exception):
    """The other side's message is not base64, too long, or not what the mechanism asks for.

    To a server: the answer is SMTP 501 5.5.2, IMAP BAD, POP3 -ERR, and the exchange is over.
    To a client: also that the server did not prove that it knows the password.  The message
    never holds any of what was received, so that no secret reaches a log.
    """
