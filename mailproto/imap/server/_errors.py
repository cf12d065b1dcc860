"""Errors of IMAP sessions, in addition to those that backends raise (RFC 5530)."""

from __future__ import annotations

from mailproto.errors import MailError, NoPermission, NoSuchMailbox, OverQuota, ReadOnly, Unavailable

__all__ = [
    "FLAG_NOT_KEPT",
    "BadCharset",
    "BadCommand",
    "ContentLost",
    "ContentUnreadable",
    "ExpungeIssued",
    "HasChildren",
    "NotNow",
    "RefusedWithCode",
    "SessionOver",
    "SomeGone",
    "TryCreate",
    "UIDRequired",
]

FLAG_NOT_KEPT = (Unavailable, OverQuota, ReadOnly, NoPermission)
"""Errors that are ignored for flags that the client did not ask to set: reading goes on without them."""


class BadCommand(MailError):
    """Answered with BAD: the command is invalid."""

    code, enhanced = 500, "5.5.1"
    default_text = "Invalid command"


class NotNow(BadCommand):
    """The command is not valid in the session's state (RFC 9051 3, RFC 5530 CLIENTBUG)."""

    imap = "CLIENTBUG"
    default_text = "Not valid in this state"


class UIDRequired(BadCommand):
    """A message's number from a client that wants UIDs only (RFC 9586)."""

    imap = "UIDREQUIRED"
    default_text = "Messages have no numbers, only UIDs"


class TryCreate(NoSuchMailbox):
    """APPEND, COPY or MOVE to a mailbox that does not exist and could be created (RFC 9051 6.3.12)."""

    imap = "TRYCREATE"


class ExpungeIssued(MailError):
    """Another session has removed some of the messages (RFC 5530 3)."""

    imap = "EXPUNGEISSUED"
    default_text = "Some of the messages no longer exist"


class RefusedWithCode(MailError):
    """Answered with NO, and a response code that is not the same each time, such as ``BADURL "..."``.

    :ivar response_code: without its brackets; "" for none.
    """

    def __init__(self, response_code: str, text: str) -> None:
        super().__init__(text)
        self.response_code = response_code


class SomeGone(MailError):
    """STORE could not change all messages, because some no longer exist, and an extension says more.

    :param text: what it says, response code included.
    """

    default_text = "Some of the messages no longer exist"

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode("ascii"))


class HasChildren(MailError):
    """DELETE of a name that only holds the names below it (RFC 9051 7.1)."""

    imap = "HASCHILDREN"
    default_text = "The name has children, and is no mailbox itself"


class BadCharset(MailError):
    """The keys of SEARCH are in a charset that is not supported (RFC 9051 6.4.4)."""

    imap = "BADCHARSET (US-ASCII UTF-8)"
    default_text = "Charset not supported"


class ContentUnreadable(Unavailable):
    """Some messages exist but cannot be read now."""

    default_text = "Some of the messages could not be read"


class ContentLost(ContentUnreadable):
    """Some messages exist, but what is in them does not any more (RFC 5530 CORRUPTION)."""

    imap = "CORRUPTION"


class SessionOver(MailError):
    """The client is gone: stop the command, and answer nothing."""

    default_text = "Session over"
