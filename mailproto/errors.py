"""All errors of backends and deliveries, each with its meaning in SMTP, POP3 and IMAP.

Backends and deliveries raise these; the protocols turn them into replies.  The text is for the client and
tells nothing that helps an attacker; ``detail`` is for the log.  For any other exception the client gets
`Unavailable`, and the log gets the traceback.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from mailproto._arguments import check_refusal, check_type
from mailproto.printable import printable

__all__ = [
    "AccountExists",
    "AdministratorNeeded",
    "AnnotationTooLarge",
    "AuthenticationCancelled",
    "AuthenticationFailed",
    "AuthorizationFailed",
    "CredentialsExpired",
    "EncryptionRequired",
    "InvalidAccountName",
    "InvalidAnnotation",
    "InvalidMailboxName",
    "InvalidRights",
    "LeaseLost",
    "LimitReached",
    "MailError",
    "MailboxExists",
    "MailboxInUse",
    "MalformedAuthentication",
    "MessageTooLarge",
    "NoPermission",
    "NoSuchAccount",
    "NoSuchMailbox",
    "NoSuchMessage",
    "NoSuchQueued",
    "NoSuchQuotaRoot",
    "OverQuota",
    "ReadOnly",
    "RecipientUnknown",
    "Refused",
    "RelayDenied",
    "StorageFull",
    "StoreUnusable",
    "TemporaryAuthenticationFailure",
    "TooManyAnnotations",
    "Unavailable",
    "UnknownMechanism",
    "UnsupportedSpecialUse",
    "UnwantedInitialResponse",
    "WireError",
    "storage_failure",
]


class WireError(Exception):
    """The other side broke the protocol: the base of each protocol's own error.

    A wire raises nothing else, whatever octets it receives, and is then ready for the next event. ``fatal``
    says that the wire cannot find the start of the next event: the connection must end.
    """

    fatal: bool = False


class StoreUnusable(Exception):
    """A store cannot be opened: `mailproto.interfaces.IStore.start` raises it.

    Its text is one line for the operator: which file or server, what is wrong, and what to do.
    """


class LeaseLost(Exception):
    """A lease of the queue is somebody else's by now, or its message is gone (`IQueue.settle`)."""


class NoSuchQueued(Exception):
    """The queue has no such message: it was sent, given up or deleted (`IQueue.get`)."""


class MailError(Exception):
    """A request failed: holds the answer to the client.

    A subclass may have its own ``code``, ``enhanced`` and ``default_text``.

    :param text: printable ASCII for the client, usually one line; the class's own by default.
    :param detail: for the log only; any text is allowed, because ``str()`` of the error makes it
        `printable`.
    :raises TypeError: ``text`` or ``detail`` is no `str`.

    :cvar code: SMTP reply code (RFC 5321 4.2).
    :cvar enhanced: enhanced status code (RFC 3463).
    :cvar imap: IMAP response code without brackets (RFC 9051 7.1, RFC 5530), or "".
    :cvar pop3: POP3 extended response code without brackets (RFC 2449 8, RFC 3206), or "".
    """

    code: int = 451
    enhanced: str = "4.3.0"
    imap: ClassVar[str] = ""
    pop3: ClassVar[str] = ""
    default_text: ClassVar[str] = "Requested action not taken"

    def __init_subclass__(cls) -> None:
        """:raises TypeError, ValueError: the class's reply is none, or is no refusal."""
        super().__init_subclass__()
        check_refusal(cls.code, cls.enhanced, cls.default_text)

    def __init__(self, text: str = "", *, detail: str = "") -> None:
        if text.__class__ is not str or detail.__class__ is not str:
            check_type("text", text, str, "a str")
            check_type("detail", detail, str, "a str")
        self.text = text or self.default_text
        self.detail = detail
        super().__init__(printable(f"{self.text} ({detail})") if detail else self.text)


class Unavailable(MailError):
    """The server failed or cannot reach something; the same request may work later."""

    imap, pop3 = "UNAVAILABLE", "SYS/TEMP"
    default_text = "Temporary failure, try again later"


class AdministratorNeeded(MailError):
    """Nothing helps but to ask the operator (RFC 5530 CONTACTADMIN, RFC 3206 SYS/PERM).

    In SMTP, it is temporary, so that mail is tried again.
    """

    enhanced = "4.3.5"
    imap, pop3 = "CONTACTADMIN", "SYS/PERM"
    default_text = "Ask the administrator of this server"


