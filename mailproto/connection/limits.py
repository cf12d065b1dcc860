"""Limits that all servers have, and why a server closes a connection."""

from mailproto.connection._limits import CloseReason, Limits

__all__ = [
    "CloseReason",
    "Limits",
]
