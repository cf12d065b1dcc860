"""Reports the result of a daemon's start in the process that the operator started.

``twistd`` forks; the parent waits until the daemon has called ``startService``, and then ends with status
0, although the store is still being opened.  Here the parent waits until the server is ready or has
failed.  If it failed, the parent prints one line that says why, and ends with status 1.

This relies on the way in which twistd forks (``twistd_daemonizes`` in `mailproto._twisted_internals`).  If
twistd forks in another way, a failure is only in the log, and the status is 0.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Callable

from mailproto._twisted_internals import is_daemonizing

__all__ = ["DaemonStart"]

_END_GRACE = 15.0
"""Seconds for which the parent waits until a daemon that failed to start has ended."""

_READY = b"ready"


class DaemonStart:
    """A pipe from the daemon to its parent, the process that the operator started.

    :ivar is_wanted: whether there will be a report: a service without a parent is never started.
    """

    def __init__(self) -> None:
        self.is_wanted: Callable[[], bool] = lambda: True
        self._reader = self._writer = -1
        self._starter = os.getpid()
        # The hooks cannot be removed; they check whether it is twistd that forks.
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_in_parent,
            after_in_child=self._after_in_child,
        )

    @property
    def is_awaited(self) -> bool:
        """Whether this process is a daemon, and its parent still waits."""
        return self._writer >= 0 and os.getpid() != self._starter

    def succeeded(self) -> None:
        """Report that the server is ready."""
        self._say(_READY)
        self._close()

    def failed(self, line: str) -> None:
        """Report that the server cannot start; the parent also waits for the end of this process."""
        self._say(line.encode(errors="replace"))

    def _say(self, message: bytes) -> None:
        if self.is_awaited:
            with contextlib.suppress(OSError):  # the parent was killed
                os.write(self._writer, message[: select.PIPE_BUF])

    def _before_fork(self) -> None:
        if os.getpid() != self._starter or self._reader >= 0:
            return
        if is_daemonizing(sys._getframe(1)) and self.is_wanted():
            self._reader, self._writer = os.pipe()

    def _after_in_parent(self) -> None:
        if os.getpid() != self._starter or self._reader < 0:
            return
        reader, self._reader = self._reader, -1
        self._close()
        message = self._read(reader)
        os.close(reader)
        if message and message != _READY:
            with contextlib.suppress(OSError):  # standard error is closed
                os.write(2, message + b"\n")
            os._exit(1)  # twistd ends this process in the same way
        # The daemon is ready, or it ended without a report, which twistd notices itself.

    def _after_in_child(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def _read(self, reader: int) -> bytes:
        message = b""
        while not message or select.select([reader], [], [], _END_GRACE)[0]:
            piece = os.read(reader, select.PIPE_BUF)
            message += piece
            if not piece or message == _READY:
                break
        return message

    def _close(self) -> None:
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