class StorageFull(Unavailable):
    """There is no room on the server's disk (RFC 5321 4.2.3, RFC 3463 X.3.1).

    IMAP clients show OVERQUOTA (RFC 5530), which tells people that removing mail helps.
    """

    code, enhanced = 452, "4.3.1"
    imap = "OVERQUOTA"
    default_text = "Insufficient system storage"


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def storage_failure(error: OSError, doing: str, place: str = "") -> Unavailable:
    """The error for a disk that fails: `StorageFull` if there is no room, or else `Unavailable`.

    :param doing: what the server could not do, such as "spool a message"; for the log.
    :param place: the file or folder, where ``error`` names none: that of a write does not.
    """
    kind = StorageFull if error.errno in _NO_ROOM else Unavailable
    named = f": {place!r}" if place and error.filename is None else ""
    return kind(detail=f"cannot {doing}: {error}{named}")


class Refused(MailError):
    """A refusal with any code, enhanced code and text, for a delivery of your own.

    :param code: 400 to 599 (RFC 5321 4.2); 4yz asks the sender to try again, and 421 also ends the
        connection (3.8).
    :param enhanced: of the same class, such as ``5.7.1`` (RFC 3463).
    :param text: printable ASCII for the client; SMTP makes each of its lines a line of the reply.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: the code is not from 400 to 599, or the enhanced code is none or of another class.
    """

    def __init__(self, code: int, enhanced: str, text: str, *, detail: str = "") -> None:
        check_refusal(code, enhanced, text)
        super().__init__(text, detail=detail)
        self.code = code
        self.enhanced = enhanced


class RecipientUnknown(MailError):
    """The domain is ours, but the mailbox does not exist (RFC 3463 X.1.1)."""

    code, enhanced = 550, "5.1.1"
    default_text = "No such mailbox here"


class RelayDenied(MailError):
    """The domain is not ours, and this client may not send there through us (RFC 3463 X.7.1)."""

    code, enhanced = 550, "5.7.1"
    default_text = "Relaying denied"


class MessageTooLarge(MailError):
    """The message is larger than the server accepts (RFC 1870 6.1, RFC 9051 7.1 TOOBIG)."""

    code, enhanced = 552, "5.3.4"
    imap = "TOOBIG"
    default_text = "Message too large"


class OverQuota(MailError):
    """The account has no room (RFC 3463 X.2.2, RFC 5530 OVERQUOTA).

    :param account: the name of the account, if it is one of several; others may get the message then.
    """

    code, enhanced = 452, "4.2.2"
    imap = "OVERQUOTA"
    default_text = "Mailbox full"

    def __init__(self, text: str = "", *, detail: str = "", account: str = "") -> None:
        super().__init__(text, detail=detail)
        check_type("account", account, str, "a str")
        self.account = account


class AuthenticationFailed(MailError):
    """Unknown name or wrong secret; the client is not told which (RFC 4954 6, RFC 5530, RFC 3206)."""

    code, enhanced = 535, "5.7.8"
    imap, pop3 = "AUTHENTICATIONFAILED", "AUTH"
    default_text = "Authentication failed"


class AuthorizationFailed(AuthenticationFailed):
    """The secret is right, but who has it may not act as the account that was named (RFC 5530)."""

    imap = "AUTHORIZATIONFAILED"
    default_text = "Not allowed to act as that account"


class CredentialsExpired(AuthenticationFailed):
    """The password or the token is not valid any more: a new one is needed (RFC 5530 EXPIRED)."""

    imap = "EXPIRED"
    default_text = "Credentials expired"


class TemporaryAuthenticationFailure(Unavailable):
    """The credentials cannot be checked now (RFC 4954 6, RFC 5530 UNAVAILABLE, RFC 3206 SYS/TEMP)."""

    code, enhanced = 454, "4.7.0"
    default_text = "Temporary authentication failure"


class AuthenticationCancelled(MailError):
    """The client cancelled the exchange (RFC 4954 4); IMAP answers BAD (RFC 9051 6.2.2)."""

    code, enhanced = 501, "5.7.0"
    default_text = "Authentication cancelled"


class MalformedAuthentication(MailError):
    """The response is not base64, or not what the mechanism needs (RFC 4954 4 and 6); IMAP answers BAD."""

    code, enhanced = 501, "5.5.2"
    default_text = "Malformed authentication response"


