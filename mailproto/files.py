"""Files and folders that a power cut cannot take away once they are made.

A new name is certain when the folder that has it is synced, which syncing the file itself does
not promise (POSIX ``fsync``; Linux fsync(2)).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["make_folder", "sync_folder", "write_private"]


def make_folder(path: str | os.PathLike[str], mode: int = 0o700) -> None:
    """Make a folder, and those above it that are missing; its name is on disk afterwards.

    A folder that is there already may have been made just before a crash: its name is synced, too.

    :raises OSError:
    """
    path = os.path.abspath(path)
    above = os.path.dirname(path)
    if not os.path.isdir(path):
        if not os.path.isdir(above):
            make_folder(above, 0o777)
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.mkdir(path, mode)
    with contextlib.suppress(PermissionError):  # one that may not be read was made by somebody else
        sync_folder(above)


def sync_folder(path: str | os.PathLike[str]) -> None:
    """Have the names in a folder on disk: those of new, renamed and removed files.

    :raises OSError:
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, and put it in place whole, synced to disk.

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
