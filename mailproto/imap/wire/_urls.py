"""IMAP URLs (RFC 5092) that name a message, or a part of it, as CATENATE has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailproto.imap.wire._arguments import ArgumentReader
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._fetch import body
from mailproto.message import Section
from mailproto.model import canonical_mailbox_name

__all__ = ["MessageURL", "bad_url", "message_url"]

_URL = re.compile(
    rb"(?:imap://[^/]*+)?(?:/([^;]*?))?(?:;UIDVALIDITY=([1-9][0-9]{0,9}+))?"
    rb"/?;UID=([1-9][0-9]{0,9}+)(?:/?;SECTION=([^;/]++))?(?:/?;PARTIAL=([0-9]{1,18}+)(?:\.([1-9][0-9]{0,17}+))?)?",
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
    """

    text: bytes
    mailbox: str | None
    uid_validity: int | None
    uid: int
    section: Section
    partial: tuple[int, int | None] | None


def message_url(text: bytes, arguments: ArgumentReader) -> MessageURL:
    """Read a URL; its host is taken to be this server.

    :param arguments: where it was found, for the limits.
    :raises IMAPWireError: it is none, with BADURL (RFC 4469 4).
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise bad_url(text)
    mailbox, validity, uid, section, origin, octets = match.groups()
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
    except (UnicodeDecodeError, IMAPWireError):
        raise bad_url(text) from None
    return MessageURL(
        text,
        name,
        None if validity is None else int(validity),
        int(uid),
        found.section,
        None if origin is None else (int(origin), None if octets is None else int(octets)),
    )


def bad_url(text: bytes) -> IMAPWireError:
    """The error for a URL that is wrong, or names nothing (RFC 4469 5)."""
    code = f'BADURL "{text.decode("ascii")}"' if len(text) < 1000 and _CODE.fullmatch(text) else ""
    return IMAPWireError("No such part of a message", code=code, bad=False)
