"""A server that is the whole of its process: what a person sees of its start, and the exit status."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.error import ReactorNotRunning

from mailproto.service._daemon import DaemonStart
from mailproto.service._reporting import Reporter
from mailproto.service._settings import SettingError

__all__ = ["ProcessReporter"]


class ProcessReporter(Reporter):
    """Ends the process with status 1, and one line on standard error, when the server cannot start.

    The line of a daemon is written by the process that was started (`daemon`).

    :param option_of: what a person calls a setting, by its path; by default just so.
    """

    def __init__(self, reactor: Any, option_of: Callable[[str], str] = str) -> None:
        self._reactor = reactor
        self._option_of = option_of
        self.daemon = DaemonStart()
        self._has_failed = False
        # Registered this early, it is called after what others have to do at the end.
        atexit.register(self._exit)

    def ready(self, data: Path) -> None:
        """See `Reporter.ready`."""
        super().ready(data)
        self.daemon.succeeded()

    def failed(self, error: SettingError | None) -> None:
        """See `Reporter.failed`."""
        line = "cannot start, see the log" if error is None else error.line(self._option_of(error.path))
        # Not critical: before the log begins, Twisted writes that to standard error itself.
        self.log.error("{line}", line=f"mailproto: {line}")
        if self.daemon.is_awaited:
            self.daemon.failed(f"mailproto: {line}")
        elif sys.__stderr__ is not None:
            print(f"mailproto: {line}", file=sys.__stderr__, flush=True)
        self._has_failed = True
        self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        with suppress(ReactorNotRunning):  # somebody else was faster
            self._reactor.stop()

    def _exit(self) -> None:
        # twistd and twist end with status 0 whenever the reactor is stopped: this is the way to another.
        if self._has_failed:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(1)
