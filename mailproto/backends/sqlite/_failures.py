"""What a client is told when the database or the file system fails."""

from __future__ import annotations

import sqlite3

from mailproto.errors import StorageFull, Unavailable, storage_failure

__all__ = ["unavailable"]

_PRIMARY = 0xFF
"""Of an extended result code, the bits that are SQLite's primary one."""


def unavailable(error: Exception) -> Unavailable:
    """``error`` in our terms: there is no room, or else something that may work later."""
    if isinstance(error, OSError):
        return storage_failure(error, "read or write a message")
    code = getattr(error, "sqlite_errorcode", 0)  # errors of the module itself have none
    # The memory that processes share is a file, too.
    is_full = code & _PRIMARY == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE
    kind = StorageFull if is_full else Unavailable
    return kind(detail=f"{type(error).__name__}: {error}")
