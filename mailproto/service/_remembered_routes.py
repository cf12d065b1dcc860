"""The routes of the last server that used a data folder, for ``mailproto send``.

A message that the command puts on the queue belongs to the destination that the server would choose; and
where the server sends nothing, the caller is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mailproto.files import write_private
from mailproto.relay import Routes

__all__ = ["remember_routes", "remembered_routes"]

_ROUTES = "routes"
"""The file in the data folder: the default, and then a line ``DOMAIN=WAY`` for each route; no credentials."""


def remember_routes(folder: Path, default: str, routes: Mapping[str, str]) -> None:
    """Write the file, if it is not the same.

    :raises OSError:
    """
    lines = [default, *(f"{domain}={way}" for domain, way in routes.items())]
    octets = "".join(f"{line}\n" for line in lines).encode()
    file = folder / _ROUTES
    if not file.exists() or file.read_bytes() != octets:
        write_private(file, octets)


def remembered_routes(folder: Path) -> Routes:
    """What the file says; by default, all mail goes where the DNS says.

    :raises OSError: the file exists, but cannot be read.
    :raises ValueError: it is not one that a server has written.
    """
    try:
        default, *lines = (folder / _ROUTES).read_text("utf-8").splitlines() or [""]
    except (FileNotFoundError, NotADirectoryError):
        return Routes("mx")
    pairs = [line.partition("=")[::2] for line in lines]
    try:
        return Routes(default, dict(pairs))
    except ValueError as error:
        raise ValueError(f"{folder / _ROUTES}: {error}: start the server again, which writes it") from None
