"""Headers in ASCII, for servers without SMTPUTF8.

Scripts and old programs write octets above 127 into headers without declaring it (SMTPUTF8), and so does mail
that other servers have let through.  What was declared must not be changed (RFC 6531 3.2); this was not.
"""

from __future__ import annotations

from typing import Final

from mailproto.content import Octets
from mailproto.message import header_fields
from mailproto.model import Parameters
from mailproto.smtp.client._header import NeedsUTF8, write_fields
from mailproto.smtp.wire import Capabilities

__all__ = ["MOST_OCTETS", "ascii_header", "with_ascii_header"]

_ANSWERED: Final = frozenset(
    {"from", "sender", "reply-to", "resent-from", "resent-sender", "resent-reply-to"}
)
"""Fields whose addresses are answered, or judged by other servers: they must stay addresses."""

_RECIPIENTS: Final = frozenset({"to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"})
"""Fields whose addresses people only read: who gets the message is in the envelope."""

MOST_OCTETS: Final = 1 << 16
"""Octets of the longest header that is changed, in a few milliseconds."""


def with_ascii_header(content: Octets, capabilities: Capabilities, parameters: Parameters) -> Octets:
    """The message with encoded words (RFC 2047) for other octets in its header, if the server needs that.

    :returns: the message as it was, if that is not needed, or if there is no such form, as for an address.
    """
    if "SMTPUTF8" in capabilities or "SMTPUTF8" in parameters:
        return content
    prefix = content if isinstance(content, bytes) else content.prefix
    if prefix.isascii():
        return content
    end = prefix.find(b"\r\n\r\n") + 2
    header = prefix[:end]
    if header.isascii() or end < 2 or end > MOST_OCTETS:
        return content
    try:
        whole = ascii_header(header) + prefix[end:]
    except ValueError:
        return content
    return whole if isinstance(content, bytes) else content.with_prefix(whole)


def ascii_header(header: bytes) -> bytes:
    """The fields of a message, or of a part, with encoded words for other octets.

    A field in which no encoded words are allowed, such as References, is replaced by one whose name begins
    with Downgraded- (RFC 6857 3.1.10), so that it keeps no message here.  Addresses of recipients become
    groups without members (RFC 6857 3.1.7).

    :raises ValueError: there is no such form, as for the address of an author.
    """
    pieces, at = [], 0
    for field in header_fields(header):
        if not header[field.start : field.stop].isascii():
            name = field.name.decode()
            value = field.value.replace(b"\r\n", b"").strip().decode("utf-8", "surrogateescape")
            try:
                lines = write_fields(name, value, utf8=False, as_groups=name.lower() in _RECIPIENTS)
            except NeedsUTF8:
                if name.lower() in _ANSWERED:
                    raise ValueError(f"{name} has an address that cannot be encoded") from None
                lines = write_fields(f"Downgraded-{name}", value, utf8=False)
            pieces += [header[at : field.start], *lines]
            at = field.stop
    return b"".join([*pieces, header[at:]])
