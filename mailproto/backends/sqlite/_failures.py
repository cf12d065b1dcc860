"""What a client is told when the database or the file system fails."""

from __future__ import annotations

import errno
import sqlite3

from mailproto.errors import StorageFull, Unavailable

__all__ = ["unavailable"]

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PRIMARY = 0xFF
"""Of an extended result code, the bits that are SQLite's primary one."""


def unavailable(error: Exception) -> Unavailable:
    """``error`` in our terms: there is no room, or else something that may work later."""
    kind = StorageFull if _is_full(error) else Unavailable
    return kind(detail=f"{type(error).__name__}: {error}")


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    code = getattr(error, "sqlite_errorcode", 0)  # errors of the module itself have none
    # The memory that processes share is a file, too.
    return code & _PRIMARY == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE
