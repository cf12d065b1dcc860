"""Reports how the start of a server goes: to the log, or also by standard error and the exit status."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorCore, IReactorTime

from mailproto._logger import PackageLogger
from mailproto.service._allocator import give_memory_back, keep_large_blocks_apart
from mailproto.service._collector import leave_out_what_stays
from mailproto.service._daemon import DaemonStart
from mailproto.service._setting_error import SettingError

__all__ = ["ProcessReporter", "Reporter"]


class Reporter:
    """Reports the start of a `MailService` to the log; override its methods to learn about it."""

    log = PackageLogger()

    def listening(self, name: str, address: str) -> None:
        """A listener now serves clients at ``address``."""
        # Formatted here, so that a log in any format has this text.
        self.log.info("{line}", line=f"mailproto: {name} on {address}", name=name, address=address)

    def relaying(self, way: str) -> None:
        """Mail for other domains goes this way: ``off``, ``mx`` or a URL, and the routes of some domains."""
        self.log.info("{line}", line=f"mailproto: mail for other domains: {way}")

    def ready(self, data: Path) -> None:
        """Everything has started; ``data`` is the data folder."""
        self.log.info("{line}", line=f"mailproto: data in {data}")
        self.log.info("mailproto is ready")

    def failed(self, error: SettingError | None) -> None:
        """The server cannot start; None for an unexpected error, whose traceback is in the log."""
        self.log.critical("{line}", line=f"mailproto: {error or 'cannot start, see the log above'}")


class ProcessReporter(Reporter):
    """For a process of its own, which ends with status 1 and one line on standard error if the start fails.

    Once the server is ready, the garbage collector leaves out what was there at the start, and free memory
    goes back to the system; that of large blocks does so from the beginning, because passwords are hashed
    during the start.

    For a daemon, the parent process writes the line (`daemon`).

    :param option_of: translates a setting's path to the name that the operator knows; by default the path
        itself.
    """

    def __init__(self, reactor: IReactorCore, option_of: Callable[[str], str] = str) -> None:
        keep_large_blocks_apart()
        self._reactor = reactor
        self._option_of = option_of
        self.daemon = DaemonStart()
        self._has_failed = False
        # Registered this early, it is called after the other shutdown triggers.
        atexit.register(self._exit)

    def ready(self, data: Path) -> None:
        """See `Reporter.ready`."""
        leave_out_what_stays()
        give_memory_back(cast(IReactorTime, self._reactor))
        super().ready(data)
        self.daemon.succeeded()

    def failed(self, error: SettingError | None) -> None:
        """See `Reporter.failed`."""
        line = "cannot start, see the log" if error is None else error.line(self._option_of(error.path))
        # Not critical: before logging has started, Twisted itself writes critical events to standard error.
        self.log.error("{line}", line=f"mailproto: {line}")
        if self.daemon.is_awaited:
            self.daemon.failed(f"mailproto: {line}")
        elif sys.__stderr__ is not None:
            print(f"mailproto: {line}", file=sys.__stderr__, flush=True)
        self._has_failed = True
        self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        with suppress(ReactorNotRunning):  # it was stopped already
            self._reactor.stop()

    def _exit(self) -> None:
        # twistd and twist always end with status 0 after the reactor is stopped; this ends with status 1.
        if self._has_failed:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(1)
