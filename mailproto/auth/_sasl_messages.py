"""SASL's messages as they cross the line: base64, strictly; and what can be wrong with one."""

from __future__ import annotations

import binascii

__all__ = ["MAX_RESPONSE", "SASLError", "decode_base64"]

MAX_RESPONSE = 12288
"""Octets of one message in base64 (RFC 4954 4: servers must take as many)."""


class SASLError(Exception):
    """The other side's message is not base64, too long, or not what the mechanism asks for.

    To a server: the answer is SMTP 501 5.5.2, IMAP BAD, POP3 -ERR, and the exchange is over.
    To a client: also that the server did not prove that it knows the password.  The message
    never holds any of what was received, so that no secret reaches a log.
    """


def decode_base64(data: bytes) -> bytes:
    """What was sent: nothing outside the alphabet, padding where it belongs (RFC 4954 4).

    :raises SASLError: for anything else, and for more than `MAX_RESPONSE` octets.
    """
    if len(data) > MAX_RESPONSE:
        raise SASLError("too long")
    if len(data) % 4:
        raise SASLError("not base64")  # strict mode takes a lone "=" for nothing
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise SASLError("not base64") from None
