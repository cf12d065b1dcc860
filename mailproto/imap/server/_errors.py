"""What only an IMAP session can answer: errors beside those of backends (RFC 5530)."""

from __future__ import annotations

from mailproto.errors import MailError, NoSuchMailbox, OverQuota, ReadOnly, Unavailable

__all__ = [
    "NOT_KEPT",
    "BadCommand",
    "ContentUnreadable",
    "ExpungeIssued",
    "SessionOver",
    "TryCreate",
]

NOT_KEPT = (Unavailable, OverQuota, ReadOnly)
"""Why a flag may not be kept that the client did not ask for: reading goes on without it."""


class BadCommand(MailError):
    """Answered with BAD: the client should not have said that, or not now."""

    default_text = "Not valid in this state"


class TryCreate(NoSuchMailbox):
    """APPEND, COPY or MOVE to a mailbox that is not there, and could be made (RFC 9051 6.3.12)."""

    imap = "TRYCREATE"


class ExpungeIssued(MailError):
    """Some of the messages were removed by another session (RFC 5530 3)."""

    imap = "EXPUNGEISSUED"
    default_text = "Some of the messages no longer exist"


class ContentUnreadable(MailError):
    """Some messages are there, their octets are not: a file is gone or damaged."""

    imap = "UNAVAILABLE"
    default_text = "Some of the messages could not be read"


class SessionOver(MailError):
    """The client is gone: stop what is done for it.  Nobody is left to be told."""

    default_text = "Session over"
