"""Makes files and folders that stay after a power cut, and gives root's away.

A new name is on disk when the folder that contains it is synced; syncing the file itself does not promise
that (POSIX ``fsync``; Linux fsync(2)).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from pathlib import Path

__all__ = ["give_away", "make_folder", "sync_folder", "write_private"]


def give_away(path: str | os.PathLike[str], uid: int | None, gid: int | None) -> None:
    """Change the owner of root's file; in a setgid folder, the group stays.

    :param uid: None for no change.
    :param gid: None for the user's own group.
    :raises OSError:
    """
    if gid is None and uid is not None:
        with contextlib.suppress(KeyError):  # twistd chooses the group in the same way
            gid = pwd.getpwuid(uid).pw_gid
    if gid is None or os.stat(os.path.dirname(path) or ".").st_mode & stat.S_ISGID:
        gid = -1
    os.chown(path, -1 if uid is None else uid, gid, follow_symlinks=False)


def make_folder(path: str | os.PathLike[str], mode: int = 0o700) -> None:
    """Make a folder and its missing parents; its name is on disk afterwards.

    The name of an existing folder is synced, too: the folder may have been made just before a crash.

    :raises OSError:
    """
    path = os.path.abspath(path)
    above = os.path.dirname(path)
    if not os.path.isdir(path):
        if not os.path.isdir(above):
            make_folder(above, 0o777)
        with contextlib.suppress(FileExistsError):  # another process has just made it
            os.mkdir(path, mode)
    with contextlib.suppress(PermissionError):  # another user made that folder and does not let us read it
        sync_folder(above)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Write the names in a folder to disk, after files in it were made, renamed or removed.

    :raises OSError:
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read: atomically, and synced to disk.

    :raises OSError:
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    sync_folder(path.parent)
