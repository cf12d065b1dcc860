"""A POP3 server's replies as octets (RFC 1939 3, RFC 2449 8, RFC 5034 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["MAX_REPLY", "challenge", "err", "multiline", "ok"]

MAX_REPLY = 512
"""Octets of a reply's first line with its CRLF (RFC 1939 3)."""

_UNPRINTABLE = re.compile(r"[^ -~]+")


def ok(text: str = "") -> bytes:
    """``+OK``, alone or with a text that this package wrote."""
    return f"+OK {text}\r\n".encode("ascii") if text else b"+OK\r\n"


def err(text: str, code: str = "") -> bytes:
    """``-ERR`` with any text: what is not printable ASCII is left out, and so is what is too long.

    :param code: a response code without its brackets, such as ``SYS/TEMP`` (RFC 2449 8).
    """
    line = f"-ERR [{code}] {text}" if code else f"-ERR {text}"
    return _UNPRINTABLE.sub(" ", line)[: MAX_REPLY - 2].encode("ascii") + b"\r\n"


def multiline(text: str, lines: Iterable[str]) -> bytes:
    """``+OK``, lines (none may begin with a dot), and the dot that ends them."""
    return "\r\n".join((f"+OK {text}", *lines, ".\r\n")).encode("ascii")


def challenge(encoded: bytes) -> bytes:
    """A SASL challenge, in base64."""
    return b"+ %b\r\n" % encoded
