"""A service that makes the data folder, and checks that it can be used."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from twisted.application.service import Service

from mailproto.auth.signing_in import ensure_secret
from mailproto.files import give_away, make_folder
from mailproto.service._reasons import file_error, refusal
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import User

__all__ = ["DataService", "check_access", "lock_folder", "make_data_folder"]


class DataService(Service):
    """Makes the data folder and its contents, as the user that the server runs as.

    Root may make the folder for that user, before the process changes to the user.

    :ivar spool_folder: the folder for messages while they arrive.
    :ivar secret: this server's secret; it is the same after a restart.
    """

    def __init__(self, folder: Path, user: Callable[[], User | None] = lambda: None) -> None:
        self.folder = folder
        self._user = user
        self.spool_folder = folder / "spool"
        self.secret = b""

    def privilegedStartService(self) -> None:
        """Make the folder if it is missing and belongs to another user.

        :raises SettingError:
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        user = self._user()
        if user is not None and os.geteuid() == 0 and not self.folder.exists():
            with self._as_setting_error():
                make_data_folder(self.folder)
                give_away(self.folder, user.uid, user.gid)

    def startService(self) -> None:
        """Make everything that is missing, and check that it can be used.

        :raises SettingError: it cannot be used.
        """
        super().startService()  # type: ignore[no-untyped-call]
        with self._as_setting_error():
            make_data_folder(self.folder)
            check_access(self.folder, os.R_OK | os.W_OK | os.X_OK)
            self.spool_folder.mkdir(mode=0o700, exist_ok=True)
            with lock_folder(self.folder):
                self.secret = ensure_secret(self.folder)
            check_access(self.spool_folder, os.R_OK | os.W_OK | os.X_OK)

    @contextmanager
    def _as_setting_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SettingError("data", file_error(error, self.folder)) from None


def make_data_folder(folder: Path) -> Path:
    """Make the data folder if it is missing; only its owner can read it.

    :raises OSError:
    """
    make_folder(folder)
    if not folder.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    return folder


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold a lock while files that belong together are made; another server waits, and then finds them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # the file system has no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_access(path: Path, mode: int) -> None:
    """:raises OSError: the file or folder exists, but does not allow ``mode`` (`os.access`)."""
    if path.exists() and (denied := refusal(str(path), mode)) is not None:
        raise denied
