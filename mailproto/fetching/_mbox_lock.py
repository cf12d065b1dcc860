"""The lock of an mbox, as Debian's policy wants it (11.6): ``fcntl`` first, and then a lock file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Final

__all__ = ["MboxLock"]

PATIENCE: Final = 30.0
"""Seconds to wait for another program's lock."""

STALE: Final = 300.0
"""Seconds after which another program's lock file means nothing any more."""

_BETWEEN: Final = 0.05
"""Seconds between two attempts."""


class MboxLock:
    """The open file, locked.  To make one may block.

    The lock file has the number of this process, as liblockfile writes it, and the machine's name: what a
    killed process has left there is removed at once.  Where the folder may not be written, there is none.

    :param path: the mbox; it is made if it is missing.
    :ivar descriptor: of the file.
    :raises OSError: another program has it locked for too long, or it cannot be opened.
    """

    descriptor: int

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.with_name(f"{path.name}.lock")
        self._mark = f"{os.getpid()}\n{_HERE}\n".encode()
        self._has_file = False
        until = time.monotonic() + PATIENCE
        while (who := self._try()) is not None:
            if time.monotonic() > until:
                raise OSError(0, f"another program has locked it ({who})", str(path))
            time.sleep(_BETWEEN)

    def _try(self) -> str | None:
        """Lock it.  :returns: who has locked it otherwise, in words."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                return "fcntl"
            if not self._made():
                return str(self._file)
            if _is(descriptor, self._path):
                self.descriptor, descriptor = descriptor, -1
                return None
            self._remove()  # somebody has put another file in its place
            return "it changes"
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _made(self) -> bool:
        """Whether the lock file is there now, and ours (or cannot be there)."""
        try:
            self._make()
        except FileExistsError:
            if _is_stale(self._file):
                with contextlib.suppress(FileNotFoundError):
                    self._file.unlink()
            return False
        except OSError:  # no right to write in the folder, as in /var/mail, or no room
            return not os.path.lexists(self._file)
        self._has_file = True
        return True

    def _make(self) -> None:
        """Make the lock file with its text at once, where the file system can: a kill leaves no empty one."""
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if not self._linked(folder):
                made = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                try:
                    os.write(made, self._mark)
                finally:
                    os.close(made)
        finally:
            os.close(folder)

    def _linked(self, folder: int) -> bool:
        """Whether a file without a name could be made, and get this one.

        :raises FileExistsError: another file has it.
        """
        try:
            made = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o644, dir_fd=folder)
        except OSError:
            return False
        try:
            os.write(made, self._mark)
            # With a descriptor of a folder, because only then Python asks to follow the link.
            os.link(f"/proc/self/fd/{made}", self._file.name, dst_dir_fd=folder, follow_symlinks=True)
        except FileExistsError:
            raise
        except OSError:
            return False
        finally:
            os.close(made)
        return True

    def _remove(self) -> None:
        if self._has_file:
            self._has_file = False
            with contextlib.suppress(OSError):
                if self._file.read_bytes() == self._mark:  # it may have been taken for stale
                    self._file.unlink()

    def release(self) -> None:
        """Unlock and close the file."""
        self._remove()
        os.close(self.descriptor)  # which ends the other lock


_HERE: Final = f"mailproto at {socket.gethostname()}"


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _is_stale(file: Path) -> bool:
    """Whether a lock file is one of our own, of a process that was killed; or too old to wait for."""
    try:
        is_old = time.time() - file.lstat().st_mtime > STALE
        number, _, rest = file.read_text("ascii", "replace").partition("\n")
    except OSError:
        return False
    return is_old or (rest.rstrip("\n") == _HERE and number.isdigit() and not _lives(int(number)))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
