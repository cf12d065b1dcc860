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

__all__ = ["MOST_OCTETS", "with_ascii_header"]

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
    pieces, at = [], 0
    try:
        for field in header_fields(header):
            if not header[field.start : field.stop].isascii():
                value = field.value.replace(b"\r\n", b"").strip().decode("utf-8", "surrogateescape")
                pieces += [header[at : field.start], *write_fields(field.name.decode(), value, utf8=False)]
                at = field.stop
    except (NeedsUTF8, ValueError):
        return content
    whole = b"".join([*pieces, header[at:], prefix[end:]])
    return whole if isinstance(content, bytes) else content.with_prefix(whole)
