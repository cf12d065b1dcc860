"""IMAP URLs (RFC 5092) that name a message, or a part of it, as CATENATE has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from mailproto.imap.wire._arguments import ArgumentReader
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._fetch import body
from mailproto.message import Section
from mailproto.model import canonical_mailbox_name

__all__ = ["MessageURL", "bad_url", "message_url"]

_URL = re.compile(
    rb"(?:imap://(?:([^/]*)@)?[^/@]*+)?(?:/([^;]*?))?(?:;UIDVALIDITY=([1-9][0-9]{0,9}+))?"
    rb"/?;UID=([1-9][0-9]{0,9}+)(?:/?;SECTION=([^;/]++))?(?:/?;PARTIAL=([0-9]{1,18}+)(?:\.([1-9][0-9]{0,17}+))?)?"
    rb"(?:;EXPIRE=([0-9TtZz:.+-]{20,40}))?"
    rb"(?:;URLAUTH=(anonymous|authuser|(?:user|submit)\+[^;:/]+)(?::([A-Za-z0-9.-]++):([0-9A-Fa-f]{32,200}+))?)?",
    re.IGNORECASE,
)
_CODE = re.compile(rb"[ !#-\[\]-~]*+")


@dataclass(frozen=True, slots=True)
class MessageURL:
    """A URL of a message or a part.

    :ivar text: the URL as it was written.
    :ivar mailbox: None for the selected one.
    :ivar uid_validity: None if the URL does not say.
    :ivar partial: (origin, the most octets or None), or None.
    :ivar user: whose mailbox it is; None if the URL does not say.
    :ivar expires: when what gives access ends; None for never.
    :ivar access: who may use it, with a name after ``+`` for ``user+`` and ``submit+``; or None (RFC 4467 3).
    :ivar mechanism: in upper case, with which the token was made.
    :ivar token: what proves that the URL gives access; None if it does not.
    :ivar rump: the URL up to ``access``.
    """

    text: bytes
    mailbox: str | None
    uid_validity: int | None
    uid: int
    section: Section
    partial: tuple[int, int | None] | None
    user: str | None = None
    expires: datetime | None = None
    access: str | None = None
    mechanism: bytes | None = None
    token: bytes | None = None
    rump: bytes = b""

    def range(self, length: int) -> tuple[int, int]:
        """The octets that are wanted of a section of some length."""
        if self.partial is None:
            return 0, length
        origin, most = self.partial
        start = min(origin, length)
        return start, length if most is None else min(origin + most, length)


def message_url(text: bytes, arguments: ArgumentReader) -> MessageURL:
    """Read a URL; its host is taken to be this server.

    :param arguments: where it was found, for the limits.
    :raises IMAPWireError: it is none, with BADURL (RFC 4469 4).
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise bad_url(text)
    user, mailbox, validity, uid, section, origin, octets, expires, access, mechanism, token = match.groups()
    try:
        name = canonical_mailbox_name(unquote_to_bytes(mailbox).decode()) if mailbox else None
        inner = ArgumentReader(
            unquote_to_bytes(section or b"") + b"]",
            (),
            0,
            limits=arguments.limits,
            utf8=arguments.utf8,
            syntax=arguments.syntax,
        )
        found = body(inner)
        inner.end()
        owner = unquote_to_bytes(user.partition(b";")[0]).decode() if user else None
        who = None if access is None else _access(access)
        end = None if expires is None else datetime.fromisoformat(expires.decode("ascii").upper())
        if end is not None and end.tzinfo is None:
            raise ValueError
    except (ValueError, IMAPWireError):
        raise bad_url(text) from None
    return MessageURL(
        text,
        name,
        None if validity is None else int(validity),
        int(uid),
        found.section,
        None if origin is None else (int(origin), None if octets is None else int(octets)),
        owner,
        end,
        who,
        None if mechanism is None else mechanism.upper(),
        token,
        b"" if access is None else text[: match.end(9)],
    )


def _access(access: bytes) -> str:
    kind, plus, name = access.partition(b"+")
    return (kind.lower() + plus + unquote_to_bytes(name)).decode()


def bad_url(text: bytes) -> IMAPWireError:
    """The error for a URL that is wrong, or names nothing (RFC 4469 5)."""
    code = f'BADURL "{text.decode("ascii")}"' if len(text) < 1000 and _CODE.fullmatch(text) else ""
    return IMAPWireError("No such part of a message", code=code, bad=False)
