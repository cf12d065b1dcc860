"""A header section on its way in: fields, and an empty line after them (RFC 5322 2.1)."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.message import BYTE_ORDER_MARK, header_section, is_mbox_line

__all__ = ["NO_HEADER", "ArrivedHeader", "with_empty_line"]

_EMPTY_LINE = b"\r\n"
_MBOX_LINE = b"X-Mailbox-Line: "
"""What Postfix calls it."""

_NO_FIELD = b"X-No-Field: "


class ArrivedHeader(NamedTuple):
    """The header section of a message, as far as it has arrived.

    :ivar fields: as they are to be passed on.
    :ivar gaps: how many stretches of lines there were that are no fields.
    """

    fields: bytes
    gaps: int

    def more(self, octets: bytes) -> tuple[ArrivedHeader, bytes]:
        """The header section with what of ``octets`` belongs to it, and the rest of them.

        Lines among fields that are none become some, and a byte order mark goes: for the next
        reader of the message they would end the header section, or go on with the last of our fields.
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
    """What stands behind the header section; a body that came without the empty line gets it."""
    return body if body.startswith(_EMPTY_LINE) or not body else _EMPTY_LINE + body
