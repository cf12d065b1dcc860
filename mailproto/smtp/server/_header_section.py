"""Receiving a message's header section: fields, and an empty line after them (RFC 5322 2.1)."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.message import BYTE_ORDER_MARK, header_section, is_mbox_line

__all__ = ["NO_HEADER", "ArrivedHeader", "with_empty_line"]

_EMPTY_LINE = b"\r\n"
_MBOX_LINE = b"X-Mailbox-Line: "
"""The field that Postfix makes of such a line."""

_NO_FIELD = b"X-No-Field: "


class ArrivedHeader(NamedTuple):
    """The part of a message's header section that has arrived.

    :ivar fields: the fields in the form in which they are passed on.
    :ivar gaps: how many times there were lines between fields that are not fields.
    """

    fields: bytes
    gaps: int

    def extended(self, octets: bytes) -> tuple[ArrivedHeader, bytes]:
        """Split ``octets`` into header and body: return the longer header section, and the rest.

        Lines between fields that are not fields become fields, and a byte order mark is removed.
        Otherwise the next reader of the message might take them for the end of the header section, or
        for the continuation of a field that this server added.
        """
        begun = bool(self.fields)
        end, gaps = header_section(octets, begun=begun, gaps_before=self.gaps)
        pieces, at = [self.fields], 0
        for start, stop in gaps:
            pieces.append(octets[at:start])
            lines = octets[start:stop]
            if not start and not begun:
                lines = lines.removeprefix(BYTE_ORDER_MARK)
            for line in lines.split(b"\n")[:-1]:
                named = _MBOX_LINE if is_mbox_line(line + b"\n") else _NO_FIELD
                pieces += (named, line, b"\n")
            at = stop
        pieces.append(octets[at:end])
        return ArrivedHeader(b"".join(pieces), self.gaps + len(gaps)), octets[end:]


NO_HEADER = ArrivedHeader(b"", 0)


def with_empty_line(body: bytes) -> bytes:
    """``body`` with the empty line that separates it from the header section."""
    return body if body.startswith(_EMPTY_LINE) or not body else _EMPTY_LINE + body
