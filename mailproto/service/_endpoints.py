"""Twisted's endpoint strings, and our defaults for what they do not say."""

from __future__ import annotations

import re

__all__ = ["BACKLOG", "UNIX_MODE", "unix_path", "with_defaults"]

BACKLOG = 1024
"""Connections that may wait to be accepted, unless the endpoint says how many.

With Twisted's 50, of 2,000 clients that come at once most wait for their SYN to be sent again.
"""

UNIX_MODE = "660"
"""Of a Unix socket, unless the endpoint says another: who connects is on this machine, and may
bring mail by LMTP or say who it is by XCLIENT.  Twisted's is 666.
"""

_WRAPPER = "haproxy:"
"""Before another endpoint's string."""

_PART = re.compile(r"(?:^|:)((?:\\.|[^\\:])*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BACKLOG_POSITION = 2
"""Arguments without a name before the one that may be the backlog, or may be something else."""
_WITH_BACKLOG = ("tcp", "tcp6", "ssl", "unix")


def with_defaults(endpoint: str) -> str:
    """The endpoint string, with `BACKLOG` and `UNIX_MODE` where it may have them and gives none itself."""
    kind, by_position, by_name = _split(endpoint)
    defaults = {}
    if kind == "unix" and "mode" not in by_name and len(by_position) < 2:
        defaults["mode"] = UNIX_MODE
    if kind in _WITH_BACKLOG and "backlog" not in by_name and len(by_position) <= _BACKLOG_POSITION:
        defaults["backlog"] = str(BACKLOG)
    return ":".join([endpoint, *(f"{name}={value}" for name, value in defaults.items())])


def unix_path(endpoint: str) -> str | None:
    """Where the socket is that a ``unix:`` endpoint makes; None for other kinds, and for a socket
    that is no file."""
    kind, by_position, by_name = _split(endpoint)
    path = by_name.get("address", *by_position[:1]) if kind == "unix" else None
    return path if path and not path.startswith("\0") else None


def _split(endpoint: str) -> tuple[str, list[str], dict[str, str]]:
    """(Its kind, its arguments without names, and with)."""
    while endpoint.startswith(_WRAPPER):
        endpoint = endpoint.removeprefix(_WRAPPER)
    kind, *arguments = _PART.findall(endpoint)
    by_position: list[str] = []
    by_name: dict[str, str] = {}
    for argument in arguments:
        # An escaped character is no "=" that ends a name.
        hidden = _ESCAPED.sub("__", argument)
        name, equals, _ = hidden.partition("=")
        value = _ESCAPED.sub(r"\1", argument[len(name) + len(equals) :] if equals else argument)
        if equals:
            by_name[name] = value
        else:
            by_position.append(value)
    return kind, by_position, by_name
