"""Explains the system's errors to operators: what is wrong, and what to do about it."""

from __future__ import annotations

import errno
import glob
import os
import pwd
from collections.abc import Mapping

__all__ = ["file_error", "refusal", "store_error", "user_name"]

_TO_DO: Mapping[int, str] = {
    errno.EEXIST: "there is a file of this name, which is no folder: remove it, or choose another",
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of this path is no folder",
    errno.EISDIR: "it is a folder",
    errno.EMFILE: "this process has too many files open",
}


def file_error(error: OSError, path: str | os.PathLike[str]) -> str:
    """``FILE: reason``; ``path`` is used if the error names no file.

    The error of a rename names two files; the second is the one that could not be put in place.
    """
    names = [name for name in (error.filename2, error.filename) if isinstance(name, str | os.PathLike)]
    named = names[0] if names else path
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{named}: {_denied(os.fspath(named))}"
    reason = _TO_DO.get(error.errno or 0) or error.strerror or str(error)
    return f"{named}: {reason}"


def store_error(error: Exception, path: str | None) -> str:
    """Why a store cannot be used.

    :param path: the database file, if there is one, because a library's error does not name it.
    """
    cause = error.__cause__ or error
    if isinstance(cause, OSError):
        return file_error(cause, path or "")
    for file in [] if path is None else [path, *(path + end for end in ("-wal", "-shm", "-journal"))]:
        if os.path.isdir(file):
            return f"{file}: a folder is where a file of the database must be: move it away"
    for file in [] if path is None else [os.path.dirname(path) or ".", *glob.glob(glob.escape(path) + "*")]:
        if (denied := refusal(file, os.R_OK | os.W_OK)) is not None:
            return file_error(denied, file)
    return str(error)


def refusal(path: str, mode: int) -> OSError | None:
    """The error that using a file or folder with ``mode`` would give (`os.access`); None if it is
    allowed."""
    if _may_use(path, mode):
        return None
    is_read_only = _may_use(path, mode & ~os.W_OK) and os.statvfs(path).f_flag & os.ST_RDONLY
    number = errno.EROFS if is_read_only else errno.EACCES
    return OSError(number, os.strerror(number), path)


def _may_use(path: str, mode: int) -> bool:
    # With `twistd --euid`, the real user stays root.
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _denied(path: str) -> str:
    """The text for a denied permission; names the owner of the nearest existing folder."""
    user, there = user_name(os.geteuid()), path
    while not os.path.lexists(there) and there != (above := os.path.dirname(there) or "."):
        there = above
    try:
        owner = f"{there} belongs to {user_name(os.lstat(there).st_uid)}"
    except OSError:
        owner = "it belongs to another"
    to_do = f"give it to {user} (chown -R)"
    if there != path:
        to_do = f"make {path} first, and {to_do}"
    return f"Permission denied: the user {user} may not use it; {owner}: {to_do}"


def user_name(uid: int) -> str:
    """The name of a user of this machine, or his number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"
