"""The encoding of SASL messages: strict base64."""

from __future__ import annotations

import binascii

__all__ = ["MAX_RESPONSE", "SASLError", "decode_base64"]

MAX_RESPONSE = 12288
"""The most octets of one message in base64; servers must accept this many (RFC 4954 4)."""


class SASLError(Exception):
    """The other side's message is not base64, too long, or not what the mechanism needs.

    A server answers SMTP 501 5.5.2, IMAP BAD or POP3 -ERR, and ends the exchange.  A client also gets this
    error if the server did not prove that it knows the password.  The text never contains received octets,
    so that no secret reaches a log.
    """


def decode_base64(data: bytes) -> bytes:
    """Decode base64; no character outside the alphabet is allowed, and padding must be right (RFC 4954 4).

    :raises SASLError: for anything else, and for more than `MAX_RESPONSE` octets.
    """
    if len(data) > MAX_RESPONSE:
        raise SASLError("too long")
    if len(data) % 4:
        raise SASLError("not base64")  # strict mode accepts a lone "=" as an empty string
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise SASLError("not base64") from None
