"""How many octets a client reads at once."""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import ITransport

__all__ = ["FULL_READ", "fit_reads"]

FULL_READ: Final = 1 << 16
"""Octets that Twisted reads at once."""

_LARGE_READ: Final = 1 << 18
_MANY_EVENTS: Final = 128


def fit_reads(transport: ITransport, events: int) -> None:
    """After a full read, read more at once if few large events were in it, as when messages are fetched.

    Many small events, such as the flags of all messages, take their time: then the reads are as before.

    Twisted has one number for how much is read at once and for how much may wait to be written.

    :param events: how many were read since the last full read.
    """
    size = FULL_READ if events > _MANY_EVENTS else _LARGE_READ
    if getattr(transport, "bufferSize", size) != size:
        transport.bufferSize = size  # type: ignore[attr-defined]
