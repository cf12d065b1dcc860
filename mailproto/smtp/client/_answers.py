"""Which replies are an answer to what, and what becomes of the others (RFC 5321 4.3.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from mailproto.smtp.client._errors import ProtocolViolation
from mailproto.smtp.wire import Reply

__all__ = ["CONNECTION", "END_OF_DATA", "POSITIVE", "is_answer", "violation"]

CONNECTION = "a new connection"
"""What a greeting answers."""

END_OF_DATA = "the end of data"

_MAIL_SYSTEM = range(250, 260)
"""Positive replies of the mail system (4.2.1: x5z); an unknown one is one too (4.3.2)."""

POSITIVE: Final[Mapping[str, Collection[int]]] = {
    CONNECTION: {220},
    "EHLO": _MAIL_SYSTEM,
    "LHLO": _MAIL_SYSTEM,
    "HELO": _MAIL_SYSTEM,
    "STARTTLS": {220},  # RFC 3207 4
    "AUTH": {235, 334},  # RFC 4954 4
    "MAIL": _MAIL_SYSTEM,
    "RCPT": _MAIL_SYSTEM,
    "DATA": {354},
    "BDAT": _MAIL_SYSTEM,  # RFC 3030 2
    END_OF_DATA: _MAIL_SYSTEM,
    "RSET": _MAIL_SYSTEM,
    "NOOP": _MAIL_SYSTEM,
    "VRFY": _MAIL_SYSTEM,
    "QUIT": range(200, 300),  # nothing depends on it: the connection ends
}
"""The replies that say yes, by what they answer.

A refusal, 4yz or 5yz, can answer anything.  A reply that is neither has not understood what
was said, or answers something else, perhaps what another peer said: nothing that comes after
it can be relied on.
"""


def is_answer(said: str, reply: Reply) -> bool:
    """Whether ``reply`` can answer ``said``, one of `POSITIVE`."""
    return reply.code >= 400 or reply.code in POSITIVE[said]


def violation(said: str, reply: Reply) -> ProtocolViolation:
    """Of a reply that cannot."""
    return ProtocolViolation(f"The server answered {said} with {reply}", reply=reply)
