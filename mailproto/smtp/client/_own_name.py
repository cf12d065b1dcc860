"""What a client calls itself in EHLO (RFC 5321 4.1.4)."""

from __future__ import annotations

import re
import socket
from typing import Any

from mailproto.smtp.wire import UnsafeArgument, ascii_domain

__all__ = ["hello_name", "own_name"]

_NAME = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9\-_.]*[A-Za-z0-9_.])?|\[[0-9A-Za-z\-]++(?:[:.][0-9A-Za-z:.]*+)?\]"
)


def hello_name(name: str) -> str:
    """``name`` as it is said: nothing is known yet of who could read U-labels (RFC 6531 3.7.1).

    :raises UnsafeArgument: it is neither a domain nor an address literal.
    """
    name = ascii_domain(name)
    if not _NAME.fullmatch(name):
        raise UnsafeArgument("neither a domain nor an address literal")
    return name


def own_name(transport: Any) -> str:
    """This machine's name, if it has one that may be looked up, or its address in brackets."""
    name = socket.gethostname()
    if "." in name.strip("."):
        try:
            return hello_name(name)
        except UnsafeArgument:
            pass
    host: str = getattr(transport.getHost(), "host", "").partition("%")[0]  # without a zone (RFC 4007 11)
    if not host:
        return "localhost"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
