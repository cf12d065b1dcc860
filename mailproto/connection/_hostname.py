"""The server's own name, in greetings and trace fields."""

from __future__ import annotations

import re
import socket

from mailproto.domains import ascii_domain

__all__ = ["own_hostname", "server_hostname"]

_NAME = re.compile(
    r"(?=.{1,255}\Z)(?:[a-z0-9_]|[a-z0-9_][a-z0-9_-]*[a-z0-9_])(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE
)
_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9a-f:.]+\]", re.IGNORECASE)


def own_hostname() -> str:
    """The machine's own name for itself; the DNS is not asked, because that may take a minute."""
    name = socket.gethostname()
    return name if _NAME.fullmatch(name) else "localhost"


def server_hostname(hostname: str | None) -> str:
    """``hostname`` with A-labels instead of U-labels (RFC 6531 3.7.1); None means `own_hostname`.

    :raises TypeError: it is neither a `str` nor None.
    :raises ValueError: it is neither a domain nor an address in brackets, such as ``[192.0.2.1]``.
    """
    if hostname is None:
        return own_hostname()
    if not isinstance(hostname, str):
        raise TypeError(f"hostname must be a str such as 'mail.example.org', not {hostname!r}")
    try:
        name = ascii_domain(hostname)
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name) and not _LITERAL.fullmatch(name):
        raise ValueError(
            f"hostname must be a domain such as 'mail.example.org' or an address in brackets,"
            f" not {hostname!r}"
        )
    return name
