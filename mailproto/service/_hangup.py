"""SIGHUP, as a service."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

__all__ = ["HangupService"]


class HangupService(Service):
    """Calls ``reload`` in the reactor's thread when the process gets a SIGHUP.

    What was called before is called, too.  That is so from `privilegedStartService` on; a signal that
    comes before would end the process.
    """

    log = Logger()

    def __init__(self, reload: Callable[[], object], *, reactor: Any) -> None:
        self._reload = reload
        self._reactor = reactor
        self._is_set = False
        self._before: Any = None

    def privilegedStartService(self) -> None:
        """From now on SIGHUP ends nothing."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if not self._is_set:
            try:
                self._before = signal.signal(signal.SIGHUP, self._hung_up)
            except ValueError:  # only the main thread may
                self.log.warn("SIGHUP is not listened to: the server runs beside the main thread")
            else:
                self._is_set = True

    def startService(self) -> None:
        """See `privilegedStartService`."""
        super().startService()  # type: ignore[no-untyped-call]
        self.privilegedStartService()

    def stopService(self) -> None:
        """SIGHUP is what it was before."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._is_set:
            self._is_set = False
            signal.signal(signal.SIGHUP, self._before if self._before is not None else signal.SIG_DFL)

    def _hung_up(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._reload)
        if callable(self._before):  # of another server in this process, or of a program of one's own
            self._before(number, frame)
