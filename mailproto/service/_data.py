"""The data folder, as a service: it is there, and ours, before anything is opened in it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from twisted.application.service import Service

from mailproto.auth import ensure_secret
from mailproto.files import make_folder
from mailproto.service._listening import give_away
from mailproto.service._reasons import file_error, refusal
from mailproto.service._settings import SettingError, User

__all__ = ["DataService", "alone_in", "check_access", "make_data_folder"]


class DataService(Service):
    """Makes what is missing in the data folder, as the user that the process stays.

    Root may make the folder for that user before it becomes the user.

    :ivar spool_folder: for messages while they arrive.
    :ivar secret: of this server, the same after a restart.
    """

    def __init__(self, folder: Path, user: Callable[[], User | None] = lambda: None) -> None:
        self.folder = folder
        self._user = user
        self.spool_folder = folder / "spool"
        self.secret = b""

    def privilegedStartService(self) -> None:
        """Make the folder if it is missing and another user is to have it.

        :raises SettingError:
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        user = self._user()
        if user is not None and os.geteuid() == 0 and not self.folder.exists():
            with self._told():
                make_data_folder(self.folder)
                give_away(str(self.folder), user)

    def startService(self) -> None:
        """See that everything is there and can be used.

        :raises SettingError: it cannot.
        """
        super().startService()  # type: ignore[no-untyped-call]
        with self._told():
            make_data_folder(self.folder)
            check_access(self.folder, os.R_OK | os.W_OK | os.X_OK)
            self.spool_folder.mkdir(mode=0o700, exist_ok=True)
            with alone_in(self.folder):
                self.secret = ensure_secret(self.folder)
            check_access(self.spool_folder, os.R_OK | os.W_OK | os.X_OK)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SettingError("data", file_error(error, self.folder)) from None


def make_data_folder(folder: Path) -> Path:
    """Make it, readable by its owner alone, if it is not there.

    :raises OSError:
    """
    make_folder(folder)
    if not folder.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    return folder


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make files that must fit each other while no other server does so: it waits, and finds them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # of a file system that has no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_access(path: Path, mode: int) -> None:
    """:raises OSError: the file or folder is there, and cannot be used so (`os.access`)."""
    if path.exists() and (denied := refusal(str(path), mode)) is not None:
        raise denied
