"""Completes Twisted's endpoint strings with our defaults."""

from __future__ import annotations

import ipaddress
import re

from mailproto._arguments import check_type

__all__ = ["BACKLOG", "UNIX_MODE", "is_on_loopback", "unix_path", "with_defaults"]

BACKLOG = 1024
"""Connections that may wait to be accepted, unless the endpoint sets a number.

With Twisted's 50, most of 2,000 simultaneous clients have to send their SYN again.
"""

UNIX_MODE = "660"
"""The mode of a Unix socket, unless the endpoint sets one; Twisted's default is 666.

Any process that can connect may deliver mail by LMTP, or name a client with XCLIENT.
"""

_WRAPPER = "haproxy:"
"""A prefix of another endpoint string."""

_PART = re.compile(r"(?:^|:)((?:\\.|[^\\:])*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WITH_BACKLOG = {"tcp": 2, "tcp6": 1, "ssl": 5, "unix": 2}
"""The number of unnamed arguments before the one that may be the backlog."""
_WITH_INTERFACE = {"tcp": 1, "tcp6": 2, "ssl": 4}
"""The number of unnamed arguments before the one that may be the interface."""


def with_defaults(endpoint: str) -> str:
    """The endpoint string with `BACKLOG` and `UNIX_MODE` added, if they apply and are not set."""
    kind, by_position, by_name = _split(endpoint)
    defaults = {}
    if kind == "unix" and "mode" not in by_name and len(by_position) < 2:
        defaults["mode"] = UNIX_MODE
    if "backlog" not in by_name and len(by_position) <= _WITH_BACKLOG.get(kind, -1):
        defaults["backlog"] = str(BACKLOG)
    return ":".join([endpoint, *(f"{name}={value}" for name, value in defaults.items())])


def unix_path(endpoint: str) -> str | None:
    """The path of a ``unix:`` endpoint's socket; None for other kinds, and for an abstract socket."""
    kind, by_position, by_name = _split(endpoint)
    path = by_name.get("address", *by_position[:1]) if kind == "unix" else None
    return path if path and not path.startswith("\0") else None


def is_on_loopback(endpoint: str) -> bool:
    """Whether only clients on this machine can connect to an endpoint; False if its string does not tell."""
    check_type("endpoint", endpoint, str, "an endpoint string such as 'tcp:8025:interface=127.0.0.1'")
    kind, by_position, by_name = _split(endpoint)
    if kind == "unix":
        return True
    if kind not in _WITH_INTERFACE:
        return False
    position = _WITH_INTERFACE[kind]
    host = by_name.get("interface", *by_position[position : position + 1] or [""])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(endpoint: str) -> tuple[str, list[str], dict[str, str]]:
    """Split into (kind, unnamed arguments, named arguments)."""
    while endpoint.startswith(_WRAPPER):
        endpoint = endpoint.removeprefix(_WRAPPER)
    kind, *arguments = _PART.findall(endpoint)
    by_position: list[str] = []
    by_name: dict[str, str] = {}
    for argument in arguments:
        # An escaped "=" does not end a name.
        hidden = _ESCAPED.sub("__", argument)
        name, equals, _ = hidden.partition("=")
        value = _ESCAPED.sub(r"\1", argument[len(name) + len(equals) :] if equals else argument)
        if equals:
            by_name[name] = value
        else:
            by_position.append(value)
    return kind, by_position, by_name
