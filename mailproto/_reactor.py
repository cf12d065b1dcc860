"""The installed reactor, for parameters that are left out."""

from __future__ import annotations

from typing import Any

__all__ = ["installed"]


def installed() -> Any:
    """Twisted's reactor; if none is installed yet, the default one is installed now."""
    from twisted.internet import reactor  # imported late, because a program may choose one first

    return reactor
