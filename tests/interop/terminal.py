"""A program in a terminal of its own: what it shows is read, and keys are typed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 30
"""Seconds for anything that is waited for."""

_SIZE = (30, 200)
"""Rows and columns."""

_ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|[=>78MDEHc])")


class Terminal:
    """A running program.

    :ivar shown: all that it has shown, without what moves the cursor or colours.
    """

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            try:
                arguments = [str(part) for part in command]
                os.execvpe(arguments[0], arguments, {**os.environ, "TERM": "xterm", **environment})
            finally:
                os._exit(127)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("4H", *_SIZE, 0, 0))
        self._octets = b""
        self._seen = 0
        self._status: int | None = None

    @property
    def shown(self) -> str:
        return _ESCAPES.sub(b"", self._octets).decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of ``pattern`` in what is shown after the last one that was waited for."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern).search(self.shown, self._seen)
            if match is not None:
                self._seen = match.end()
                return match
            if not self._read(deadline):
                raise AssertionError(f"never showed {pattern!r}:\n{self.shown[self._seen :]}")

    def end(self) -> int:
        """Its status at its end."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        self.kill()
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        """See that it is gone; if it is not, what it showed is of no more use."""
        if self._status is not None:
            return
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            time.sleep(0.2)
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            os.kill(self._pid, signal.SIGKILL)
            pid, status = os.waitpid(self._pid, 0)
        self._status = os.waitstatus_to_exitcode(status)
        os.close(self._terminal)

    def _read(self, deadline: float) -> bool:
        """Wait for something to be shown; False at the end, or when the time is over."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
            return False
        try:
            octets = os.read(self._terminal, 1 << 16)
        except OSError:  # Linux's way to say that the other side is closed
            octets = b""
        self._octets += octets
        return bool(octets)
