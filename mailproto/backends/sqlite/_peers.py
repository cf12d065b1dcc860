"""The processes that have a store open: they signal changes to each other, and write in turns.

Each process has a datagram socket in a folder next to the database.  After a commit, a process sends an
empty datagram to all others, which then look for changes.  If a datagram cannot be sent because the
receiver has not read the last one yet, it is not needed.  A single process sends nothing, and nothing runs
while nothing changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

from mailproto._logger import PackageLogger
from mailproto.files import make_folder

__all__ = ["Peers", "Turns"]

_SETTLED = 0.1
"""Seconds after which a folder's modification time shows whether it has changed since."""

_MAX_ADDRESS = 100
"""The length of a Unix socket's address that all systems accept."""


class Peers:
    """The other processes that have the store open.

    :param folder: the folder of the sockets, made if it is missing.
    :param found_gone: called by `tell` if it finds that a process was killed.
    """

    _log = PackageLogger()

    def __init__(self, folder: str, found_gone: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._found_gone = found_gone
        self._name = uuid.uuid4().hex
        self._descriptor: int | None = None  # the folder's
        self._socket: socket.socket | None = None
        self._others: Sequence[str] = ()
        self._listed = 0  # the folder's modification time when it was last listed, in nanoseconds
        # The writer's and the reactor's thread list the folder; its descriptor has one position for both.
        self._listing = threading.Lock()
        self._wake: socket.socket | None = None
        self._woken: socket.socket | None = None

    def open(self) -> None:
        """Make this process' socket.  If that fails, other processes' changes are noticed only by
        polling."""
        self._wake, self._woken = socket.socketpair()
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        own.setblocking(False)
        try:
            make_folder(self._folder)
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            own.bind(self._address(self._name))
        except OSError as error:
            own.close()
            self._log.warn(
                "{folder}: other processes cannot tell of changes: {error}", folder=self._folder, error=error
            )
        else:
            self._socket = own

    def close(self) -> None:
        """Remove this process' socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._folder, self._name))
            self._socket.close()
            self._socket = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        for end in (self._wake, self._woken):
            if end is not None:
                end.close()
        self._wake = self._woken = None

    @property
    def name(self) -> str:
        """The unique name of this process; "" if it has no socket."""
        return self._name if self._socket is not None else ""

    @property
    def are_told(self) -> bool:
        """Whether other processes can signal changes to this one."""
        return self._socket is not None

    def others(self) -> Sequence[str]:
        """The names of the other processes' sockets; some may belong to killed processes."""
        if self._descriptor is None:
            return ()
        with self._listing:
            changed = os.fstat(self._descriptor).st_mtime_ns
            if changed != self._listed:
                names = os.listdir(self._descriptor)
                self._others = [name for name in names if name != self._name]
                # Two changes within the resolution of the modification time look like one.
                settled = abs(time.time_ns() - changed) > _SETTLED * 1e9
                self._listed = changed if settled else 0
            return self._others

    def alone_since(self) -> int:
        """A number that stays the same while no other process opens the store; 0 while one may have it."""
        if self._socket is None or self.others():
            return 0
        return self._listed  # 0 if the next change might not be seen

    def tell(self) -> None:
        """Signal a change to the other processes."""
        for name in self.others():
            if self._socket is None:
                return
            try:
                self._socket.sendto(b"", self._address(name))
            except (ConnectionRefusedError, FileNotFoundError):
                with contextlib.suppress(OSError):  # that process was killed
                    os.unlink(name, dir_fd=self._descriptor)
                self._listed = 0
                self._found_gone()
            except OSError:
                continue  # it has not read the last signal yet

    def is_gone(self, name: str) -> bool:
        """Whether a process has ended or was killed; False if that is not known."""
        if self._socket is None or not name:
            return False
        try:
            self._socket.sendto(b"", self._address(name))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            pass
        return False

    def wait(self, seconds: float) -> bool:
        """Wait until another process signals a change, or for some time; call it in a thread.

        :returns: whether there was a signal.
        """
        waiting = [each for each in (self._socket, self._woken) if each is not None]
        readable, _, _ = select.select(waiting, [], [], seconds)
        if self._socket is None or self._socket not in readable:
            return False
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)
        return True

    def wake(self) -> None:
        """End `wait`, now and from now on."""
        if self._wake is not None:
            self._wake.send(b"!")

    def _address(self, name: str) -> str:
        path = os.path.join(self._folder, name)
        if len(os.fsencode(path)) <= _MAX_ADDRESS:
            return path
        return f"/proc/self/fd/{self._descriptor}/{name}"


class Turns:
    """Lets processes write in turns, because SQLite lets a random waiting process be the next.

    There are two locks.  The process that is next holds the first lock, so that a process that has just had
    its turn comes after it.  Correctness depends only on SQLite's own locks, never on these.

    :param path: the database's path.
    :param timeout: seconds after which a process goes on without its turn.
    """

    _log = PackageLogger()

    def __init__(self, path: str, peers: Peers, timeout: float) -> None:
        self._path = path
        self._peers = peers
        self._timeout = timeout
        self._descriptors: list[int] = []
        self._is_told = False  # that it does not work

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process' turn if there are others, and keep it during the block."""
        if not self._peers.others():
            yield
            return
        has_turn = False
        try:
            has_turn = self._take()
            if not has_turn:
                self._log.warn(
                    "{path}: another process has been writing for {seconds} seconds",
                    path=self._path,
                    seconds=self._timeout,
                )
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                self._log.warn(
                    "{path}: processes cannot take turns in writing: {error}", path=self._path, error=error
                )
        try:
            yield
        finally:
            if has_turn:
                fcntl.flock(self._descriptors[1], fcntl.LOCK_UN)

    def _take(self) -> bool:
        """Wait for the turn; False when it does not come in time."""
        for end in ("-next", "-turn")[len(self._descriptors) :]:
            flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
            self._descriptors.append(os.open(self._path + end, flags, 0o600))
        waiting, having = self._descriptors
        give_up = time.monotonic() + self._timeout
        if not _lock(waiting, give_up):
            return False
        try:
            return _lock(having, give_up)
        finally:
            fcntl.flock(waiting, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock files."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _lock(descriptor: int, end: float) -> bool:
    """Take a lock before the time ``end``; returns whether that succeeded."""
    pause = 0.0002
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(pause)
            pause = min(pause * 1.1, 0.002)
        else:
            return True
