"""What goes wrong on the other server, as the errors of our own contracts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailproto.client.errors import AuthenticationRefused, ClientError, CommandRefused
from mailproto.errors import (
    InvalidMailboxName,
    LimitReached,
    MailboxExists,
    MailboxInUse,
    MailError,
    MessageTooLarge,
    NoPermission,
    NoSuchMailbox,
    NoSuchMessage,
    OverQuota,
    TooManyAnnotations,
    Unavailable,
    UnsupportedSpecialUse,
)

__all__ = ["refusal", "translated"]

_BY_CODE: dict[str, type[MailError]] = {
    "ALREADYEXISTS": MailboxExists,
    "AUTHENTICATIONFAILED": Unavailable,
    "AUTHORIZATIONFAILED": NoPermission,
    "CANNOT": InvalidMailboxName,
    "EXPUNGEISSUED": NoSuchMessage,
    "INUSE": MailboxInUse,
    "LIMIT": LimitReached,
    "NONEXISTENT": NoSuchMailbox,
    "NOPERM": NoPermission,
    "OVERQUOTA": OverQuota,
    "TOOBIG": MessageTooLarge,
    "TRYCREATE": NoSuchMailbox,
    "USEATTR": UnsupportedSpecialUse,
}


def refusal(error: CommandRefused) -> MailError:
    """The error for a NO or a BAD, by its response code (RFC 9051 7.1, RFC 5530)."""
    code = str(getattr(error.reply, "code", "")).upper()
    if code == "METADATA":
        return TooManyAnnotations(detail=str(error))
    kind = _BY_CODE.get(code)
    if kind is None:
        # The other server's words are for its operator: they go to the log.
        known = code in ("UNAVAILABLE", "SERVERBUG", "CORRUPTION", "CONTACTADMIN")
        return Unavailable(detail=str(error)) if known else MailError("Refused", detail=str(error))
    return kind(detail=str(error))


@contextmanager
def translated(*, otherwise: type[MailError] | None = None) -> Iterator[None]:
    """Turn the errors of clients into those of backends.

    :param otherwise: for a refusal without a code, in place of a plain `MailError`.
    """
    try:
        yield
    except CommandRefused as error:
        made = refusal(error)
        if otherwise is not None and type(made) is MailError:
            made = otherwise(detail=str(error))
        raise made from error
    except AuthenticationRefused as error:
        text = "The other server does not accept the credentials any more"
        raise Unavailable(text, detail=f"{text}: {error}") from error
    except ClientError as error:
        raise Unavailable(detail=str(error)) from error
