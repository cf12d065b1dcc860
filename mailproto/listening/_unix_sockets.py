"""Unix sockets that other processes made: removes unused ones, and explains errors."""

from __future__ import annotations

import os
import socket
import stat

from twisted.internet.error import CannotListenError

__all__ = ["remove_left_over", "socket_error"]


_MAX_PATH = 107
"""The most octets of a socket's path, without the NUL (unix(7))."""


def remove_left_over(path: str) -> None:
    """Remove a socket on which no process listens any more, and Twisted's lock next to it.

    Twisted respects a lock as long as there is a process with its number.  After a power cut or a restart
    of a container, that may be any process, even this one.

    :raises OSError: it cannot be removed.
    """
    if _is_answered(path):
        return
    if _is_socket(path):
        os.unlink(path)
    lock = _lock_of(path)
    if os.path.islink(lock) and not os.path.lexists(path):
        os.unlink(lock)


def socket_error(path: str, error: Exception) -> str:
    """Why a socket cannot be made at a path, and what to do about it."""
    folder = os.path.dirname(path) or "."
    if len(os.fsencode(path)) > _MAX_PATH:
        return f"too long for a socket, whose path has {_MAX_PATH} octets at most: choose a shorter one"
    if not os.path.isdir(folder):
        return f"there is no folder {folder}: make it first"
    if _is_socket(path):
        try:
            holder = f"process {int(os.readlink(_lock_of(path)))}"
        except (OSError, ValueError):
            holder = "another process"
        return f"{holder} listens there: end it, or choose another name"
    if os.path.lexists(path):
        return "there is a file of this name, which is no socket: remove it, or choose another name"
    cause = error.socketError if isinstance(error, CannotListenError) else error
    if isinstance(cause, PermissionError):
        return f"this user may not make files in {folder}"
    return getattr(cause, "strerror", None) or str(cause)


def _lock_of(path: str) -> str:
    """The path of Twisted's lock: a symbolic link to the number of the process."""
    return f"{path}.lock"


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _is_answered(path: str) -> bool:
    """Whether a process listens there, or might."""
    if not _is_socket(path):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:  # we may not connect, or too many connections are waiting
            return True
    return True
