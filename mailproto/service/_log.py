"""The log of ``twistd mailproto``: like twistd's own, but without debug events, and fast for the mail
log."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from threading import get_ident
from time import time
from typing import IO, Any

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile
from zope.interface import implementer

from mailproto import maillog
from mailproto.files import give_away

__all__ = ["LOG_FILE_SIZE", "SOON", "TextLog", "log_with"]

LOG_FILE_SIZE = 100_000_000
"""Octets after which a log file is rotated.

With twistd's 1,000,000, a busy server would rotate it every second, and rename all older files each time.
"""

SOON = 0.005
"""Seconds that lines may wait, so that many are written in one system call, which costs as much as ten
lines."""


def log_with(application: object, reactor: Any, twistd: object, level: str) -> None:
    """Make ``application`` log as twistd does, but without events below ``level``, and to larger files.

    An observer that ``--logger`` names, or that the application already has, is not replaced.

    :param twistd: twistd's options; another program's options are ignored: ``twist`` has its own
        ``--log-level``.
    :raises OSError: the log file cannot be opened.
    """
    if not (isinstance(application, Componentized) and isinstance(twistd, dict) and "syslog" in twistd):
        return
    if not twistd.get("logger") and application.getComponent(ILogObserver, None) is None:
        application.setComponent(ILogObserver, _observer(twistd, reactor, LogLevel.lookupByName(level)))


def _observer(twistd: Mapping[str, Any], reactor: Any, least: Any) -> ILogObserver:
    """The observer that twistd would make from its options, except for the level and the size of files."""
    if twistd["syslog"]:
        from twisted.python.syslog import SyslogObserver  # not every system has syslog

        syslog = LegacyLogObserverWrapper(SyslogObserver(twistd["prefix"]).emit)  # type: ignore[arg-type]
        return FilteringLogObserver(syslog, [LogLevelFilterPredicate(least)])
    name, foreground = twistd["logfile"], twistd["nodaemon"]
    if name == "-" and not foreground:
        sys.exit("Daemons cannot log to stdout, exiting!")
    if name == "-" or (foreground and not name):
        return TextLog(sys.stdout, reactor, least)
    file = LogFile.fromFullPath(name or "twistd.log", rotateLength=LOG_FILE_SIZE)
    uid, gid = twistd["uid"], twistd["gid"]
    if (uid, gid) != (None, None) and os.geteuid() == 0:
        give_away(file.path, uid, gid)  # otherwise that user could not rotate the file
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
    return TextLog(file, reactor, least)


@implementer(ILogObserver)
class TextLog:
    """Writes events like Twisted's ``textFileLogObserver``, if their level is ``least`` or higher.

    A line of the mail log costs a tenth of what it costs there: its text is formatted already, the time is
    formatted once a second, and lines are written together.  A line that comes soon after others waits for
    `SOON`.  Warnings, errors and all other events are written at once, after the waiting lines.

    If the file cannot be written, for example on a full disk, the server goes on.  Once it can be written
    again, the log says how many writes were lost, and why.

    :param file: see ``FileLogObserver``.
    :param reactor: the reactor in whose thread the mail log is written; while it does not run, lines do not
        wait.
    """

    def __init__(self, file: IO[Any], reactor: Any, least: Any = LogLevel.info) -> None:
        self._reactor = reactor
        self._hidden = frozenset(level for level in LogLevel.iterconstants() if level < least)
        self._waiting: list[str] = []
        self._thread = 0  # the reactor's
        self._second = -1
        self._stamp = ""
        self._file = FileLogObserver(file, _text)
        self._flushed = 0.0
        self._lost = 0
        self._cause = ""

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info)
        if level in self._hidden:
            return
        if event.get("log_format") is not maillog.LINE:
            if self._waiting and get_ident() == self._thread:
                self.flush()
            self._write(event)
            return
        second = int(event["log_time"])
        if second != self._second:
            self._second, self._stamp = second, f"{formatTime(second)} [{maillog.NAMESPACE}#"
        waiting = self._waiting
        waiting.append(f"{self._stamp}{level.name}] {event['line']}\n")
        since = event["log_time"] - self._flushed
        if level is not LogLevel.info or not self._reactor.running or not 0 <= since < SOON:
            self.flush()
        elif len(waiting) == 1:
            self._thread = get_ident()
            self._reactor.callLater(SOON, self.flush)

    def flush(self) -> None:
        """Write the waiting lines."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._flushed = time()
            self._write({_TEXT: "".join(waiting)})

    def _write(self, event: LogEvent) -> None:
        try:
            self._file(event)
            if self._lost:
                lost, self._lost = self._lost, 0
                told = f"log lines were lost, in {lost} writes: {self._cause}"
                self._file({_TEXT: f"{formatTime(time())} [mailproto.service#error] {told}\n"})
        except OSError as error:
            self._lost += 1
            self._cause = str(error)


_TEXT = "mailproto_text"


def _text(event: LogEvent) -> str | None:
    return event.get(_TEXT) or formatEventAsClassicLogText(event)