class UnwantedInitialResponse(MalformedAuthentication):
    """The client sent an initial response, but in this mechanism the server begins (RFC 4954 4)."""

    code, enhanced = 501, "5.7.0"
    default_text = "No initial response here: the server begins"


class UnknownMechanism(MailError):
    """The server does not offer this SASL mechanism (RFC 4954 4)."""

    code, enhanced = 504, "5.5.4"
    default_text = "Unrecognised authentication mechanism"


class EncryptionRequired(MailError):
    """A password or a token must not be sent without TLS (RFC 4954 6, RFC 5530 PRIVACYREQUIRED)."""

    code, enhanced = 538, "5.7.11"
    imap = "PRIVACYREQUIRED"
    default_text = "Encryption required for this authentication mechanism"


class NoSuchAccount(MailError):
    """A store has no account of that name."""

    code, enhanced = 550, "5.1.1"
    imap = "NONEXISTENT"
    default_text = "No such account"


class AccountExists(MailError):
    """The store has an account of that name already."""

    code, enhanced = 550, "5.1.3"
    imap = "ALREADYEXISTS"
    default_text = "Account exists already"


class InvalidAccountName(MailError):
    """A name that no account can have, for example because a character of it is invisible (RFC 8265
    3.5)."""

    code, enhanced = 550, "5.1.3"
    imap = "CANNOT"
    default_text = "Not a name for an account"


class NoSuchMailbox(MailError):
    """The account has no mailbox of that name (RFC 5530 NONEXISTENT)."""

    code, enhanced = 550, "5.1.1"
    imap = "NONEXISTENT"
    default_text = "No such mailbox"


class MailboxExists(MailError):
    """CREATE of, or RENAME to, a name that exists already (RFC 5530 ALREADYEXISTS)."""

    imap = "ALREADYEXISTS"
    default_text = "Mailbox exists already"


class InvalidMailboxName(MailError):
    """An impossible name, or an operation that this mailbox never allows (RFC 5530 CANNOT)."""

    imap = "CANNOT"
    default_text = "Not possible with that mailbox name"


class UnsupportedSpecialUse(InvalidMailboxName):
    """CREATE with a special use that the store does not have (RFC 6154 3)."""

    imap = "USEATTR"
    default_text = "Special use not supported"


class LimitReached(MailError):
    """An account has as many mailboxes or subscriptions as it may have (RFC 5530 LIMIT)."""

    imap = "LIMIT"
    default_text = "Too many mailboxes"


class NoSuchMessage(MailError):
    """The mailbox does not have the message any more (RFC 5530 EXPUNGEISSUED)."""

    imap = "EXPUNGEISSUED"
    default_text = "That message is gone"


class NoSuchQuotaRoot(MailError):
    """The account has no quota root of that name (RFC 9208 4.1.2, RFC 5530 NONEXISTENT)."""

    imap = "NONEXISTENT"
    default_text = "No such quota root"


class NoPermission(MailError):
    """This account may not do that (RFC 5530 NOPERM)."""

    code, enhanced = 550, "5.7.1"
    imap = "NOPERM"
    default_text = "Permission denied"


class InvalidRights(MailError):
    """No such right, or an identifier that cannot be one (RFC 4314 3.1: IMAP answers BAD)."""

    imap = "CANNOT"
    default_text = "No such right"


class InvalidAnnotation(MailError):
    """No annotation can have that name (RFC 5464 3.2: IMAP answers BAD)."""

    imap = "CANNOT"
    default_text = "Not the name of an annotation"


class AnnotationTooLarge(MailError):
    """The value of an annotation is too large (RFC 5464 4.3).

    :param most: the most octets that it may have.
    """

    default_text = "Annotation too large"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.imap = f"METADATA MAXSIZE {most}"  # type: ignore[misc]  # each has its own


class TooManyAnnotations(MailError):
    """An account has as many annotations, or as many octets of them, as it may have (RFC 5464 4.3)."""

    imap = "METADATA TOOMANY"
    default_text = "Too many annotations"


class MailboxInUse(MailError):
    """Another session has the lock that this one needs (RFC 5530 INUSE, RFC 2449 8.1.2 IN-USE)."""

    imap, pop3 = "INUSE", "IN-USE"
    default_text = "Mailbox in use"


class ReadOnly(MailError):
    """The backend does not allow changes to this mailbox (RFC 5530 NOPERM)."""

    code, enhanced = 550, "5.7.1"
    imap = "NOPERM"
    default_text = "Mailbox is read-only"
