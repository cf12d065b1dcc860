"""A service that handles SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads

from mailproto._logger import PackageLogger

__all__ = ["HangupService"]


class HangupService(Service):
    """Calls ``reload`` in the reactor's thread when the process gets SIGHUP.

    An older signal handler is called, too.  The handler is installed in `privilegedStartService`; an
    earlier SIGHUP ends the process.
    """

    log = PackageLogger()

    def __init__(self, reload: Callable[[], object], *, reactor: IReactorFromThreads) -> None:
        self._reload = reload
        self._reactor = reactor
        self._is_set = False
        self._before: Any = None

    def privilegedStartService(self) -> None:
        """Install the signal handler."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if not self._is_set:
            try:
                self._before = signal.signal(signal.SIGHUP, self._hung_up)
            except ValueError:  # signals can only be handled in the main thread
                self.log.warn("SIGHUP is ignored: the server does not run in the main thread")
            else:
                self._is_set = True

    def startService(self) -> None:
        """Install the signal handler, if `privilegedStartService` was not called."""
        super().startService()  # type: ignore[no-untyped-call]
        self.privilegedStartService()

    def stopService(self) -> None:
        """Restore the older signal handler."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._is_set:
            self._is_set = False
            signal.signal(signal.SIGHUP, self._before if self._before is not None else signal.SIG_DFL)

    def _hung_up(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._reload)
        if callable(self._before):  # the handler of another server or of the program
            self._before(number, frame)
