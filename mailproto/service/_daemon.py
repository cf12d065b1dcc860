"""What the process that a person started says of a daemon's start.

``twistd`` forks; the process that was started waits until the daemon has started its services, and
would then say that all is well, while a store is still opened and ports are looked at.  Here it
waits until the server is ready or has failed, says the one line that tells why, and ends with
status 1.

That rests on how twistd forks (``twistd_daemonizes`` in `mailproto._twisted_internals`).  Where it
does otherwise, a failure is in the log alone, and the status is 0.
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
"""Seconds that a daemon which cannot start has to end, before its starter does."""

_READY = b"ready"


class DaemonStart:
    """A pipe from the daemon to the process that was started.

    :ivar is_wanted: whether there will be a report: a server that is part of nothing never starts.
    """

    def __init__(self) -> None:
        self.is_wanted: Callable[[], bool] = lambda: True
        self._reader = self._writer = -1
        self._starter = os.getpid()
        # The hooks stay for ever: they look at who forks, and why.
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_in_parent,
            after_in_child=self._after_in_child,
        )

    @property
    def is_awaited(self) -> bool:
        """Whether this process is a daemon whose starter still waits."""
        return self._writer >= 0 and os.getpid() != self._starter

    def succeeded(self) -> None:
        """The server is ready."""
        self._say(_READY)
        self._close()

    def failed(self, line: str) -> None:
        """The server cannot start, and this process is about to end: the starter waits for that, too."""
        self._say(line.encode(errors="replace"))

    def _say(self, message: bytes) -> None:
        if self.is_awaited:
            with contextlib.suppress(OSError):  # the starter was killed
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
            os._exit(1)  # as twistd ends this process itself
        # It is ready; or it ended without a word, and twistd has one.

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
