"""A submission server's changes to a message's header section (RFC 6409 8)."""

from __future__ import annotations

import re

from mailproto.model import Envelope
from mailproto.smtp.server._trace import date_time

__all__ = ["complete_header"]

_BCC = re.compile(rb"^(?:resent-)?bcc[ \t]*:.*(?:\n[ \t].*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_DATE = re.compile(rb"^date[ \t]*:", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:", re.IGNORECASE | re.MULTILINE)


def complete_header(header: bytes, envelope: Envelope, now: float) -> bytes:
    """``header`` with Date and Message-ID if they were missing, and without Bcc and Resent-Bcc.

    Bcc is removed because recipients must not see it (RFC 5322 3.6.3, 3.6.6).

    :param header: field lines, each with its CRLF.
    :param now: in seconds since the epoch.
    """
    added = b""
    if not _DATE.search(header):
        added += f"Date: {date_time(now)}\r\n".encode()
    if not _MESSAGE_ID.search(header):
        added += f"Message-ID: <{envelope.id}@{envelope.session.hostname}>\r\n".encode()
    return added + _BCC.sub(b"", header)
