"""Errors for clients and operators when the database or the file system fails."""

from __future__ import annotations

import sqlite3

from mailproto.errors import StorageFull, StoreUnusable, Unavailable, storage_failure

__all__ = ["FULL", "is_full", "is_of_storage", "unavailable", "unusable"]

FULL = "the disk is full"
"""The text for operators, instead of SQLite's."""

_PRIMARY = 0xFF
"""The bits of SQLite's primary code in an extended result code."""


_STORAGE = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)
"""The primary codes of errors that the disk causes."""

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Damaged(Unavailable):
    """The database is damaged (RFC 5530 CORRUPTION)."""

    imap = "CORRUPTION"


def unavailable(error: Exception, place: str = "") -> Unavailable:
    """The error for a client: `StorageFull` if there is no room, `Damaged`, or else `Unavailable`.

    :param place: the file to name in the log, if ``error`` names none.
    """
    if isinstance(error, OSError):
        return storage_failure(error, "read or write a message", place)
    kind: type[Unavailable] = Damaged if _code(error) & _PRIMARY in _DAMAGE else Unavailable
    if is_full(error):
        kind = StorageFull
    reason = f"{type(error).__name__}: {error}"
    return kind(detail=f"{place}: {reason}" if place else reason)


def is_full(error: Exception) -> bool:
    """Whether the error means that the disk is full."""
    if isinstance(error, OSError):
        return isinstance(storage_failure(error, ""), StorageFull)
    # SQLite's shared memory is a file, too.
    return _code(error) & _PRIMARY == sqlite3.SQLITE_FULL or _code(error) == sqlite3.SQLITE_IOERR_SHMSIZE


def is_of_storage(error: Exception) -> bool:
    """Whether the disk caused the error, rather than the request."""
    return _code(error) & _PRIMARY in _STORAGE


def unusable(path: str, error: Exception) -> StoreUnusable:
    """The error if the database ``path`` cannot be opened: why, and what to do."""
    if is_full(error):
        return StoreUnusable(f"{path}: {FULL}: make room on it")
    to_do = ""
    if _code(error) & _PRIMARY in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        to_do = "; restore it from a backup, or choose another place"
    return StoreUnusable(f"{path}: {error}{to_do}")


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0)  # errors of the sqlite3 module itself have none
